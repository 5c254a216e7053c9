"""From a decoded image to the tensor that the net reads: resize, crop, flip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from growlang.diagnostics import GrowlangError
from growlang.net import Shape
from growlang.spec.data import Crop, Resize, Transform
from growlang_runtime.data.decoding import mode_of, resized
from growlang_runtime.data.draws import uniforms


def transformed(
    image: Image.Image, transforms: Sequence[Transform], *, seed: int, p: int
) -> Image.Image:
    """The image of draw `p` after the transforms, whose random numbers are Philox(seed, p).

    Raises GrowlangError for a crop that is larger than the image.
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
    """The image as (C, H, W) float32 in [-1, 1]. Raises GrowlangError if it is not of `shape`."""
    channels, height, width = shape.dims
    if image.size != (width, height):
        raise GrowlangError(
            f"the transform outputs {image.width} x {image.height} pixels, but the net expects "
            f"{width} x {height}",
            help=f"end the transform with crop({width}), or change the net's image size",
        )
    pixels = np.asarray(image.convert(mode_of(channels)), np.float32).reshape(
        height, width, channels
    )
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)) / 127.5 - 1)


def _cropped(image: Image.Image, crop: Crop, seed: int, p: int, number: int) -> Image.Image:
    across, down = image.width - crop.size, image.height - crop.size
    if min(across, down) < 0:
        raise GrowlangError(
            f"crop({crop.size}) does not fit an image of {image.width} x {image.height} pixels",
            help=f"put resize({crop.size}, side = short) before it, or keep only larger images: "
            f".where(min(row.width, row.height) >= {crop.size})",
        )
    left, top = across // 2, down // 2
    if crop.at == "random":
        x, y = uniforms(seed, p, "crop", 2 * number + 2)[-2:]
        left, top = int(x * (across + 1)), int(y * (down + 1))
    return image.crop((left, top, left + crop.size, top + crop.size))
