"""Captions below the images of a grid: any script, in few short lines, never as boxes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from PIL import ImageDraw

from growlang_runtime.report.fonts import clusters, font_of
from growlang_runtime.report.text_runs import is_leftward, runs

LONGEST = 1000
"""Most characters of a caption that are looked at: more never fit below an image."""
MORE = "…"


def draw_caption(
    draw: ImageDraw.ImageDraw, caption: str, box: tuple[int, int, int, int], line_height: int
) -> None:
    """Draw a caption into a box (left, top, width, height), in as many lines as it holds.

    What no font has is replaced by its name in brackets. One that is read from right to left
    is aligned right.
    """
    left, top, width, height = box
    text = drawable(caption)
    leftward = is_leftward(text)
    for row, line in enumerate(lines(text, width, height // line_height)):
        ordered = runs(line, leftward)
        x = left + (width - sum(run.width for run in ordered) if leftward else 0)
        for run in ordered:
            run.draw(draw, x, top + row * line_height + 0.8 * line_height)
            x += run.width


def drawable(caption: str) -> str:
    """A caption on one line, in which what no font has is named, such as `[nazar amulet]`."""
    text = unicodedata.normalize("NFC", " ".join(caption[:LONGEST].split()))
    return "".join(part if font_of(part) else _named(part) for part in clusters(text))


def _named(cluster: str) -> str:
    names = (unicodedata.name(c, "").lower() or f"U+{ord(c):04X}" for c in cluster)
    return "".join(f"[{name}]" for name in names)


def lines(text: str, width: float, most: int) -> list[str]:
    """A drawable text in at most `most` lines of `width` pixels; `…` ends one that goes on."""
    found: list[list[str]] = [[]]
    for part in _parts(text, width):
        if found[-1] and _width([*found[-1], part]) > width:
            if len(found) == most:
                found[-1] = _ended(found[-1], width)
                break
            found.append([])
        found[-1].append(part)
    return ["".join(line).strip() for line in found]


def _ended(line: Sequence[str], width: float) -> list[str]:
    """A line with `…` at its end, in place of what there is no room for."""
    kept = clusters("".join(line).rstrip())
    while kept and _width([*kept, MORE]) > width:
        kept.pop()
    return ["".join(kept).rstrip() + MORE]


def _parts(text: str, width: float) -> Iterator[str]:
    """A text in parts between which a line may break; none is wider than a line."""
    for part in _breakable(text):
        yield from [part] if _width([part]) <= width else clusters(part)


def _breakable(text: str) -> Iterator[str]:
    """Clusters joined where no line breaks: it does after a space, and beside an ideograph."""
    word, before = "", ""
    for part in clusters(text):
        wide = _is_wide(part) or _is_wide(before)
        closes = unicodedata.category(part[0])[0] in "PZ"
        if word and (before == " " or (wide and not closes)) and part != " ":
            yield word
            word = ""
        word, before = word + part, part
    if word:
        yield word


def _is_wide(cluster: str) -> bool:
    """Whether lines break beside it without a space: Korean words are kept whole."""
    wide = cluster != "" and unicodedata.east_asian_width(cluster[0]) in "FW"
    return wide and not "\uac00" <= cluster[0] <= "\ud7a3"


def _width(parts: Sequence[str]) -> float:
    return sum(run.width for run in runs("".join(parts).rstrip()))
