"""A run that was trained, or is being trained, as an object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.plans.plan import Plan
from growlang.plans.weights_header import (
    MODEL,
    PLAN,
    are_weights,
)
from growlang.tables.shown import Shown
from growlang_runtime.notebook.weights import Weights
from growlang_runtime.report.history import history_of, lines_of
from growlang_runtime.storage import weights as storage
from growlang_runtime.storage.place import Place, located, steps_of
from growlang_runtime.storage.run import recorded_plan

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, repr=False)
class Run(Shown):
    """A run in its folder, finished or not: its plan, metrics and weights. It prints as a table.

    What it says of steps, metrics and checkpoints is read anew each time, while training goes on.
    """

    path: Path
    plan: Plan

    @cached_property
    def net(self) -> Net:
        """The net that it trains."""
        return self.plan.child_net()

    @property
    def finished(self) -> bool:
        """Whether all its steps are done."""
        return (self.path / MODEL).exists()

    @property
    def steps(self) -> int | None:
        """Its steps in all; None where they depend on data that it has not opened yet."""
        return self.plan.steps

    @property
    def step(self) -> int:
        """The last step that its metrics tell of; 0 for a run that has just begun."""
        return history_of(self.path).step

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, the oldest first: losses have `step` and `loss`.

        A line that was cut short is left out.
        """
        return [*lines_of(self.path)]

    @property
    def losses(self) -> dict[int, float]:
        """The training loss by step, as it was logged, where it was finite."""
        return dict(history_of(self.path).training)

    @property
    def checkpoints(self) -> list[int]:
        """The steps of its checkpoints, the oldest first."""
        return steps_of(self.path)

    def weights(
        self, at: int | Literal["best"] | None = None, *, ema: bool | int = True
    ) -> Weights:
        """The averaged weights, or those that it trains if not `ema`.

        Of the checkpoint of a step if `at` says so, else the finished ones or those of the newest
        checkpoint. Raises GrowlangError if there are none.
        """
        return load_weights(located(Place(self.path, at)), ema=ema)

    def __repr__(self) -> str:
        return f"Run({self.path}: {self._state()})"

    def _state(self) -> str:
        if self.finished:
            return f"finished, {self.steps:,} steps"
        of = "" if self.steps is None else f" of {self.steps:,}"
        return f"not finished, step {self.step:,}{of}"

    def print(self, out: Console) -> None:
        """Print what it is, how far it is, its last loss and its checkpoints."""
        from growlang.tables.parts import table_of

        losses = history_of(self.path).training
        parent = self.plan.parent
        table = table_of("<run", f"<{self.path}")
        for name, value in (
            ("model", f"{self.plan.model}, {self.net.parameters:,} parameters"),
            ("recipe", f"{self.plan.recipe}: {', '.join(p.name for p in self.plan.phases)}"),
            ("grown from", f"{parent.model}, recipe {parent.recipe}" if parent else "-"),
            ("state", self._state()),
            ("last loss", f"{losses[-1].loss:.4g} at step {losses[-1].step:,}" if losses else "-"),
            ("checkpoints", ", ".join(f"{step:,}" for step in self.checkpoints) or "-"),
        ):
            table.add_row(name, value)
        out.print(table)


def load_run(path: Path) -> Run:
    """The run in a folder. Raises GrowlangError if there is none."""
    if not path.is_dir() or not (path / PLAN).exists():
        if not path.exists():
            raise GrowlangError(
                f"there is no run at {path}", help="train one: growlang.train(SPEC)"
            )
        help = "give a run's folder, such as runs/MODEL/RECIPE"
        if are_weights(path):
            help += "; growlang.load_weights reads a checkpoint or a file of weights"
        raise GrowlangError(f"{path} is not a run's folder", help=help)
    return Run(path, recorded_plan(path))


def load_weights(path: Path, *, ema: bool | int = True) -> Weights:
    """The weights at a path. Raises GrowlangError if there are none."""
    found = storage.load(path, ema=ema)
    return Weights(found, "run_hash" in found.metadata if found.step is None else ema is not False)
