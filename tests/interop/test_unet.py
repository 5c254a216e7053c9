"""A `UNet2DModel` of diffusers, configured as ADM is, with random weights: read by its table."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel
from fixture_specs import SHIPPED, SPECS, checked, edited
from fixture_specs import growlang as command
from torch import Tensor

import growlang

SMALL = SPECS.parent / "interop" / "unet.grow"
SETTINGS: dict[str, Any] = {
    "sample_size": 64,
    "out_channels": 6,
    "block_out_channels": (32, 64, 96, 128),
    "down_block_types": ("ResnetDownsampleBlock2D", *("AttnDownBlock2D",) * 3),
    "up_block_types": (*("AttnUpBlock2D",) * 3, "UpBlock2D"),
    "layers_per_block": 1,
    "downsample_type": "resnet",
    "upsample_type": "resnet",
    "resnet_time_scale_shift": "scale_shift",
    "attention_head_dim": 16,
    "attn_norm_num_groups": 32,  # without it the attention of the core has no norm
    "time_embedding_dim": 64,
    "num_class_embeds": 11,
}
IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
STEPS, LABELS = torch.tensor([7.0, 901.0]), torch.tensor([3, 10])
CLOSE = 1e-5


def saved(folder: Path, **settings: Any) -> UNet2DModel:
    """A model whose weights are not those that it begins with, as `save_pretrained` writes it."""
    torch.manual_seed(0)
    model = UNet2DModel(**{**SETTINGS, **settings})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.01)
    model.save_pretrained(folder)
    return model.eval()


def computed(path: Path) -> Tensor:
    """What our module computes with a file of weights."""
    with torch.no_grad():
        mask = torch.ones(2, 1, dtype=torch.bool)
        found: Tensor = growlang.load_weights(path).module()(IMAGES, STEPS, LABELS, mask)
    return found


def test_an_imported_unet_computes_what_diffusers_does(tmp_path: Path) -> None:
    model = saved(tmp_path / "unet")
    ours = tmp_path / "unet.safetensors"
    told = command("import", "hf", tmp_path / "unet", "--as", SMALL, "-o", ours)
    assert told.status == 0, told
    assert "says nothing" not in told.err
    with torch.no_grad():
        expected = model(IMAGES, STEPS, LABELS).sample
    assert expected.std() > 0.1
    assert (computed(ours) - expected).abs().max() < CLOSE


def test_adm_64_has_the_published_parameters() -> None:
    """295,904,454: labels are never dropped, so that the table has no row for none."""
    table = checked(SHIPPED / "adm_64.grow").net.table
    assert sum(prod(t.shape) for t in table.values()) == 295_904_454
    assert table["label.embedding.weight"].shape == (1000, 768)


def test_what_a_unet_computes_otherwise_is_refused_by_name(tmp_path: Path) -> None:
    saved(tmp_path / "unet", attention_head_dim=32, downsample_type="conv")
    wrong = edited(SMALL, tmp_path / "wrong.grow", ("order = cos_sin, ", ""))
    told = command(
        "import", "hf", tmp_path / "unet", "--as", wrong, "-o", tmp_path / "a.safetensors"
    )
    assert told.status == 2
    for line in (
        "`downsample_type` is conv, and growlang computes resnet alone",
        "write `head_width = 32`",
        "write `order = cos_sin`",
    ):
        assert line in told.err, told.err
