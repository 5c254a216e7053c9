"""Images as latents: what a frozen VAE makes of the draws of a mix, kept on the disk.

Of an image the moments are kept, mean and log variance, under a hash of the VAE and of the pixels
behind the transform: another transform or flip is another image. A VAE is its weights and config.
What is random about the latents is a function of the draw, so a run that goes on has the same.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from growlang.atomic import whole
from growlang.spec.data import Crop, Transform
from growlang_runtime.data.autoencoder import Autoencoder
from growlang_runtime.data.draws import batch_normals
from growlang_runtime.data.identity import Identity
from growlang_runtime.data.images import Images
from growlang_runtime.data.mix import Example, Mix

DIGEST = 16
"""Bytes of the checksum in front of moments in a file."""


def latents_cache() -> Path:
    """The folder of the user's latents."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "growlang" / "latents"


class Kept(NamedTuple):
    """Moments on the disk, a file for each image, by hashes."""

    folder: Path
    identity: bytes
    """Of the VAE, the kind of device that it computes on, and whether that rounds to TF32."""

    def moments(self, pixels: Tensor, vae: Autoencoder) -> Tensor:
        """The moments of an image (C, H, W); computed, and then kept, if they are not there."""
        name = hashlib.sha256(self.identity + np.ascontiguousarray(pixels.numpy()).data).hexdigest()
        path = self.folder / name[:2] / name[2:]
        channels, height, width = vae.image.dims
        shape = (2 * channels, height, width)
        found = _read(path, shape)
        if found is None:
            found = vae.moments(pixels)
            _write(path, found)
        return found


def _read(path: Path, shape: tuple[int, ...]) -> Tensor | None:
    """Moments of a file; None where it is not there, or not whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    checksum, values = data[:DIGEST], data[DIGEST:]
    if len(values) != 4 * int(np.prod(shape)) or _checksum(values) != checksum:
        return None
    return torch.from_numpy(np.frombuffer(values, np.float32).reshape(shape).copy())


def _write(path: Path, moments: Tensor) -> None:
    """Keep moments; a disk that has no room or is not to be written keeps none."""
    values = np.ascontiguousarray(moments.numpy()).tobytes()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path, shared=True, durable=False) as temporary:
            temporary.write_bytes(_checksum(values) + values)
    except OSError:
        return


def _checksum(values: bytes) -> bytes:
    return hashlib.blake2b(values, digest_size=DIGEST).digest()


class Latents(Mix):
    """The draws of images as latents (c, h, w), float32.

    Nothing is kept of images that are cropped at random, which seldom come again.
    """

    def __init__(self, images: Images, vae: Autoencoder, folder: Path | None = None) -> None:
        super().__init__(images.sources, images.first, images.given(images.first))
        self.images, self.vae, self.warnings = images, vae, images.warnings
        self._kept = None if is_random(images.transform) else folder or latents_cache()

    def __len__(self) -> int:
        """Number of images that the sources keep: the length of an epoch."""
        return len(self.images)

    @property
    def identity(self) -> dict[str, Identity]:
        """That of the images, and of the VAE."""
        vae = hashlib.sha256(self.vae.identity.encode()).hexdigest()[:16]
        return {name: replace(own, vae=vae) for name, own in self.images.identity.items()}

    def once(self, most: int) -> Sequence[int]:
        """As those of the images."""
        return self.images.once(most)

    def empty(self, count: int) -> Tensor:
        """Room for some latents, (count, c, h, w)."""
        return torch.empty((count, *self.vae.image.dims))

    def draw(self, p: int, out: Tensor | None = None) -> Example:
        """The latents of draw `p`, in `out` if that is given. Threads may call it in any order."""
        example = self.images.draw(p)
        moments = self._moments(example.image)
        (eps,) = batch_normals(self.images.seed, [p], "latent", self.vae.image.dims)
        found = self.vae.latents(moments, eps)
        if out is not None:
            out.copy_(found)
            found = out
        return replace(example, image=found)

    def _moments(self, pixels: Tensor) -> Tensor:
        if self._kept is None:
            return self.vae.moments(pixels)
        kind = self.vae.device.type
        rounds = kind == "cuda" and torch.backends.cudnn.allow_tf32
        own = f"{self.vae.identity} on {kind}{' in TF32' if rounds else ''}"
        return Kept(self._kept, own.encode()).moments(pixels, self.vae)


def is_random(transform: tuple[Transform, ...]) -> bool:
    """Whether images are cropped at random, each time another part of them."""
    return any(isinstance(step, Crop) and step.at == "random" for step in transform)
