"""A frozen VAE of diffusers: images of pixels as latents, and back (arXiv 2112.10752).

What it gives is scaled as its config says, so that latents have about the deviation of noise.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.net import Latent, Net, Shape, digest
from growlang.spec.autoencoders import KIND, misfits
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.data.pretrained import first_line, local_first

CPU = torch.device("cpu")
LIMITS = (-30.0, 20.0)
"""Of the log variance of latents, as diffusers has them."""


class Autoencoder:
    """The VAE of a net of latents, in float32; it is loaded when it is first needed.

    Images go through it one at a time, so that what becomes of one depends on nothing beside it.
    Raises GrowlangError, when it is loaded, for what is no such VAE.
    """

    def __init__(self, declared: Latent, image: Shape, device: torch.device = CPU) -> None:
        self.declared, self.image, self.device = declared, image, device
        self._lock = Lock()

    @staticmethod
    def of(net: Net, device: torch.device = CPU) -> Autoencoder | None:
        """That of a net; None where its images are not latents."""
        return None if net.latent is None else Autoencoder(net.latent, net.image, device)

    @property
    def pixels(self) -> Shape:
        """Shape (C, H, W) of the images of pixels."""
        return self.declared.pixels(self.image)

    @cached_property
    def model(self) -> Any:
        """The model of diffusers, frozen."""
        with self._lock:
            return loaded(self.declared, self.image.width).to(self.device)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of its weights and of its config."""
        config = {n: value for n, value in self.model.config.items() if not n.startswith("_")}
        said = digest(json.loads(json.dumps(config, default=str)))
        return f"{contents_hash(dict(self.model.state_dict()))} {said}"

    def moments(self, pixels: Tensor) -> Tensor:
        """Mean and log variance (2 c, h, w) float32, on the CPU, of an image (C, H, W)."""
        model = self.model
        with self._lock, torch.no_grad():
            found = model.encode(pixels[None].to(self.device)).latent_dist.parameters
        return found[0].float().cpu()  # type: ignore[no-any-return]

    def latents(self, moments: Tensor, eps: Tensor) -> Tensor:
        """Latents (c, h, w) by noise eps of that shape, scaled."""
        mean, log_variance = moments.chunk(2)
        drawn = mean + torch.exp(log_variance.clamp(*LIMITS) / 2) * eps
        scale, shift = self._scaling
        return (drawn - shift) * scale

    def decoded(self, latents: Tensor) -> Tensor:
        """Images (N, C, H, W) float32 in [-1, 1], on the device of the latents (N, c, h, w)."""
        scale, shift = self._scaling
        rows = latents.float().cpu() / scale + shift
        model = self.model
        with self._lock, torch.no_grad():
            images = [model.decode(row[None].to(self.device)).sample for row in rows]
        if not images:
            return latents.new_empty(0, *self.pixels.dims)
        return torch.cat(images).float().clamp(-1, 1).to(latents.device)

    @cached_property
    def _scaling(self) -> tuple[Tensor, Tensor]:
        """Factor of latents, and what is taken off before, (c, 1, 1) or (1, 1, 1)."""
        return scaling_of(self.model.config)


def scaling_of(config: Any) -> tuple[Tensor, Tensor]:
    """Factor of latents, and what is taken off before, by a VAE's config: one each, or c."""
    mean, std = (config.get(f"latents_{name}") for name in ("mean", "std"))
    scale, shift = (torch.tensor([config.get(f"{n}_factor") or d]) for n, d in DEFAULTS)
    if mean is not None and std is not None:
        scale, shift = scale / torch.tensor(std).float(), torch.tensor(mean).float()
    return scale.view(-1, 1, 1), shift.view(-1, 1, 1)


DEFAULTS: Sequence[tuple[str, float]] = (("scaling", 1.0), ("shift", 0.0))


def loaded(declared: Latent, channels: int) -> Any:
    """The VAE in float32, in evaluation. Raises GrowlangError for what is no such VAE."""
    name = declared.vae
    try:
        from diffusers import AutoencoderKL
    except ImportError as error:
        raise GrowlangError(
            f"the VAE `{name}` needs diffusers", help='run `pip install "growlang[train]"`'
        ) from error
    try:
        config = _read(AutoencoderKL.load_config, name)
        wrong = next(
            misfits(config, f"`{name}`", channels, declared.factor, declared.colours), None
        )
        if wrong is not None:
            raise GrowlangError(wrong.message, help=f"{wrong.help} in the spec's `latent(...)`")
        model = _read(
            AutoencoderKL.from_pretrained, name, torch_dtype=torch.float32, low_cpu_mem_usage=False
        )
    except (OSError, ValueError, RuntimeError) as error:
        there = Path(name).is_dir()
        why = "the folder has no whole one" if there else "it is no folder, nor in the cache"
        raise GrowlangError(
            f"cannot load the VAE `{name}`: {why} ({first_line(error)})",
            help=f"name the folder of an {KIND}, which `save_pretrained` of diffusers writes"
            + ("" if there else f", or run `hf download {name}` while online"),
        ) from error
    return model.eval().requires_grad_(False)


def _read(read: Any, name: str, **given: Any) -> Any:
    """As `local_first`, without the warnings about arguments that diffusers gives the hub."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return local_first(read, name, **given)
