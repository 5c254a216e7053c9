"""Batch 16 against 128 at the same number of images, with and without the frozen phase.

Run `make proof-full` after `make proof`, in the same folder, whose cores and runs it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Annotated, NamedTuple

import typer
from arms import LABELS, Arm
from cells import Cell
from finished import lines_of
from measure import SEEDS, carry_out, write
from plots import COLOURS, chart, label_losses
from results import Results
from scoring import measured
from sets import require_sets
from tables import Table, printed, scored, spread
from typer import Option

from growlang.atomic import write_text
from growlang.cli.console import console
from growlang.plans.weights_header import MODEL
from growlang_runtime.train.threads import usable_cores

USUAL, LARGE = 16, 128
"""Batches."""
ARMS = (Arm.joint, Arm.greedy)
"""Without and with the frozen phase."""


class Curve(NamedTuple):
    """The held-out loss of a run while it trains."""

    images: list[int]
    loss: list[float]
    grad_norm: list[float]
    """At the steps that are logged."""


def main(
    out: Annotated[Path, Option(help="Folder of `measure.py`.")] = Path("runs/greedy_growing"),
    seed: Annotated[list[int] | None, Option(help="Seeds; by default 0, 1, 2.")] = None,
    core_steps: Annotated[int, Option(help="As in `measure.py`.", min=1)] = 2000,
    steps: Annotated[int, Option(help="As in `measure.py`, with batch 16.", min=2)] = 1400,
    sampler_steps: Annotated[int | None, Option(help="As in `measure.py`.", min=1)] = None,
    draws: Annotated[int, Option(help="Samples of each object.", min=1)] = 2,
    jobs: Annotated[int | None, Option(help="Processes; by default one a core.", min=1)] = None,
    run: Annotated[bool, Option(help="Train and sample what is missing.")] = True,
) -> None:
    """Train two arms with two batches, and print how stable they were."""
    require_sets(out / "data")
    cells = cells_of(seed or SEEDS, core_steps, steps)
    if run:
        carry_out(cells, out, draws, sampler_steps, jobs or usable_cores())
    found = measured(cells, out)
    made = table(found, cells, out)
    write(found, [made], out, "batches")
    write_text(out / "batches.svg", picture(cells, out))
    console().print(printed(made))


def cells_of(seeds: Sequence[int], core_steps: int, steps: int) -> list[Cell]:
    """The cores, and both arms with both batches; batch 16 is the run that `measure.py` trains."""
    usual = (("core_steps", core_steps), ("steps", steps))
    fewer = max(2, 2 * round(steps * USUAL / LARGE / 2))
    large = (("core_steps", core_steps), ("steps", fewer), ("batch", LARGE))
    grown = [
        cell
        for arm in ARMS
        for seed in seeds
        for cell in (Cell(arm, seed, usual), Cell(arm, seed, large, variant=f"batch_{LARGE}"))
    ]
    return [*(Cell(Arm.core, seed, usual[:1]) for seed in seeds), *grown]


def table(found: Results, cells: Sequence[Cell], out: Path) -> Table:
    """A line for each arm and batch."""
    head = [
        *("arm", "batch", "seeds", "held-out loss x 1000: best", "last"),
        *("largest gradient norm / median", "seen: error", "never seen: retrieval@1", "error"),
    ]
    lines = []
    for arm in ARMS:
        for batch in (USUAL, LARGE):
            some = [cell for cell in cells if cell.arm is arm and batch_of(cell) == batch]
            rows = [row for row in found.rows if row.arm == arm and row.variant == some[0].variant]
            if rows:
                curves = [curve(cell, out) for cell in some]
                lines.append(
                    [
                        *(LABELS[arm], str(batch), str(len(rows))),
                        spread([1000 * min(one.loss) for one in curves], 1),
                        spread([1000 * one.loss[-1] for one in curves], 1),
                        spread([peak(one) for one in curves], 1),
                        scored(rows, "seen")[1],
                        *scored(rows, "unseen")[:2],
                    ]
                )
    return Table("Batch 16 and 128, at the same number of images", head, lines)


def peak(one: Curve) -> float:
    """The largest gradient norm over the median one."""
    return max(one.grad_norm) / sorted(one.grad_norm)[len(one.grad_norm) // 2]


def batch_of(cell: Cell) -> int:
    """The batch of a cell."""
    return int(dict(cell.params).get("batch", USUAL))


def curve(cell: Cell, out: Path) -> Curve:
    """What a finished run says of its validation."""
    lines = lines_of(cell.run(out))
    told = [line for line in lines if line.get("event") == "validation"]
    images = [line["step"] * batch_of(cell) for line in told]
    norms = [line["grad_norm"] for line in lines if "grad_norm" in line]
    return Curve(images, [line["averaged"] for line in told], norms)


def picture(cells: Sequence[Cell], out: Path) -> str:
    """The held-out loss over images seen: a line for each arm and batch, the mean of its seeds."""
    with chart(1, 3.4) as ((axis,), text):
        for arm in ARMS:
            for batch, style in ((USUAL, "-"), (LARGE, "--")):
                some = [cell for cell in cells if cell.arm is arm and batch_of(cell) == batch]
                curves = [curve(cell, out) for cell in some if (cell.run(out) / MODEL).exists()]
                for one in curves:
                    axis.plot(one.images, one.loss, style, color=COLOURS[arm], alpha=0.3)
                if curves:
                    losses = [one.loss for one in curves]
                    middle = [mean(column) for column in zip(*losses, strict=True)]
                    x = curves[0].images
                    axis.plot(x, middle, style, color=COLOURS[arm], label=f"{arm}, batch {batch}")
        label_losses(axis, "images seen")
    return text.getvalue()


if __name__ == "__main__":
    typer.run(main)
