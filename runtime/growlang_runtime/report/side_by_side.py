"""Sample grids of two runs beside each other, in one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from growlang_runtime.storage.files import disk_full, saved

GAP, TITLE = 12, 24
"""Pixels between two grids, and of the line above them."""


class Grid(NamedTuple):
    """A sample grid of a run, and the step whose weights drew it."""

    path: Path
    step: int


def grids_of(run: Path, until: int | None = None) -> list[Grid]:
    """The sample grids of a run, the oldest first, up to a step."""
    named = ((p, p.stem.removeprefix("step_")) for p in (run / "samples").glob("step_*.png"))
    found = [Grid(path, int(step)) for path, step in named if step.isdecimal()]
    return sorted((g for g in found if until is None or g.step <= until), key=lambda g: g.step)


def matching(a: Sequence[Grid], b: Sequence[Grid]) -> tuple[Grid, Grid] | None:
    """A grid of each: of the last step that both have, else the last of each."""
    if not a or not b:
        return None
    common = max({g.step for g in a} & {g.step for g in b}, default=None)
    if common is None:
        return a[-1], b[-1]
    return tuple(next(g for g in grids if g.step == common) for grids in (a, b))  # type: ignore


def write_side_by_side(grids: Sequence[tuple[str, Path]], output: Path) -> None:
    """Write grids from left to right, each below its title."""
    from PIL import Image, ImageDraw

    from growlang_runtime.report.lettering import draw_caption

    sheets = [(title, Image.open(path).convert("RGB")) for title, path in grids]
    width = sum(sheet.width for _, sheet in sheets) + GAP * (len(sheets) - 1)
    height = max(sheet.height for _, sheet in sheets) + TITLE
    whole = Image.new("RGB", (width, height), "white")
    draw, left = ImageDraw.Draw(whole), 0
    for title, sheet in sheets:
        draw_caption(draw, title, (left, 2, sheet.width, TITLE - 4), TITLE - 4)
        whole.paste(sheet, (left, TITLE))
        left += sheet.width + GAP
    help = "free disk space, or choose another path with --output"
    with disk_full(output, help):
        output.parent.mkdir(parents=True, exist_ok=True)
    with saved(output, help) as temporary:
        whole.save(temporary, "png")
