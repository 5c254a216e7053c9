"""From a decoded image to the tensor that the net reads: resize, crop, flip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from growlang.diagnostics import GrowlangError
from growlang.net import Shape
from growlang.spec.data import Crop, Resize, Transform
from growlang_runtime.data.decoding import mode_of, resized
from growlang_runtime.data.draws import uniforms


class Placed(NamedTuple):
    """An image after the transforms."""

    image: Image.Image
    left: int
    """Pixels left of the last crop, of the image that was cropped."""
    top: int
    """Pixels above it."""


def transformed(
    image: Image.Image, transforms: Sequence[Transform], *, seed: int, p: int
) -> Image.Image:
    """The image that `placed` gives."""
    return placed(image, transforms, seed=seed, p=p).image


def placed(image: Image.Image, transforms: Sequence[Transform], *, seed: int, p: int) -> Placed:
    """The image of draw `p` after the transforms, whose random numbers are Philox(seed, p).

    Raises GrowlangError for a crop that is larger than the image.
    """
    left = top = 0
    for number, transform in enumerate(transforms):
        if isinstance(transform, Resize):
            size = resized(image.size, transform)
            if size != image.size:
                image = image.resize(size, Image.Resampling.LANCZOS)
        elif isinstance(transform, Crop):
            left, top = _corner(image, transform, seed, p, number)
            box = (left, top, left + transform.size, top + transform.size)
            image = image.crop(box) if (left, top) != (0, 0) or image.size != box[2:] else image
        elif uniforms(seed, p, "flip", number + 1)[-1] < transform.probability:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return Placed(image, left, top)


def to_tensor(image: Image.Image, shape: Shape, out: torch.Tensor | None = None) -> torch.Tensor:
    """The image as (C, H, W) float32 in [-1, 1], in `out` if that is given.

    Raises GrowlangError if it is not of `shape`.
    """
    channels, height, width = shape.dims
    if image.size != (width, height):
        raise GrowlangError(
            f"the transform outputs {image.width} x {image.height} pixels, but the net expects "
            f"{width} x {height}",
            help=f"end the transform with crop({width}), or change the net's image size",
        )
    mode = mode_of(channels)
    image = image if image.mode == mode else image.convert(mode)
    pixels = np.asarray(image).reshape(height, width, channels).transpose(2, 0, 1)
    found = torch.empty(shape.dims) if out is None else out
    values = found.numpy()
    np.divide(pixels, np.float32(127.5), out=values)
    values -= 1
    return found


def _corner(image: Image.Image, crop: Crop, seed: int, p: int, number: int) -> tuple[int, int]:
    """The pixels left of a crop, and above it."""
    across, down = image.width - crop.size, image.height - crop.size
    if min(across, down) < 0:
        raise GrowlangError(
            f"crop({crop.size}) does not fit an image of {image.width} x {image.height} pixels",
            help=f"put resize({crop.size}, side = short) before it, or keep only larger images: "
            f".where(min(row.width, row.height) >= {crop.size})",
        )
    if across == down == 0:
        return 0, 0
    left, top = across // 2, down // 2
    if crop.at == "random":
        x, y = uniforms(seed, p, "crop", 2 * number + 2)[-2:]
        left, top = int(x * (across + 1)), int(y * (down + 1))
    return left, top
