"""Grow a small GPT in depth and width, and from scratch at equal compute: curves of the loss.

Run `make proof-text` in the project's root. A way whose run is finished is not run again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

sys.path.append(str(Path(__file__).parents[1] / "greedy_growing"))

from cells import train_spec
from curves import as_json, curve_of, picture, table
from pool import run_all
from tables import as_markdown, printed
from texts import require_texts
from ways import Way, spec_of

from growlang.atomic import write_text
from growlang.cli.console import console
from growlang.diagnostics import GrowlangError
from growlang.plans.weights_header import MODEL
from growlang_runtime.train.threads import usable_cores

SEEDS = (0, 1, 2)
STEPS, QUICK = 800, 60


def main(
    out: Annotated[Path, Option(help="Folder for text, runs, curves.")] = Path("runs/text_growth"),
    seed: Annotated[list[int] | None, Option(help="Seeds; by default 0, 1, 2.")] = None,
    way: Annotated[list[Way] | None, Option(help="Ways; by default all.")] = None,
    steps: Annotated[int, Option(help="Steps of the net from scratch.", min=20)] = STEPS,
    jobs: Annotated[int | None, Option(help="Processes; by default one a core.", min=1)] = None,
    quick: Annotated[bool, Option("--quick", help="Seed 0 and few steps, to see it work.")] = False,
    run: Annotated[bool, Option(help="Train what is missing.")] = True,
) -> None:
    """Train the ways, and write the table and the plot of all runs that are finished."""
    total = QUICK if quick else steps
    seeds = seed or (SEEDS[:1] if quick else SEEDS)
    try:
        require_texts(out / "data")
    except GrowlangError as error:
        console().print(str(error), markup=False)
        raise typer.Exit(2) from None
    cells = [(one, number) for number in seeds for one in way or list(Way)]
    if run:
        tasks = {
            f"seed-{number}-{one}": partial(train, one, number, total, out) for one, number in cells
        }
        run_all(tasks, out / "logs", jobs or usable_cores())
    write(cells, total, out)


def train(way: Way, seed: int, total: int, out: Path) -> None:
    """Train a way unless it is trained, and what it grows from before it."""
    train_spec(spec_of(way, seed, total), None, "main", folder_of(way, seed, out), out / "data")


def folder_of(way: Way, seed: int, out: Path) -> Path:
    """Where the runs of a way and a seed are: each way trains a source of its own."""
    return out / f"seed-{seed}" / way


def write(cells: Sequence[tuple[Way, int]], total: int, out: Path) -> None:
    """Write proof.json, proof.md and proof.svg of the finished runs, and print the table."""
    found = []
    for way, seed in cells:
        spec, folder = spec_of(way, seed, total), folder_of(way, seed, out)
        if (folder / spec.name / "main" / MODEL).exists():
            found.append(curve_of(way, seed, spec, folder))
    made = table(found)
    write_text(out / "proof.json", as_json(found))
    write_text(out / "proof.md", as_markdown([made]))
    write_text(out / "proof.svg", picture(found))
    console().print(printed(made))


if __name__ == "__main__":
    typer.run(main)
