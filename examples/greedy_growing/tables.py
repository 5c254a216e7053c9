"""Tables of results: as Markdown, and for the terminal.

Each line averages over the seeds of one arm, and says over how many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean, stdev
from typing import NamedTuple

from arms import LABELS
from metrics import Scores
from results import Results, Row
from rich.table import Table as Printed

Cells = Callable[[Sequence[Row]], list[str]]
"""The cells of a line, of the rows that it averages; empty if it has nothing to say."""


class Table(NamedTuple):
    """Lines of cells below a head."""

    title: str
    head: list[str]
    lines: list[list[str]]


def tables(found: Results) -> list[Table]:
    """Those of one resolution and one variant: the arms by what they drew, and how they trained."""
    side = found.rows[0].side
    floor = found.floors[side]
    real = f"real images: fd_efflite0 {floor.distance:.2f}, align_ridge {floor.alignment:.3f}"
    objects = ["retrieval@1", "error", "detail", "amplitude"]
    whole = ["fd_efflite0", "align_ridge", "the core at 32 px: retrieval@1", "error"]
    levels = next((row.losses for row in found.rows if row.losses), ())
    at = [f"log-SNR {level.log_snr:.1f}" for level in levels]
    return [
        _by_arm(found, f"Objects never seen at {side} px", objects, lambda r: scored(r, "unseen")),
        _by_arm(found, f"Objects seen at {side} px", objects, lambda r: scored(r, "seen")),
        _by_arm(found, f"All objects ({real})", whole, _whole),
        _by_arm(found, f"Loss x 1000 on objects never seen at {side} px", ["mean", *at], _losses),
        _by_arm(found, "Training", ["TFLOP", "minutes", "images/s by phase"], _speed),
    ]


def _by_arm(found: Results, title: str, head: list[str], cells: Cells) -> Table:
    grouped = {arm: [row for row in found.rows if row.arm == arm] for arm in LABELS}
    lines = [
        [LABELS[arm], str(len(rows)), *said]
        for arm, rows in grouped.items()
        if rows and any(said := cells(rows))
    ]
    return Table(title, ["arm", "seeds", *head], lines)


def scored(rows: Sequence[Row], which: str) -> list[str]:
    """Retrieval@1, error, detail and amplitude of the objects `seen` or `unseen`."""
    some: list[Scores] = [getattr(row, which) for row in rows]
    return [
        _hits(some),
        spread([s.rmse for s in some], 4),
        spread([s.detail for s in some], 2),
        spread([s.amplitude for s in some], 2),
    ]


def _whole(rows: Sequence[Row]) -> list[str]:
    cores = [row.core for row in rows if row.core is not None]
    return [
        spread([row.perceived.distance for row in rows], 2),
        spread([row.perceived.alignment for row in rows], 3),
        *([_hits(cores), spread([s.rmse for s in cores], 4)] if cores else ["", ""]),
    ]


def _losses(rows: Sequence[Row]) -> list[str]:
    if not all(row.losses for row in rows):
        return []
    means = [1000 * mean(level.loss for level in row.losses) for row in rows]
    each = zip(*(row.losses for row in rows), strict=True)
    levels = [spread([1000 * level.loss for level in levels], 1) for levels in each]
    return [spread(means, 1), *levels]


def _speed(rows: Sequence[Row]) -> list[str]:
    names = [speed.phase for speed in rows[0].speeds]
    if not names:
        return []
    by_phase = [
        f"{name} {spread([row.speeds[i].images_per_s for row in rows], 0)}"
        for i, name in enumerate(names)
    ]
    minutes = [sum(speed.seconds for speed in row.speeds) / 60 for row in rows]
    return [f"{rows[0].flops / 1e12:.1f}", spread(minutes, 1), ", ".join(by_phase)]


def _hits(some: Sequence[Scores]) -> str:
    return f"{spread([s.hits for s in some], 1)} of {some[0].objects}"


def spread(values: Sequence[float], places: int) -> str:
    """The mean and, of several values, their standard deviation."""
    centre = f"{mean(values):.{places}f}"
    return centre if len(values) == 1 else f"{centre} ± {stdev(values):.{places}f}"


def as_markdown(some: Sequence[Table]) -> str:
    """All tables, each under its title."""
    return "\n".join(
        f"**{table.title}**\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in _ruled(table))
        for table in some
    )


def _ruled(table: Table) -> list[list[str]]:
    return [table.head, ["---"] * len(table.head), *table.lines]


def printed(table: Table) -> Printed:
    """The same for the terminal."""
    made = Printed(box=None, title=table.title, title_justify="left")
    for place, name in enumerate(table.head):
        made.add_column(name, justify="right" if place else "left")
    for line in table.lines:
        made.add_row(*line)
    return made
