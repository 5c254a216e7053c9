"""A VAE of diffusers that is small enough for a test, with random weights."""

from pathlib import Path
from typing import Any

import torch


def write_vae(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """Save one of latents (1, H / 2, W / 2) of grey images, unless the changes say otherwise."""
    from diffusers import AutoencoderKL

    sizes: dict[str, Any] = {
        "in_channels": 1,
        "out_channels": 1,
        "latent_channels": 1,
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
        "block_out_channels": [4, 4],
        "norm_num_groups": 2,
        "scaling_factor": 0.4,
        "shift_factor": 0.1,
    }
    torch.manual_seed(seed)
    AutoencoderKL(**(sizes | changes)).save_pretrained(folder)
    return folder
