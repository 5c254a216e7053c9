"""Fonts for the captions of a grid, and which of them has a glyph for a character.

Pillow's own font has Latin letters; those of the packages `manimgx-fonts` (Noto, OFL) and
`paperang-p2-fonts-cjk` (WenQuanYi Micro Hei, Apache 2.0) have nearly all others.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from PIL import ImageFont, features

PACKAGES = ("manimgx_fonts", "paperang_p2_fonts_cjk")
SIZE, SIZE_OF_OTHERS = 11, 12
"""Of Pillow's own font and of the others, in pixels: their letters are smaller at one size."""
NO_CHARACTER = "\uffff"
"""What no font has: it is drawn with the missing-glyph box."""
JOINERS = frozenset("\u200c\u200d")
SELECTORS = range(0xFE00, 0xFE10)
SKIN_TONES = range(0x1F3FB, 0x1F400)
FLAGS = range(0x1F1E6, 0x1F200)


class Font:
    """One font at one size. `shapes` says whether it joins letters and orders them itself."""

    def __init__(self, drawing: ImageFont.FreeTypeFont, single: ImageFont.FreeTypeFont) -> None:
        self.drawing = drawing
        self.shapes = drawing.layout_engine == ImageFont.Layout.RAQM
        self._single = single
        self._missing = self._mask(NO_CHARACTER)
        self.spaces = self.has(" ") and drawing.getlength(" ") < drawing.size / 2
        """Whether it has a space that parts words: that of emoji is as wide as they are."""

    @lru_cache(maxsize=1 << 16)  # noqa: B019 - fonts live as long as the process
    def has(self, character: str) -> bool:
        """Whether there is a glyph for the character; one that is never seen needs none."""
        if unicodedata.category(character) in ("Cc", "Cs"):
            return False
        return _is_invisible(character) or self._mask(character) != self._missing

    def covers(self, text: str) -> bool:
        """Whether there is a glyph for each character of a text."""
        return all(map(self.has, text))

    def _mask(self, character: str) -> tuple[tuple[int, int], bytes]:
        mask = self._single.getmask(character)
        return mask.size, bytes(mask)


@lru_cache(maxsize=1)
def own() -> Font:
    """Pillow's own font."""
    font = ImageFont.load_default(SIZE)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return Font(font, font)


@lru_cache(maxsize=64)
def _opened(path: Path) -> Font:
    layouts = ImageFont.Layout
    best = layouts.RAQM if features.check("raqm") else layouts.BASIC
    return Font(
        ImageFont.truetype(path, SIZE_OF_OTHERS, layout_engine=best),
        ImageFont.truetype(path, SIZE_OF_OTHERS, layout_engine=layouts.BASIC),
    )


@lru_cache(maxsize=1)
def _paths() -> tuple[Path, ...]:
    """The fonts of the packages that are there; the short names are those of the wide fonts."""
    found: list[Path] = []
    for package in PACKAGES:
        try:
            folder = Path(str(files(package)))
        except ModuleNotFoundError:
            continue
        fonts = [path for path in folder.rglob("*") if path.suffix in (".ttf", ".ttc", ".otf")]
        found += sorted(fonts, key=lambda path: (len(path.name), path.name))
    return tuple(found)


def fonts() -> Iterator[Font]:
    """All fonts, best first; they are opened as they are asked for."""
    yield own()
    yield from map(_opened, _paths())


@lru_cache(maxsize=1 << 14)
def font_of(text: str) -> Font | None:
    """The first font that has all of a text."""
    return next((font for font in fonts() if font.covers(text)), None)


def _is_invisible(character: str) -> bool:
    """Whether a character only says how its neighbours are drawn."""
    return unicodedata.category(character) == "Cf" or ord(character) in SELECTORS


def clusters(text: str) -> list[str]:
    """A text in parts that are drawn as one: letters with their marks, and joined emoji.

    The short rule of it (unicode.org/reports/tr29): a mark, a joiner, a selector or a skin tone
    goes with what is before it, and so does what a joiner joins or the second half of a flag.
    """
    found: list[str] = []
    for character in text:
        before = found[-1] if found else ""
        flag = ord(character) in FLAGS and len(before) == 1 and ord(before) in FLAGS
        if before and (flag or before[-1] == "\u200d" or _goes_with_the_one_before(character)):
            found[-1] += character
        else:
            found.append(character)
    return found


def _goes_with_the_one_before(character: str) -> bool:
    mark = unicodedata.category(character)[0] == "M"
    return mark or character in JOINERS or ord(character) in SKIN_TONES
