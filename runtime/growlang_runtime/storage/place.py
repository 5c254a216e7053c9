"""Where weights lie, as it is written: RUN, RUN@STEP or RUN@best."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.plans.weights_header import CHECKPOINTS, checkpoints_of
from growlang_runtime.storage.checkpoint import BEST, best_path, checkpoint_name

STEP = re.compile(r"([0-9][0-9_]*)([kM]?)")
TIMES = {"": 1, "k": 1000, "M": 1_000_000}
SHOWN = 8
"""Checkpoints that a message names, the newest; of the rest it gives the number."""


class Place(NamedTuple):
    """A run, and which of its checkpoints is meant."""

    run: Path
    """The run's folder; or, without `at`, whatever holds weights: a checkpoint, a file."""
    at: int | Literal["best"] | None = None
    """The checkpoint's step; None for what the run itself stands for."""

    def __str__(self) -> str:
        return str(self.run) if self.at is None else f"{self.run}@{self.at}"


def place_of(written: str | Path) -> Place:
    """The place that is written; a path that exists stands for itself, whatever signs it has.

    Raises GrowlangError if what stands behind the `@` is neither a step nor `best`.
    """
    text = str(written)
    run, sign, at = text.rpartition("@")
    if not sign or not run or Path(text).exists() or "/" in at:
        return Place(Path(text))
    if at == BEST:
        return Place(Path(run), "best")
    if step := STEP.fullmatch(at):
        return Place(Path(run), int(step[1].replace("_", "")) * TIMES[step[2]])
    raise GrowlangError(
        f"`{text}`: behind the `@` stands a step or `best`, not `{at}`",
        help=_has(Path(run)) or f"write {run}@1000, or {run}@best",
    )


def located(written: str | Path | Place) -> Path:
    """The path of a place: a checkpoint's folder where one is named, else the path as it is.

    Raises GrowlangError if the run is not there, or has no such checkpoint; what it has is told.
    """
    place = written if isinstance(written, Place) else place_of(written)
    if place.at is None:
        return place.run
    if not place.run.is_dir():
        raise GrowlangError(
            f"there is no run at {place.run}", help="name a run's folder, such as runs/MODEL/RECIPE"
        )
    folder = place.run / CHECKPOINTS
    if place.at == BEST and (best := best_path(folder)):
        return best
    if isinstance(place.at, int) and (folder / checkpoint_name(place.at)).is_dir():
        return folder / checkpoint_name(place.at)
    what = f"of step {place.at:,}" if isinstance(place.at, int) else "`best`"
    more = "" if place.at != BEST else "; `best` is kept by recipes that say `validate`"
    raise GrowlangError(
        f"the run {place.run} has no checkpoint {what}",
        help=(_has(place.run) or "it has no checkpoints") + more,
    )


def steps_of(run: Path) -> list[int]:
    """The steps of a run's checkpoints, the first first; whether they are whole is not read."""
    found = checkpoints_of(run / CHECKPOINTS)
    return sorted(int(path.name.removeprefix("step_")) for path in found)


def _has(run: Path) -> str:
    """The checkpoints that a run has, as they are written."""
    steps = [str(step) for step in steps_of(run)]
    more = f" and {len(steps) - SHOWN} earlier ones" if len(steps) > SHOWN else ""
    names = [*steps[-SHOWN:], *([BEST] if (run / CHECKPOINTS / BEST).is_dir() else [])]
    return f"it has {', '.join(f'@{name}' for name in names)}{more}" if names else ""
