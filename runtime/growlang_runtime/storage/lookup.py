"""Looks for the run of a model's recipe where `--out` does not hold it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.plans.weights_header import CHECKPOINTS, MODEL, PLAN
from growlang_runtime.storage.aside import is_aside
from growlang_runtime.storage.place import steps_of
from growlang_runtime.storage.run import OUT, run_folder

DEEPEST = 6
"""Folders below an output root in which runs are looked for."""


class Wanted(NamedTuple):
    """A run that is looked for."""

    model: str
    recipe: str
    net_hash: str


class Found(NamedTuple):
    """A run, and what is to be said of where it was found; empty where it was expected."""

    path: Path
    said: str = ""


def find(wanted: Wanted, out: Path) -> Found | None:
    """The run of a recipe: `OUT/MODEL/RECIPE`, or the only other one under `out` or `runs`.

    One that was moved aside is not looked at, nor one without weights or of another net. None where
    there is none. Raises GrowlangError where there are several, which it lists.
    """
    usual = run_folder(out, wanted.model, wanted.recipe)
    said = _said(usual)
    if usual.exists() and (said is None or said.recipe == wanted.recipe):
        return Found(usual)
    found = [run for run in _runs((out, OUT)) if _said(run) == wanted and _has_weights(run)]
    if not found:
        return None
    if found[1:]:
        listed = "".join(f"\n  {run} ({_state(run)})" for run in found)
        raise GrowlangError(
            f"{len(found)} runs may be that of the parent {wanted.model} (recipe {wanted.recipe}):"
            f"{listed}",
            help=f"name one of them: --parent-run {found[0]}",
        )
    return Found(found[0], f"parent's run: {found[0]}, the only one of {wanted.model}")


def _runs(roots: tuple[Path, ...]) -> Iterator[Path]:
    """The folders of runs below several roots, each once, but those that were moved aside."""
    found = (run for root in roots for run in runs_under(root))
    return each_once(run for run in found if not is_aside(run))


def each_once(runs: Iterable[Path]) -> Iterator[Path]:
    """The folders of runs without those that links lead to again."""
    seen: set[Path] = set()
    for run in runs:
        if (real := run.resolve()) not in seen:
            seen.add(real)
            yield run


def runs_under(root: Path) -> Iterator[Path]:
    """The folders with a plan in a folder and up to `DEEPEST` below it, by name; links too."""
    for folder, inside, files in os.walk(root, followlinks=True):
        path = Path(folder)
        if PLAN in files:
            inside.clear()
            yield path
        elif len(path.relative_to(root).parts) >= DEEPEST:
            inside.clear()
        inside.sort()


def _said(run: Path) -> Wanted | None:
    """Whose run lies in a folder; None where no plan says it."""
    try:
        plan = json.loads((run / PLAN).read_text(encoding="utf-8"))
        return Wanted(plan["model"], plan["recipe"], plan["net_hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _has_weights(run: Path) -> bool:
    return (run / MODEL).exists() or bool(steps_of(run))


def _state(run: Path) -> str:
    """How far a run came."""
    if (run / MODEL).exists():
        return "finished"
    steps = steps_of(run)
    return f"at step {steps[-1]}" if steps else f"without {CHECKPOINTS}"
