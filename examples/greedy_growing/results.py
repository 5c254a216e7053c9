"""The scores of all arms and seeds: as JSON, as Markdown, and as tables for the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any, NamedTuple

from metrics import Scores
from perceived import Perceived
from rich.table import Table
from runs import Speed

FORMAT_VERSION = 2


class Row(NamedTuple):
    """One arm, trained and sampled with one seed."""

    arm: str
    seed: int
    steps: int
    unseen: Scores
    """Of the objects that the training data has at 32 px only."""
    seen: Scores
    """Of those that it has at 64 px."""
    perceived: Perceived
    """Of all objects."""
    core: Scores | None = None
    """Of all objects at 32 px, drawn by the core's model with what the arm made of its core."""
    speeds: tuple[Speed, ...] = ()
    """Of the phases of its run; empty for other samples of a run that has a row."""


class Results(NamedTuple):
    """All rows, and what real images score."""

    rows: tuple[Row, ...]
    floor: Perceived


def as_json(found: Results) -> str:
    """All of it as one JSON object."""
    told = {
        "format_version": FORMAT_VERSION,
        "floor": found.floor._asdict(),
        "rows": [_plain(row) for row in found.rows],
    }
    return json.dumps(told, indent=2) + "\n"


def _plain(row: Row) -> dict[str, Any]:
    return row._asdict() | {
        "unseen": row.unseen._asdict(),
        "seen": row.seen._asdict(),
        "perceived": row.perceived._asdict(),
        "core": row.core and row.core._asdict(),
        "speeds": [speed._asdict() for speed in row.speeds],
    }


def from_json(text: str) -> Results:
    """What `as_json` wrote."""
    told = json.loads(text)
    return Results(tuple(map(_row, told["rows"])), Perceived(**told["floor"]))


def _row(told: Mapping[str, Any]) -> Row:
    read: dict[str, Any] = {
        "unseen": Scores(**told["unseen"]),
        "seen": Scores(**told["seen"]),
        "perceived": Perceived(**told["perceived"]),
        "core": told["core"] and Scores(**told["core"]),
        "speeds": tuple(Speed(**speed) for speed in told["speeds"]),
    }
    return Row(**{**told, **read})


# --- tables --------------------------------------------------------------------------------------

Lines = list[list[str]]
"""The cells of a table, its head first."""
Cells = Callable[[Sequence[Row]], list[str]]


def tables(found: Results, labels: Mapping[str, str]) -> dict[str, Lines]:
    """Each table by its title, with a line for each arm, averaged over its seeds."""
    objects = ["retrieval@1", "error", "detail", "amplitude"]
    floor = found.floor
    return {
        "Objects never seen at 64 px": _table(
            found, labels, objects, lambda rows: _scores([row.unseen for row in rows])
        ),
        "Objects seen at 64 px": _table(
            found, labels, objects, lambda rows: _scores([row.seen for row in rows])
        ),
        f"All objects (real images: fd_efflite0 {floor.distance:.1f}, align_ridge "
        f"{floor.alignment:.3f})": _table(
            found,
            labels,
            ["fd_efflite0", "align_ridge", "the core at 32 px: retrieval@1", "error"],
            _whole,
        ),
        "Speed": _table(found, labels, ["minutes", "images/s by phase"], _speed),
    }


def _table(found: Results, labels: Mapping[str, str], head: list[str], cells: Cells) -> Lines:
    grouped = {arm: [row for row in found.rows if row.arm == arm] for arm in labels}
    lines = [
        [labels[arm], str(len(rows)), *said]
        for arm, rows in grouped.items()
        if rows and any(said := cells(rows))
    ]
    return [["arm", "seeds", *head], *lines]


def _scores(some: Sequence[Scores]) -> list[str]:
    return [
        _hits(some),
        _spread([s.rmse for s in some], 4),
        _spread([s.detail for s in some], 2),
        _spread([s.amplitude for s in some], 2),
    ]


def _whole(rows: Sequence[Row]) -> list[str]:
    cores = [row.core for row in rows if row.core is not None]
    return [
        _spread([row.perceived.distance for row in rows], 1),
        _spread([row.perceived.alignment for row in rows], 3),
        *([_hits(cores), _spread([s.rmse for s in cores], 4)] if cores else ["", ""]),
    ]


def _speed(rows: Sequence[Row]) -> list[str]:
    names = [speed.phase for speed in rows[0].speeds]
    if not names:
        return []
    by_phase = [
        f"{name} {_spread([row.speeds[i].images_per_s for row in rows], 0)}"
        for i, name in enumerate(names)
    ]
    minutes = [sum(speed.seconds for speed in row.speeds) / 60 for row in rows]
    return [_spread(minutes, 1), ", ".join(by_phase)]


def _hits(some: Sequence[Scores]) -> str:
    hits = _spread([s.hits for s in some], 0 if len(some) == 1 else 1)
    return f"{hits} of {some[0].objects}"


def _spread(values: Sequence[float], places: int) -> str:
    """The mean and, of several values, their standard deviation."""
    centre = f"{mean(values):.{places}f}"
    return centre if len(values) == 1 else f"{centre} ± {stdev(values):.{places}f}"


def as_markdown(found: Results, labels: Mapping[str, str]) -> str:
    """All tables, each under its title."""
    return "\n".join(
        f"**{title}**\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in _ruled(lines))
        for title, lines in tables(found, labels).items()
    )


def _ruled(lines: Lines) -> Lines:
    return [lines[0], ["---"] * len(lines[0]), *lines[1:]]


def as_tables(found: Results, labels: Mapping[str, str]) -> list[Table]:
    """The same for the terminal."""
    made = []
    for title, (head, *lines) in tables(found, labels).items():
        table = Table(box=None, title=title, title_justify="left")
        for place, name in enumerate(head):
            table.add_column(name, justify="right" if place else "left")
        for line in lines:
            table.add_row(*line)
        made.append(table)
    return made
