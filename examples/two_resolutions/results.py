"""The scores of all arms and seeds: as JSON, as Markdown, and as a table for the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import NamedTuple

from metrics import Scores
from rich.table import Table

FORMAT_VERSION = 1
COLUMNS = ("retrieval@1", "error", "detail")
HALVES = ("never seen at 64 px", "seen at 64 px")


class Row(NamedTuple):
    """One arm, trained and sampled with one seed."""

    arm: str
    seed: int
    steps: int
    unseen: Scores
    """Of the objects that the training data has at 32 px only."""
    seen: Scores
    """Of those that it has at 64 px."""


def as_json(rows: Sequence[Row]) -> str:
    """All rows as one JSON object."""
    found = [
        row._asdict() | {"unseen": row.unseen._asdict(), "seen": row.seen._asdict()} for row in rows
    ]
    return json.dumps({"format_version": FORMAT_VERSION, "rows": found}, indent=2) + "\n"


def from_json(text: str) -> list[Row]:
    """The rows that `as_json` wrote."""
    return [
        Row(**row | {half: Scores(**row[half]) for half in ("unseen", "seen")})
        for row in json.loads(text)["rows"]
    ]


def as_markdown(rows: Sequence[Row], labels: Mapping[str, str]) -> str:
    """A table with a line for each arm, averaged over its seeds."""
    first, second = ([f"{half}: {COLUMNS[0]}", *COLUMNS[1:]] for half in HALVES)
    lines = [["arm", "seeds", *first, *second], ["---"] * 8, *_lines(rows, labels)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def as_table(rows: Sequence[Row], labels: Mapping[str, str]) -> Table:
    """The same for the terminal."""
    table = Table(box=None)
    table.add_column("arm\n")
    table.add_column("seeds\n", justify="right")
    for half in HALVES:
        for place, name in enumerate(COLUMNS):
            table.add_column(f"{name}\n{'' if place else half}", justify="right")
    for line in _lines(rows, labels):
        table.add_row(*line)
    return table


def _lines(rows: Sequence[Row], labels: Mapping[str, str]) -> list[list[str]]:
    """The cells of each arm that has rows, in the order of the labels."""
    grouped = {arm: [row for row in rows if row.arm == arm] for arm in labels}
    return [
        [
            labels[arm],
            str(len(some)),
            *_cells([row.unseen for row in some]),
            *_cells([row.seen for row in some]),
        ]
        for arm, some in grouped.items()
        if some
    ]


def _cells(some: Sequence[Scores]) -> list[str]:
    hits = _spread([s.hits for s in some], 0 if len(some) == 1 else 1)
    return [
        f"{hits} of {some[0].objects}",
        _spread([s.rmse for s in some], 4),
        _spread([s.detail for s in some], 2),
    ]


def _spread(values: Sequence[float], places: int) -> str:
    """The mean and, of several values, their standard deviation."""
    centre = f"{mean(values):.{places}f}"
    return centre if len(values) == 1 else f"{centre} ± {stdev(values):.{places}f}"
