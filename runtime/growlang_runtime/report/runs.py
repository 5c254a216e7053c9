"""The runs in a folder: what each trains, how far it came, and how it fares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang.plans.tensor_file import read_header
from growlang.plans.weights_header import CHECKPOINTS, MODEL, checkpoints_of
from growlang.shown import Shown
from growlang.tables import table_of
from growlang_runtime.report.history import Curve, History, Point, history_of, lowest
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.lookup import each_once, runs_under
from growlang_runtime.storage.place import steps_of
from growlang_runtime.storage.run import is_locked, recorded_plan

FORMAT_VERSION = 1
State = Literal["running", "finished", "stopped", "torn"]
COLOURS: dict[State, str] = {
    "running": "cyan",
    "finished": "green",
    "stopped": "yellow",
    "torn": "red",
}

COLUMNS = (
    *("<run", "<model", "<recipe", "step", "loss", "validation", "best", "at step"),
    *("<state", "<parent"),
)


@dataclass(frozen=True)
class RunSummary:
    """A run: what it trains, how far it came, and how it fares."""

    path: Path
    state: State
    """Torn: its plan, its finished weights or its newest checkpoint cannot be read whole."""
    model: str | None
    recipe: str | None
    step: int
    """The last step that is done."""
    steps: int | None
    """Steps of all phases; None where they are not known."""
    history: History
    parent: str
    """What its weights come from: a parent's run or, with `@`, a checkpoint of another one."""
    remark: str = ""
    """Why it is torn."""

    @property
    def watched(self) -> Curve:
        """The curve by which it is judged: that of validation, if there is one."""
        return self.history.averaged or self.history.training

    def as_json(self) -> dict[str, Any]:
        """All of it; losses are null where there are none."""
        curves = {"loss": self.history.training, "validation": self.history.averaged}
        return {
            "path": str(self.path),
            "model": self.model,
            "recipe": self.recipe,
            "step": self.step,
            "steps": self.steps,
            "state": self.state,
            "parent": self.parent or None,
            "remark": self.remark or None,
            **{name: _ends(curve) for name, curve in curves.items()},
        }


@dataclass(frozen=True, repr=False)
class Runs(Shown):
    """The runs in a folder, by their paths; its text is that of `growlang runs`."""

    folder: Path
    runs: tuple[RunSummary, ...]

    def __repr__(self) -> str:
        return f"Runs({self.folder}: {len(self.runs)})"

    def as_json(self) -> dict[str, Any]:
        """With a `format_version`: `runs`."""
        return {"format_version": FORMAT_VERSION, "runs": [run.as_json() for run in self.runs]}

    def print(self, out: Console) -> None:
        """A line for each run."""
        if not self.runs:
            out.print(f"no runs in {self.folder}", markup=False)
            return
        table = table_of(*COLUMNS)
        for run in self.runs:
            table.add_row(*_row(run, self.folder))
        out.print(table)
        if any(run.history.averaged for run in self.runs):
            out.print("\nbest: of validation, where a run has any; otherwise of single steps")
        for run in self.runs:
            if run.remark:
                out.print(f"{run.path} is torn: {run.remark}", markup=False)


def runs_in(folder: Path) -> Runs:
    """The runs in a folder and the folders in it. Raises GrowlangError if there is no folder."""
    if not folder.is_dir():
        raise GrowlangError(
            f"there is no folder {folder}",
            help="name the folder that runs are in, as --out of `growlang train` did",
        )
    return Runs(folder, tuple(map(summary_of, each_once(runs_under(folder)))))


def summary_of(path: Path) -> RunSummary:
    """What there is to say of the run in a folder."""
    history = history_of(path)
    plan, torn = _plan(path)
    torn = torn or _damage(path)
    locked = is_locked(path)
    state: State = "stopped"
    if locked:
        state = "running"
    elif torn:
        state = "torn"
    elif (path / MODEL).exists():
        state = "finished"
    return RunSummary(
        path=path,
        state=state,
        model=plan.model if plan else None,
        recipe=plan.recipe if plan else None,
        step=max([history.step, *steps_of(path)]),
        steps=plan.steps if plan else None,
        history=history,
        parent=_parent(plan) if plan else "",
        remark="" if locked else torn,
    )


def _plan(path: Path) -> tuple[Plan | None, str]:
    try:
        return recorded_plan(path), ""
    except GrowlangError as error:
        return None, error.message


def _damage(path: Path) -> str:
    """What is wrong with the weights that a run would be used or resumed with."""
    if (path / MODEL).exists():
        try:
            read_header(path / MODEL)
        except GrowlangError as error:
            return error.message
    newest = checkpoints_of(path / CHECKPOINTS)[-1:]
    found = ((place, checkpoint.damage(place)) for place in newest)
    return next((f"{place.name}: {why}" for place, why in found if why), "")


def _parent(plan: Plan) -> str:
    if plan.branch is not None:
        return str(plan.branch)
    if plan.start.origin == "path":
        return plan.start.path or ""
    if plan.parent is None:
        return ""
    return plan.parent.run.path if plan.parent.run else f"{plan.parent.model}/{plan.parent.recipe}"


def _row(run: RunSummary, folder: Path) -> Sequence[str]:
    best, step = lowest(run.watched), f"{run.step:,}"
    if run.steps is not None:
        step += f" of {run.steps:,}"
    name = run.path.name if run.path == folder else str(run.path.relative_to(folder))
    return [
        *map(escape, (name, run.model or "?", run.recipe or "?")),
        step,
        _loss(run.history.training[-1:]),
        _loss(run.history.averaged[-1:]),
        _loss((best,) if best else ()),
        f"{best.step:,}" if best else "",
        f"[{COLOURS[run.state]}]{run.state}[/]",
        escape(run.parent),
    ]


def _loss(curve: Sequence[Point]) -> str:
    return f"{curve[0].loss:.4f}" if curve else ""


def _ends(curve: Curve) -> dict[str, float | int] | None:
    """The last and the lowest loss of a curve."""
    if (best := lowest(curve)) is None:
        return None
    return {"last": curve[-1].loss, "best": best.loss, "best_step": best.step}
