"""The cells of an experiment: one training each, by arm, seed and what is varied."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import typer
from arms import RECIPES, Arm
from sets import LARGE

import growlang

Params = tuple[tuple[str, float], ...]
LINES = 28
"""Of the metrics of a run, at least, unless it has fewer steps."""


class Cell(NamedTuple):
    """One training."""

    arm: Arm
    seed: int
    params: Params = ()
    """What its spec is told, beside the seed."""
    side: int = LARGE
    variant: str = ""
    """What sets it apart from the run of the same arm and seed with the spec's own params."""

    @property
    def key(self) -> str:
        """Its name among those of its seed."""
        level = () if self.side == LARGE or self.arm is Arm.core else (str(self.side),)
        return "-".join((str(self.arm), *level, *filter(None, [self.variant])))

    def folder(self, out: Path) -> Path:
        """Where runs of its seed are."""
        return out / f"seed-{self.seed}"

    def run(self, out: Path) -> Path:
        """The folder of its run."""
        recipe = RECIPES[self.arm]
        return self.folder(out) / recipe.model_at(self.side) / self.run_name

    @property
    def run_name(self) -> str:
        """What its run is called: its recipe, and its variant."""
        return "-".join(filter(None, [RECIPES[self.arm].name, self.variant]))

    def spec(self) -> growlang.Checked:
        """Its spec, with its seed and params."""
        path = RECIPES[self.arm].spec(self.side)
        return growlang.load(path, {"seed": self.seed, **dict(self.params)})


def train(cell: Cell, out: Path) -> None:
    """Train a cell unless it is trained, and its ancestors before it."""
    name = cell.run_name if cell.variant else None
    train_spec(cell.spec(), RECIPES[cell.arm].name, name, cell.folder(out), out / "data")


def train_spec(
    spec: growlang.Checked, recipe: str | None, name: str | None, out: Path, data: Path
) -> Path:
    """The run of a spec's recipe, which is trained unless it is, and its ancestors before it.

    Raises typer.Exit if a signal ends it.
    """
    steps = sum(phase.steps or 0 for phase in growlang.plan(spec, recipe).phases)
    trained = growlang.train(
        spec,
        recipe,
        name=name,
        out=out,
        data_root=data,
        resume="may",
        with_parents=True,
        log_every=max(1, min(50, steps // LINES)),
    )
    if trained.signal is not None:
        raise typer.Exit(trained.exit_status)
    return trained.run
