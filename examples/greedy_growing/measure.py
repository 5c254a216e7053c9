"""Train a core on two resolutions, grow it in several ways, and compare what they draw at 64 px.

Run `make proof` in the project's root, or `python examples/greedy_growing/measure.py --help`. An
arm whose run and samples exist is not run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from arms import Arm
from cells import Cell, train
from plots import losses_chart, scores_chart
from pool import run_all
from results import Results, as_json
from samples import draw
from scoring import measured
from sets import require_sets
from tables import Table, as_markdown, printed, tables
from typer import Option

from growlang.atomic import write_text
from growlang.cli.console import console
from growlang_runtime.train.threads import usable_cores


class Steps(NamedTuple):
    """How long to train and to sample, and how many samples of each object to draw."""

    core: int
    grown: int
    sampler: int | None
    draws: int


QUICK = Steps(core=600, grown=400, sampler=20, draws=1)
SEEDS = (0, 1, 2)


def main(
    out: Annotated[Path, Option(help="Folder for data, runs, samples and tables.")] = Path(
        "runs/greedy_growing"
    ),
    seed: Annotated[list[int] | None, Option(help="Seeds; by default 0, 1, 2.")] = None,
    arm: Annotated[list[Arm] | None, Option(help="Arms; by default all.")] = None,
    core_steps: Annotated[int, Option(help="Training steps of the core.", min=1)] = 2000,
    steps: Annotated[int, Option(help="Training steps of each other arm.", min=2)] = 1400,
    sampler_steps: Annotated[
        int | None, Option(help="Steps of the sampler; by default the spec's.", min=1)
    ] = None,
    draws: Annotated[int, Option(help="Samples of each object.", min=1)] = 2,
    jobs: Annotated[int | None, Option(help="Processes; by default one a core.", min=1)] = None,
    quick: Annotated[
        bool, Option("--quick", help="Seed 0 and fewer steps, for a first look.")
    ] = False,
    run: Annotated[bool, Option(help="Train and sample what is missing.")] = True,
) -> None:
    """Train and sample the arms, and print the tables of all samples that exist.

    They are also written to proof.md, with charts, and row by row to proof.json. The core is
    always run, since the others grow from it.
    """
    long = QUICK if quick else Steps(core_steps, steps, sampler_steps, draws)
    cells = cells_of(seed or (SEEDS[:1] if quick else SEEDS), arm or list(Arm), long)
    require_sets(out / "data")
    if run:
        carry_out(cells, out, long.draws, long.sampler, jobs or usable_cores())
    found = measured(cells, out)
    made = tables(found)
    write(found, made, out, "proof")
    write_charts(found, out, "proof")
    console().print(*map(printed, made), sep="\n\n")


def cells_of(seeds: Sequence[int], arms: Sequence[Arm], steps: Steps) -> list[Cell]:
    """All cells, the cores first."""
    core = (("core_steps", steps.core),)
    grown = (*core, ("steps", steps.grown))
    return [
        Cell(arm, seed, core if arm is Arm.core else grown)
        for arm in dict.fromkeys((Arm.core, *arms))
        for seed in seeds
    ]


def carry_out(
    cells: Sequence[Cell], out: Path, draws: int, sampler_steps: int | None, jobs: int
) -> None:
    """Train and sample cells: first those that others grow from, then the rest in parallel."""
    first = [cell for cell in cells if cell.arm is Arm.core]
    for some in (first, [cell for cell in cells if cell.arm is not Arm.core]):
        tasks = {
            f"seed-{cell.seed}-{cell.key}": partial(one, cell, out, draws, sampler_steps)
            for cell in some
        }
        run_all(tasks, out / "logs", jobs)


def one(cell: Cell, out: Path, draws: int, sampler_steps: int | None) -> None:
    """Train and sample a cell."""
    train(cell, out)
    draw(cell, out, draws, sampler_steps)


def write(found: Results, made: Sequence[Table], out: Path, name: str) -> None:
    """Write results as JSON and their tables as Markdown."""
    write_text(out / f"{name}.json", as_json(found))
    write_text(out / f"{name}.md", as_markdown(made))


def write_charts(found: Results, out: Path, name: str) -> None:
    """Draw the scores of the arms, and their losses by noise level."""
    write_text(out / f"{name}_scores.svg", scores_chart(found))
    write_text(out / f"{name}_losses.svg", losses_chart(found))


if __name__ == "__main__":
    typer.run(main)
