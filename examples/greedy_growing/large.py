"""The same on all emoji that have a name: about 1,700 objects, of which half are at 32 px only.

npm fetches the images. Objects with one first code point ("man cook", "man pilot") are all seen at
64 px, or none of them is. Run `make proof-large`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from arms import Arm
from cells import Cell, Params
from measure import carry_out, write, write_charts
from scoring import measured
from sets import is_prepared, prepare_large
from tables import printed, tables
from typer import Option

from growlang.cli.console import console
from growlang_runtime.train.threads import usable_cores

SIZE: Params = (("depth", 4), ("width", 128), ("vocabulary", 4096), ("core_batch", 64))
"""Of the core, which has more to learn than 64 objects."""
ARMS = (Arm.core, Arm.scratch, Arm.joint, Arm.greedy, Arm.bridge, Arm.retain)


def main(
    out: Annotated[Path, Option(help="Folder for data, runs, samples and tables.")] = Path(
        "runs/greedy_growing_large"
    ),
    seed: Annotated[list[int] | None, Option(help="Seeds; by default 0.")] = None,
    core_steps: Annotated[int, Option(help="Training steps of the core.", min=1)] = 2500,
    steps: Annotated[int, Option(help="Training steps of each other arm.", min=2)] = 1600,
    batch: Annotated[int, Option(help="Of each other arm.", min=1)] = 32,
    sampler_steps: Annotated[int | None, Option(help="By default the spec's.", min=1)] = None,
    draws: Annotated[int, Option(help="Samples of each object.", min=1)] = 1,
    jobs: Annotated[int | None, Option(help="Processes; by default one a core.", min=1)] = None,
    images: Annotated[Path | None, Option(help="Archive of the images, fetched before.")] = None,
    names: Annotated[Path | None, Option(help="Archive of the names, fetched before.")] = None,
    run: Annotated[bool, Option(help="Train and sample what is missing.")] = True,
) -> None:
    """Train and sample the arms on the large set, and print their tables."""
    if not is_prepared(out / "data"):
        with tempfile.TemporaryDirectory() as folder:
            prepare_large(out / "data", Path(folder), images, names)
    core = (*SIZE, ("core_steps", core_steps))
    grown = (*core, ("steps", steps), ("batch", batch))
    cells = [
        Cell(arm, one, core if arm is Arm.core else grown) for arm in ARMS for one in seed or [0]
    ]
    if run:
        carry_out(cells, out, draws, sampler_steps, jobs or usable_cores())
    found = measured(cells, out)
    made = tables(found)
    write(found, made, out, "large")
    write_charts(found, out, "large")
    console().print(*map(printed, made), sep="\n\n")


if __name__ == "__main__":
    typer.run(main)
