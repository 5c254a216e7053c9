"""A line of text as runs, each of one font and one direction, from left to right."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from PIL import ImageDraw

from growlang_runtime.report.fonts import Font, clusters, font_of, own

MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


@dataclass(frozen=True)
class Run:
    """Neighbours on a line that one font draws in one direction."""

    text: str
    font: Font
    leftward: bool
    """Whether it is read from right to left."""

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.font.drawing.getlength(self._ordered, direction=self._direction)

    def draw(self, draw: ImageDraw.ImageDraw, x: float, baseline: float) -> None:
        """Draw it in black from `x` rightward, on the baseline."""
        draw.text(
            (x, baseline),
            self._ordered,
            fill="black",
            font=self.font.drawing,
            anchor="ls",
            direction=self._direction,
        )

    @property
    def _direction(self) -> str | None:
        if not self.font.shapes:
            return None
        return "rtl" if self.leftward else "ltr"

    @property
    def _ordered(self) -> str:
        """The text in the order of drawing: a font that does not shape draws left to right."""
        if self.font.shapes or not self.leftward:
            return self.text
        return "".join(reversed(clusters(self.text))).translate(MIRRORED)


def is_leftward(text: str) -> bool:
    """Whether a text is read from right to left, by its first letter (UAX 9, rule P2)."""
    classes = (unicodedata.bidirectional(c) for c in text)
    return next((c != "L" for c in classes if c in ("L", "R", "AL")), False)


def runs(line: str, leftward: bool = False) -> list[Run]:
    """The runs of a line from left to right; `leftward` is the direction of its caption.

    Of the bidirectional algorithm (unicode.org/reports/tr9) what captions need: letters have a
    direction, numbers are read rightward, and what is neither goes with its neighbours where
    they agree, else with the caption.
    """
    parts = clusters(line)
    placed = list(zip(parts, _fonts(parts), _directions(parts, leftward), strict=True))
    found = [
        Run("".join(part for part, _, _ in group), font, back)
        for (font, back), group in groupby(placed, key=lambda item: item[1:])
    ]
    blocks = [list(group) for _, group in groupby(found, key=lambda run: run.leftward)]
    ordered = reversed(blocks) if leftward else blocks
    return [run for block in ordered for run in (block[::-1] if block[0].leftward else block)]


def _directions(parts: Sequence[str], leftward: bool) -> list[bool]:
    """For each cluster whether it is read from right to left."""
    strong = [_direction(part) for part in parts]
    before, after = leftward, leftward
    backward = []
    for own_direction in reversed(strong):
        after = after if own_direction is None else own_direction
        backward.append(after)
    found = []
    for own_direction, after in zip(strong, reversed(backward), strict=True):
        before = before if own_direction is None else own_direction
        found.append(before if before == after else leftward)
    return found


def _direction(cluster: str) -> bool | None:
    kind = unicodedata.bidirectional(cluster[0])
    return kind in ("R", "AL", "AN") if kind in ("R", "AL", "AN", "L", "EN") else None


def _fonts(parts: Sequence[str]) -> Iterator[Font]:
    """A font for each cluster: one for a whole word where one has it, and for the space after."""
    font = own()
    for space, word in groupby(parts, key=lambda part: part == " "):
        some = list(word)
        whole = font_of("".join(some))
        if space:
            whole = font if font.spaces else own()
        for part in some:
            font = whole or font_of(part) or own()
            yield font
