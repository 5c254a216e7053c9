"""The runs in a folder: what each trains, how far it came, and how it fares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang.plans.tensor_file import read_header
from growlang.plans.weights_header import CHECKPOINTS, MODEL, PLAN, checkpoints_of
from growlang.tables.parts import table_of
from growlang.tables.shown import Shown
from growlang_runtime.report.display import clock_time
from growlang_runtime.report.history import Curve, History, Point, history_of, lowest
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.lookup import each_once, runs_under
from growlang_runtime.storage.place import steps_of
from growlang_runtime.storage.run import is_locked, recorded_plan
from growlang_runtime.storage.status import Status, read_status, utc_now

FORMAT_VERSION = 1
State = Literal["running", "finished", "interrupted", "killed", "stopped", "failed", "torn"]
COLOURS: dict[State, str] = {
    "running": "cyan",
    "finished": "green",
    "interrupted": "yellow",
    "killed": "yellow",
    "stopped": "yellow",
    "failed": "red",
    "torn": "red",
}
EXITS: dict[State, int] = {
    "finished": 0,
    "failed": 1,
    "torn": 1,
    "running": 3,
    "interrupted": 4,
    "killed": 4,
    "stopped": 4,
}
"""The exit status of `growlang runs --status RUN`: 3 is to be waited for, 4 to be resumed."""

RESUMED = ("interrupted", "killed", "failed")
"""States of a run that its status may have a command to continue."""
COLUMNS = (
    *("<run", "<model", "<recipe", "step", "loss", "validation", "best", "at step"),
    *("<state", "<parent"),
)


@dataclass(frozen=True, repr=False)
class RunSummary(Shown):
    """A run: what it trains, how far it came, and how it fares."""

    path: Path
    state: State
    """Torn: its plan, its finished weights or all of its checkpoints cannot be read whole.

    Interrupted by a signal, after a checkpoint; killed: its process is gone, and said nothing;
    stopped: the same of a run of 0.1, which has no status.
    """
    model: str | None
    recipe: str | None
    step: int
    """The last step that is done."""
    steps: int | None
    """Steps of all phases; None where they are not known."""
    history: History
    parent: str
    """What its weights come from: a parent's run or, with `@`, a checkpoint of another one."""
    status: Status | None = None
    """What it said of itself when it was last written; None of a run of 0.1."""
    remark: str = ""
    """Why it is torn."""

    def __repr__(self) -> str:
        return f"RunSummary({self.path}: {self.state}, step {self._step()})"

    def _step(self) -> str:
        return f"{self.step:,}" + (f" of {self.steps:,}" if self.steps is not None else "")

    @property
    def exit_status(self) -> int:
        """What `growlang runs --status` exits with."""
        return EXITS[self.state]

    def print(self, out: Console) -> None:
        """Print what it does or how it ended, and how it is continued."""
        table = table_of("<run", f"<{escape(str(self.path))}")
        for name, value in self._rows():
            table.add_row(name, value)
        out.print(table)
        if self.status is not None and self.status.command and self.state in RESUMED:
            out.print(f"\ncontinue it with: {self.status.command}", markup=False)

    def _rows(self) -> Iterator[tuple[str, str]]:
        said = self.status
        yield "state", f"[{COLOURS[self.state]}]{self.state}[/]"
        phase = f", phase {said.phase}" if said and said.phase else ""
        yield "step", escape(f"{self._step()}{phase}")
        if self.history.training:
            yield "loss", _loss(self.history.training[-1:])
        if said is not None:
            if self.state == "running" and said.images_per_s is not None:
                left = said.seconds_left
                later = f", {clock_time(left)} left" if left is not None else ""
                yield "speed", f"{said.images_per_s:.1f} images/s{later}"
            yield "process", escape(f"{said.pid} on {said.host}")
            yield "started", f"{said.started:%Y-%m-%d %H:%M:%S} UTC"
            yield "updated", f"{said.updated:%Y-%m-%d %H:%M:%S} UTC"
            if self.state == said.state and said.exit_status is not None:
                yield "exit status", str(said.exit_status)
        if reason := self.reason:
            yield "reason", escape(reason)

    @property
    def reason(self) -> str:
        """Why it is torn, was interrupted or has failed; "" where there is nothing to tell."""
        said = self.status.reason if self.status and self.state == self.status.state else ""
        return self.remark or said or ""

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
            "exit_status": self.exit_status,
            "parent": self.parent or None,
            "remark": self.remark or None,
            "status": self.status.model_dump(mode="json") if self.status else None,
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
        for run in self.runs:
            if run.remark:
                out.print(f"{run.path} is torn: {run.remark}", markup=False)
            elif run.state == "failed":
                out.print(f"{run.path} has failed: {run.reason}", markup=False)


