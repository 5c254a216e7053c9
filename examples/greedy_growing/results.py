"""The results of an experiment: a row for each drawing of each cell, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isnan, nan
from typing import Any, NamedTuple

from finished import Loss, Speed
from metrics import Scores
from perceived import Perceived


class Row(NamedTuple):
    """One arm, trained and sampled with one seed."""

    arm: str
    """Its drawing: see `arms.LABELS`."""
    seed: int
    side: int
    """Of its images, in pixels."""
    variant: str
    """What sets its run apart from that of the arm with its spec's params."""
    params: Mapping[str, float]
    unseen: Scores
    """Of the objects that the training data has at 32 px only."""
    seen: Scores
    """Of those that it has at full size."""
    perceived: Perceived
    """Of all objects."""
    core: Scores | None = None
    """Of all objects at 32 px, drawn by the core's model with what the arm made of its core."""
    losses: tuple[Loss, ...] = ()
    """On the objects never seen at the size; empty for other drawings of a run that has a row."""
    speeds: tuple[Speed, ...] = ()
    """Of the phases of its run; empty for other drawings."""
    flops: int = 0
    """Floating-point operations of its training (`compute.training_flops`); 0 where no speeds."""


class Results(NamedTuple):
    """All rows, and what real images score by their side."""

    rows: tuple[Row, ...]
    floors: Mapping[int, Perceived]


def as_json(found: Results) -> str:
    """All of it as one JSON object."""
    told = {
        "floors": {side: floor._asdict() for side, floor in found.floors.items()},
        "rows": [_plain(row) for row in found.rows],
    }
    return json.dumps(told, indent=1, allow_nan=False) + "\n"


def _plain(row: Row) -> dict[str, Any]:
    return row._asdict() | {
        "unseen": _known(row.unseen),
        "seen": _known(row.seen),
        "perceived": row.perceived._asdict(),
        "core": row.core and _known(row.core),
        "losses": [loss._asdict() for loss in row.losses],
        "speeds": [speed._asdict() for speed in row.speeds],
    }


def _known(scores: Scores) -> dict[str, float | None]:
    """Scores, with null for the amplitude of details where the true images have none."""
    return {name: None if isnan(value) else value for name, value in scores._asdict().items()}


def _scores(told: Mapping[str, float | None]) -> Scores:
    return Scores(**{name: nan if value is None else value for name, value in told.items()})  # type: ignore[arg-type]


def from_json(text: str) -> Results:
    """What `as_json` wrote."""
    told = json.loads(text)
    floors = {int(side): Perceived(**floor) for side, floor in told["floors"].items()}
    return Results(tuple(map(_row, told["rows"])), floors)


def _row(told: Mapping[str, Any]) -> Row:
    read: dict[str, Any] = {
        "unseen": _scores(told["unseen"]),
        "seen": _scores(told["seen"]),
        "perceived": Perceived(**told["perceived"]),
        "core": told["core"] and _scores(told["core"]),
        "losses": tuple(Loss(**loss) for loss in told["losses"]),
        "speeds": tuple(Speed(**speed) for speed in told["speeds"]),
    }
    return Row(**{**told, **read})
