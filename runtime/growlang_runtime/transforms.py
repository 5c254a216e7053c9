"""From an encoded picture to the tensor that the net reads: decode, resize, crop, flip."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from growlang.diagnostics import GrowlangError
from growlang.net import Shape
from growlang.spec import Crop, Resize, Transform
from growlang_runtime.draws import uniforms

MODES = {1: "L", 3: "RGB"}
"""Channels of the net -> Pillow's mode."""


def decode(data: bytes, channels: int, transforms: Sequence[Transform] = ()) -> Image.Image:
    """The picture in grey (1 channel) or RGB (3), with what is transparent on white.

    A large JPEG whose first transform is a resize is decoded at the smallest of its scales (1/2,
    1/4, 1/8) that is still twice the target, which is several times faster and then resampled
    down like any other. Raises whatever Pillow raises for data that is not a picture.
    """
    mode = _mode(channels)
    with Image.open(io.BytesIO(data)) as image:
        if transforms and isinstance(transforms[0], Resize):
            width, height = resized(image.size, transforms[0])
            image.draft(None, (2 * width, 2 * height))
        image.load()
        if image.mode.startswith("I;16"):
            return image.point(lambda value: value / 256).convert("L").convert(mode)
        if image.has_transparency_data:
            picture = image.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            return Image.alpha_composite(white, picture).convert(mode)
        return image.convert(mode)


def resized(size: tuple[int, int], resize: Resize) -> tuple[int, int]:
    """Width and height in pixels that a resize gives to a picture of `size`."""
    if resize.side == "both":
        return resize.size, resize.size
    base = min(size) if resize.side == "short" else max(size)
    width, height = (max(1, (2 * s * resize.size + base) // (2 * base)) for s in size)
    return width, height


def transformed(
    image: Image.Image, transforms: Sequence[Transform], *, seed: int, p: int
) -> Image.Image:
    """The picture of draw `p` after the transforms, whose random numbers are Philox(seed, p).

    Raises GrowlangError for a crop that is larger than the picture.
    """
    for number, transform in enumerate(transforms):
        if isinstance(transform, Resize):
            image = image.resize(resized(image.size, transform), Image.Resampling.LANCZOS)
        elif isinstance(transform, Crop):
            image = _cropped(image, transform, seed, p, number)
        elif uniforms(seed, p, "flip", number + 1)[-1] < transform.probability:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image


def to_tensor(image: Image.Image, shape: Shape) -> torch.Tensor:
    """The picture as (C, H, W) float32 in [-1, 1]. Raises GrowlangError if it is not of `shape`."""
    channels, height, width = shape.dims
    if image.size != (width, height):
        raise GrowlangError(
            f"the transform gives a picture of {image.width} x {image.height} pixels, "
            f"but the net's image has {width} x {height}",
            help=f"end the transform with crop({width}), or give the net another image size",
        )
    pixels = np.asarray(image.convert(_mode(channels)), np.float32).reshape(height, width, channels)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)) / 127.5 - 1)


def _mode(channels: int) -> str:
    if channels not in MODES:
        raise GrowlangError(
            f"the net's image has {channels} channels, but pictures have 1 (grey) or 3 (RGB)",
            help="image(size, channels = 3)",
        )
    return MODES[channels]


def _cropped(image: Image.Image, crop: Crop, seed: int, p: int, number: int) -> Image.Image:
    across, down = image.width - crop.size, image.height - crop.size
    if min(across, down) < 0:
        raise GrowlangError(
            f"crop({crop.size}) of a picture of {image.width} x {image.height} pixels",
            help=f"put resize({crop.size}, side = short) before it, or keep larger pictures only: "
            f".where(min(row.width, row.height) >= {crop.size})",
        )
    left, top = across // 2, down // 2
    if crop.at == "random":
        x, y = uniforms(seed, p, "crop", 2 * number + 2)[-2:]
        left, top = int(x * (across + 1)), int(y * (down + 1))
    return image.crop((left, top, left + crop.size, top + crop.size))