def runs_in(folder: Path) -> Runs:
    """The runs in a folder and the folders in it. Raises GrowlangError if there is no folder."""
    if not folder.is_dir():
        raise GrowlangError(
            f"there is no folder {folder}",
            help="name the folder that runs are in, as --out of `growlang train` did",
        )
    return Runs(folder, tuple(map(summary_of, each_once(runs_under(folder)))))


def status_of(path: Path) -> RunSummary:
    """The summary of a run. Raises GrowlangError if there is none in the folder."""
    if not (path / PLAN).exists():
        raise GrowlangError(
            f"there is no run at {path}",
            help="name a run's folder, such as runs/MODEL/RECIPE; `growlang runs` lists them",
        )
    return summary_of(path)


def summary_of(path: Path) -> RunSummary:
    """What there is to say of the run in a folder."""
    locked = is_locked(path)  # before its status is read, which is written before it is unlocked
    status = read_status(path)
    locked = locked or (status is not None and status.may_run_elsewhere(utc_now()))
    history = history_of(path)
    plan, torn = _plan(path)
    torn = torn or _damage(path)
    state = "running" if locked else _state(path, status, torn)
    return RunSummary(
        path=path,
        state=state,
        model=plan.model if plan else None,
        recipe=plan.recipe if plan else None,
        step=max([history.step, *steps_of(path)]),
        steps=plan.steps if plan and plan.steps else status.steps if status else None,
        history=history,
        parent=_parent(plan) if plan else "",
        status=status,
        remark="" if state == "running" else torn,
    )


def _state(path: Path, status: Status | None, torn: str) -> State:
    """The state of a run that no process trains, by its files, and then by what it says.

    `torn` says what of it cannot be read.
    """
    if torn:
        return "torn"
    if (path / MODEL).exists():
        return "finished"
    if status is None or status.state == "finished":  # without its weights
        return "stopped"
    return "killed" if status.state == "running" else status.state


def _plan(path: Path) -> tuple[Plan | None, str]:
    try:
        return recorded_plan(path), ""
    except GrowlangError as error:
        return None, error.message


def _damage(path: Path) -> str:
    """What is wrong with the weights that a run would be used or resumed with.

    It resumes from the newest whole checkpoint, so that damage to newer ones ends no run.
    """
    if (path / MODEL).exists():
        try:
            read_header(path / MODEL)
        except GrowlangError as error:
            return error.message
    newest = ""
    for place in reversed(checkpoints_of(path / CHECKPOINTS)):
        if not (why := checkpoint.damage(place)):
            return ""
        newest = newest or f"{place.name}: {why}"
    return newest


def _parent(plan: Plan) -> str:
    if plan.branch is not None:
        return str(plan.branch)
    if plan.start.origin == "path":
        return plan.start.path or ""
    if plan.parent is None:
        return ""
    return plan.parent.run.path if plan.parent.run else f"{plan.parent.model}/{plan.parent.recipe}"


def _row(run: RunSummary, folder: Path) -> Sequence[str]:
    best, step = lowest(run.history.averaged), f"{run.step:,}"
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
