"""What the three seeds of `measure.py` leave open: equal compute, learning rates, and 128 px.

Run `make proof-full` after `make proof`, in the same folder, whose cores and runs it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from arms import LABELS, RECIPES, Arm
from cells import Cell
from compute import training_flops
from measure import carry_out, write, write_charts
from pool import cores
from results import Results, Row
from scoring import measured
from sets import LARGER, prepare, shard
from tables import Table, printed, scored, spread, tables
from typer import Option

import growlang
from growlang.cli.console import console

RATES = (1e-3, 3e-3, 9e-3)
"""Learning rates; that of the specs is the second."""
USUAL = RATES[1]
EQUAL = "equal_compute"
OTHERS = tuple(arm for arm in Arm if arm is not Arm.core)


def main(
    out: Annotated[Path, Option(help="Folder of `measure.py`.")] = Path("runs/greedy_growing"),
    seed: Annotated[list[int] | None, Option(help="Seeds; by default 0.")] = None,
    core_steps: Annotated[int, Option(help="As in `measure.py`.", min=1)] = 2000,
    steps: Annotated[int, Option(help="As in `measure.py`.", min=2)] = 1400,
    sampler_steps: Annotated[int | None, Option(help="As in `measure.py`.", min=1)] = None,
    draws: Annotated[int, Option(help="Samples of each object.", min=1)] = 2,
    jobs: Annotated[int | None, Option(help="Processes; by default one a core.", min=1)] = None,
    run: Annotated[bool, Option(help="Train and sample what is missing.")] = True,
) -> None:
    """Train and sample the arms at equal compute, at other learning rates, and at 128 px."""
    for side in (64, LARGER):
        if not (out / "data" / shard("reference", side)).exists():
            prepare(out / "data", side)
    seeds = seed or [0]
    parts = {
        "equal_compute": equal_compute(seeds, core_steps, steps),
        "learning_rates": learning_rates(seeds[:1], core_steps, steps),
        "second_growth": second_growth(seeds, core_steps, steps),
    }
    for name, cells in parts.items():
        if run:
            carry_out(cells, out, draws, sampler_steps, jobs or cores())
        found = measured(cells, out)
        rates = name == "learning_rates"
        made = [rates_table(found)] if rates else tables(found)
        write(found, made, out, name)
        if not rates:
            write_charts(found, out, name)
        console().print(*map(printed, made), sep="\n\n")


def equal_compute(seeds: Sequence[int], core_steps: int, steps: int) -> list[Cell]:
    """Arms with as many steps as the operations of a core and a joint arm of `steps` pay for.

    Those of a core's training count for the arms that start from it.
    """
    core = (("core_steps", core_steps),)
    paid = flops(Cell(Arm.core, 0, core))
    budget = paid + flops(Cell(Arm.joint, 0, (*core, ("steps", steps))))
    cells = []
    for arm in OTHERS:
        each = flops(Cell(arm, 0, (*core, ("steps", steps)))) / steps
        left = budget if arm is Arm.scratch else budget - paid
        paid_for = 2 * round(left / each / 2)
        variant = "" if paid_for == steps else EQUAL
        cells += [Cell(arm, seed, (*core, ("steps", paid_for)), variant=variant) for seed in seeds]
    return cells


def learning_rates(seeds: Sequence[int], core_steps: int, steps: int) -> list[Cell]:
    """Each arm at several rates; with that of the specs it is the run that `measure.py` trains."""
    cells = []
    for arm in OTHERS:
        usual = (("core_steps", core_steps), ("steps", steps))
        for rate in RATES:
            params = usual if rate == USUAL else (*usual, ("lr", rate))
            variant = "" if rate == USUAL else f"lr_{rate:g}"
            cells += [Cell(arm, seed, params, variant=variant) for seed in seeds]
    return cells


def second_growth(seeds: Sequence[int], core_steps: int, steps: int) -> list[Cell]:
    """Each arm grown once more, to 128 px, from its own run at 64 px; and the core."""
    core = (("core_steps", core_steps),)
    params = (*core, ("steps", steps))
    return [
        Cell(arm, seed, core if arm is Arm.core else params, LARGER)
        for arm in Arm
        for seed in seeds
    ]


@cache
def flops(cell: Cell) -> int:
    """Of a cell's training."""
    return training_flops(growlang.plan(cell.spec(), RECIPES[cell.arm].name))


def rates_table(found: Results) -> Table:
    """A line for each arm and rate: its scores on both halves, and its held-out loss."""
    head = [
        "arm",
        "learning rate",
        "never seen: retrieval@1",
        "error",
        "seen: error",
        "loss x 1000",
    ]
    lines = [
        [LABELS[arm], f"{rate:g}", *_line(rows)]
        for arm in map(str, OTHERS)
        for rate in RATES
        if (rows := [r for r in found.rows if r.arm == arm and r.params.get("lr", USUAL) == rate])
    ]
    return Table("Learning rates", head, lines)


def _line(rows: Sequence[Row]) -> list[str]:
    unseen, seen = scored(rows, "unseen"), scored(rows, "seen")
    losses = [1000 * sum(level.loss for level in row.losses) / len(row.losses) for row in rows]
    return [*unseen[:2], seen[1], spread(losses, 1)]


if __name__ == "__main__":
    typer.run(main)
