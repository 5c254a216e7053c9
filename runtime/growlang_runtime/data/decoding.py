"""From an encoded image to its pixels, upright and on white, and why one cannot be decoded."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import SEMANTICS
from growlang.spec.data import Resize, Transform
from growlang_runtime.data.image_headers import TAIL

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What puts an image upright, by its EXIF orientation (CIPA DC-008, 4.6.5.1)."""
MODES = {1: "L", 3: "RGB"}
"""Channels of the net -> Pillow's mode."""


def resized(size: tuple[int, int], resize: Resize) -> tuple[int, int]:
    """Width and height in pixels that a resize gives to an image of `size`."""
    if resize.side == "both":
        return resize.size, resize.size
    base = min(size) if resize.side == "short" else max(size)
    width, height = (max(1, (2 * s * resize.size + base) // (2 * base)) for s in size)
    return width, height


def mode_of(channels: int) -> str:
    """Pillow's mode for a number of channels. Raises GrowlangError where there is none."""
    if channels not in MODES:
        raise GrowlangError(
            f"the net expects {channels} channels, but images have 1 (grayscale) or 3 (RGB)",
            help="write `image(size, channels = 3)`",
        )
    return MODES[channels]


def decode(
    data: bytes, channels: int, transforms: Sequence[Transform] = (), semantics: int = SEMANTICS
) -> Image.Image:
    """The image in grey (1 channel) or RGB (3), upright, with what is transparent on white.

    A large JPEG whose first transform is a resize is decoded at the smallest of its scales (1/2,
    1/4, 1/8) that is still twice the target, which is several times faster and then resampled
    down like any other. Semantics 1 knows neither EXIF nor the transparent colour of a PNG with
    2, 4 or 16 bits a channel. Raises whatever Pillow raises for data that is not an image.
    """
    mode = mode_of(channels)
    with Image.open(io.BytesIO(data)) as image:
        if transforms and isinstance(transforms[0], Resize):
            width, height = resized(image.size, transforms[0])
            image.draft(None, (2 * width, 2 * height))
        image.load()
        if semantics < 2:
            return _on_white(image, mode)
        turn = TURNS.get(_orientation(image))
        if image.format == "PNG":
            _scale_transparency(image, bits=data[24])
        opaque = _on_white(image, mode, image.info.get("transparency"))
        return opaque if turn is None else opaque.transpose(turn)


def size(file: IO[bytes], semantics: int = SEMANTICS) -> tuple[int, int]:
    """Width and height in pixels of an upright image, by its header.

    Raises whatever Pillow raises for data that is not an image.
    """
    with Image.open(file) as image:
        width, height = image.size
        if semantics < 2 or image.format == "TIFF":  # Pillow turns the latter itself
            return width, height
        if image.format == "PNG" and _metadata_behind(file):
            image.load()
        return (height, width) if _orientation(image) > 4 else (width, height)


def why(error: Exception, data: bytes) -> str:
    """The reason why `data` cannot be decoded, from the error that Pillow raised."""
    if isinstance(error, UnidentifiedImageError):
        begin = "".join(c if c.isprintable() else "." for c in data[:12].decode("latin-1"))
        found = f"it starts with `{begin}`" if data else "it is empty (0 bytes)"
        return f"cannot identify image file: {found}"
    reason = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
    if isinstance(error, Image.DecompressionBombError):
        return f"too many pixels: {reason}"
    return reason


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the warnings of Pillow: what matters is reported as a reason.

    Filters of warnings belong to the process: enter this before threads are started.
    """
    logger = logging.getLogger("PIL")
    level = logger.level
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(level)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none that can be read."""
    try:
        # That of the base class: a PNG's own would decode all pixels first.
        value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
        return int(value) if value in TURNS else 1
    except Exception:  # broken EXIF raises many types, and the pixels are good
        return 1


def _metadata_behind(file: IO[bytes]) -> bool:
    """Whether a PNG seems to have EXIF or texts behind its pixels."""
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - TAIL))
    return re.search(rb"eXIf|iTXt|zTXt|tEXt", file.read(TAIL)) is not None


def _scale_transparency(image: Image.Image, bits: int) -> None:
    """Bring the transparent colour of a PNG to the 8 bits to which Pillow scales the pixels."""
    value = image.info.get("transparency")
    if isinstance(value, tuple) and bits == 16:
        image.info["transparency"] = tuple(part >> 8 for part in value)
    elif isinstance(value, int) and image.mode == "L" and bits < 8:
        image.info["transparency"] = value * 255 // (2**bits - 1)


def _on_white(image: Image.Image, mode: str, clear: object = None) -> Image.Image:
    """The image in a mode; `clear` is the value of 16-bit grey that is transparent."""
    if image.mode.startswith("I;16"):
        grey = image.point(lambda value: value / 256).convert("L")
        if isinstance(clear, int):
            grey.paste(255, mask=Image.fromarray(np.asarray(image) == clear))
        return grey.convert(mode)
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert(mode)
    return image.convert(mode)
