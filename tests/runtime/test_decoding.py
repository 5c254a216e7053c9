"""Decoding: EXIF's orientation in pixels and sizes, transparency on white, and the reasons."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from growlang.spec.data import Resize
from growlang_runtime.data.decoding import decode, quiet, size, why

RED_ABOVE_BLUE = [(255, 0, 0), (0, 0, 255)]


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png(
    width: int, bits: int, colour: int, row: bytes, *before: bytes, behind: bytes = b""
) -> bytes:
    """A PNG of one row, with chunks before and behind its pixels."""
    header = struct.pack(">IIBBBBB", width, 1, bits, colour, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + row))
    parts = [chunk(b"IHDR", header), *before, pixels, behind, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def stored(orientation: int) -> Image.Image:
    """What is 8 wide and 16 high, red above blue, as a camera stores it."""
    upright = Image.new("RGB", (8, 16), "red")
    upright.paste("blue", (0, 8, 8, 16))
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    return upright if undo is None else upright.transpose(undo)


def saved(orientation: int, kind: str) -> bytes:
    data = io.BytesIO()
    lossless = {"lossless": True} if kind == "webp" else {"quality": 95} if kind == "jpeg" else {}
    stored(orientation).save(data, kind, exif=exif(orientation), **lossless)
    return data.getvalue()


def colours(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours of the upper and the lower half, to the next of 0 and 255."""
    return [
        tuple(255 * (value > 127) for value in image.getpixel((image.width // 2, y)))  # type: ignore[union-attr]
        for y in (image.height // 4, 3 * image.height // 4)
    ]


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_upright_as_viewers_show_them(orientation: int, kind: str) -> None:
    data = saved(orientation, kind)
    image = decode(data, 3)
    assert image.size == size(io.BytesIO(data)) == (8, 16)
    assert colours(image) == RED_ABOVE_BLUE


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_semantics_1_knows_no_exif(kind: str) -> None:
    data = saved(6, kind)
    assert decode(data, 3, semantics=1).size == size(io.BytesIO(data), 1) == (16, 8)


def test_a_large_jpeg_is_turned_after_it_is_reduced() -> None:
    data = io.BytesIO()
    stored(6).resize((1024, 512)).save(data, "jpeg", exif=exif(6))
    image = decode(data.getvalue(), 3, [Resize(size=64)])
    assert image.size == (128, 256)
    assert colours(image) == RED_ABOVE_BLUE


def test_exif_behind_the_pixels_of_a_png_counts() -> None:
    late = chunk(b"eXIf", exif(6).tobytes()[6:])
    data = png(2, 8, 0, b"\x00\xff", behind=late)
    assert size(io.BytesIO(data)) == decode(data, 1).size == (1, 2)


def test_broken_exif_is_none() -> None:
    data = io.BytesIO()
    stored(1).save(data, "jpeg", exif=exif(6).tobytes()[:-6])
    with quiet():
        assert size(io.BytesIO(data.getvalue())) == decode(data.getvalue(), 3).size == (8, 16)


@pytest.mark.parametrize(
    ("bits", "colour", "row", "clear"),
    [
        (16, 0, struct.pack(">2H", 0x1234, 0x1111), struct.pack(">H", 0x1234)),
        (16, 2, b"\x09\x01\x08\x01\x07\x01" + bytes(6), b"\x09\x01\x08\x01\x07\x01"),
        (8, 0, b"\x05\x11", b"\0\x05"),
        (4, 0, b"\x51", b"\0\x05"),
        (2, 0, b"\x40", b"\0\x01"),
        (1, 0, b"\x80", b"\0\x01"),
    ],
)
def test_a_transparent_colour_is_white(bits: int, colour: int, row: bytes, clear: bytes) -> None:
    image = decode(png(2, bits, colour, row, chunk(b"tRNS", clear)), 1)
    first, second = np.asarray(image)[0]
    assert first == 255
    assert second < 128


def test_sixteen_bits_without_a_transparent_colour_stay() -> None:
    data = png(2, 16, 0, struct.pack(">2H", 0x1234, 0xFFFF))
    assert np.asarray(decode(data, 1))[0].tolist() == [0x12, 0xFF]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cannot identify image file: it is empty (0 bytes)"),
        (b"<html><body></body>", "cannot identify image file: it starts with `<html><body>`"),
        (b"\x00\x01\x02", "cannot identify image file: it starts with `...`"),
        (saved(1, "png")[:-30], "image file is truncated"),
    ],
)
def test_reasons_are_pillows(data: bytes, reason: str) -> None:
    with pytest.raises(Exception) as caught:
        decode(data, 3)
    assert why(caught.value, data).startswith(reason)


def test_too_many_pixels_are_a_reason() -> None:
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")
    with pytest.raises(Image.DecompressionBombError) as caught:
        size(io.BytesIO(data))
    reason = why(caught.value, data)
    assert reason.startswith("too many pixels: Image size (900000000 pixels) exceeds limit of")
