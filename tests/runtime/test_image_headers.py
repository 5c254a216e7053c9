"""Sizes by headers: what is answered without Pillow is what Pillow answers, damaged files too."""

import io
import random
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from growlang_runtime.data import decoding
from growlang_runtime.data.image_headers import pixels

PICTURE = Image.linear_gradient("L").resize((60, 40)).convert("RGB")
ENOUGH = 4096


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x010F] = "a maker of cameras"
    found[0x0112] = orientation
    return found


def text() -> PngInfo:
    found = PngInfo()
    found.add_text("title", "a gradient")
    return found


@cache
def plain() -> dict[str, bytes]:
    """Images whose headers are enough."""
    clear = PICTURE.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    return {
        "jpeg": encoded(PICTURE, "jpeg"),
        "progressive": encoded(PICTURE, "jpeg", progressive=True, quality=95),
        "grey": encoded(PICTURE.convert("L"), "jpeg", comment=b"grey", dpi=(72, 72)),
        "cmyk": encoded(PICTURE.convert("CMYK"), "jpeg"),
        "profile": encoded(PICTURE, "jpeg", icc_profile=bytes(600)),
        **{f"turned {o}": encoded(PICTURE, "jpeg", exif=exif(o)) for o in (1, 3, 6, 8, 9)},
        "thumbnail": encoded(PICTURE, "jpeg", exif=exif(6).tobytes() + bytes(9000)),
        "png": encoded(PICTURE, "png", dpi=(72, 72)),
        "palette": encoded(PICTURE.convert("P"), "png", transparency=3),
        "clear": encoded(clear, "png"),
        "bits": encoded(PICTURE.convert("1"), "png"),
        "webp": encoded(PICTURE, "webp"),
        "lossless": encoded(PICTURE, "webp", lossless=True),
        "clear webp": encoded(clear, "webp"),
        "clear lossless": encoded(clear, "webp", lossless=True),
    }


@cache
def asked() -> dict[str, bytes]:
    """Images of which Pillow is asked."""
    animated = {"save_all": True, "append_images": [PICTURE.rotate(90)]}
    return {
        "xmp": encoded(PICTURE, "jpeg", xmp=b'<x tiff:Orientation="6">'),
        "png exif": encoded(PICTURE, "png", exif=exif(6)),
        "png text": encoded(PICTURE, "png", pnginfo=text()),
        "webp exif": encoded(PICTURE, "webp", exif=exif(6)),
        "animated": encoded(PICTURE, "webp", **animated),
        "gif": encoded(PICTURE, "gif"),
        "nothing": b"",
        "cut": encoded(PICTURE, "jpeg")[:200],
    }


def quick(data: bytes, semantics: int = 2) -> tuple[int, int] | None:
    def read(at: int, count: int) -> bytes:
        return data[at : at + count]

    return pixels(data[:ENOUGH], len(data), read, semantics)


def by_pillow(data: bytes, semantics: int = 2) -> tuple[int, int] | str:
    try:
        return decoding.size(io.BytesIO(data), semantics)
    except Exception as error:
        return type(error).__name__


@pytest.mark.parametrize("semantics", [1, 2])
@pytest.mark.parametrize("name", plain())
def test_the_header_is_enough(name: str, semantics: int) -> None:
    data = plain()[name]
    assert quick(data, semantics) == by_pillow(data, semantics)


@pytest.mark.parametrize("name", asked())
def test_pillow_is_asked(name: str) -> None:
    assert quick(asked()[name]) is None


def test_too_many_pixels_are_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60 * 40 - 1)
    assert quick(plain()["jpeg"]) is None


def damaged(count: int) -> Iterator[bytes]:
    """Images that are cut, or of which bytes are changed, added or left out near the beginning."""
    draw = random.Random(0)
    images = [*plain().values(), *(data for data in asked().values() if data)]
    for _ in range(count):
        data, kind = bytearray(draw.choice(images)), draw.random()
        at = draw.randrange(min(len(data), draw.choice((40, 120, 700))))
        if kind < 0.25:
            del data[draw.randrange(len(data)) :]
        elif kind < 0.8:
            data[at] = draw.choice((0, 1, 255, draw.randrange(256)))
        else:
            data[at : at + draw.randrange(9)] = draw.randbytes(draw.randrange(9))
        if draw.random() < 0.5 and data[:4] == b"RIFF" and len(data) > 30:
            data[4:8] = (len(data) - 8).to_bytes(4, "little")
        if draw.random() < 0.5 and data[:4] == b"\x89PNG" and len(data) > 33:
            data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        yield bytes(data)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("count", [1500, pytest.param(200_000, marks=pytest.mark.slow)])
def test_damaged_images_have_the_size_that_pillow_says(count: int) -> None:
    answered = 0
    for number, data in enumerate(damaged(count)):
        semantics = 1 + number % 2
        if (found := quick(data, semantics)) is not None:
            answered += 1
            assert found == by_pillow(data, semantics), data[:64]
    assert answered > count / 10
