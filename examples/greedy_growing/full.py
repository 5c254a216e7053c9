"""What the three seeds of `measure.py` leave open: equal compute, learning rates, and 128 px.

Run `make proof-full` after `make proof`, in the same folder, whose cores and runs it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from statistics import mean
from typing import Annotated

import typer
from arms import DRAWINGS, LABELS, PATH, Arm
from cells import Cell
from compute import flops
from measure import carry_out, write, write_charts
from results import Results, Row
from scoring import measured
from sets import LARGE, LARGER, require_sets
from tables import Table, printed, scored, spread, tables
from typer import Option

from growlang.cli.console import console
from growlang_runtime.train.threads import usable_cores

RATES = (1e-3, 3e-3, 9e-3)
"""Learning rates; that of the specs is the second."""
USUAL = RATES[1]
SHARES = (0.1, 0.5, 0.8)
"""Of images without their caption in the training of detail; that of the spec is the second."""
OTHERS = tuple(arm for arm in Arm if arm is not Arm.core)


class Part(StrEnum):
    """What is compared."""

    equal_compute = "equal_compute"
    captions = "captions"
    learning_rates = "learning_rates"
    second_growth = "second_growth"


def main(
    out: Annotated[Path, Option(help="Folder of `measure.py`.")] = Path("runs/greedy_growing"),
    seed: Annotated[list[int] | None, Option(help="Seeds; by default 0.")] = None,
    core_steps: Annotated[int, Option(help="As in `measure.py`.", min=1)] = 2000,
    steps: Annotated[int, Option(help="As in `measure.py`.", min=2)] = 1400,
    sampler_steps: Annotated[int | None, Option(help="As in `measure.py`.", min=1)] = None,
    draws: Annotated[int, Option(help="Samples of each object.", min=1)] = 2,
    jobs: Annotated[int | None, Option(help="Processes; by default one a core.", min=1)] = None,
    run: Annotated[bool, Option(help="Train and sample what is missing.")] = True,
    part: Annotated[list[Part] | None, Option(help="By default all, in this order.")] = None,
) -> None:
    """Train and sample the arms at equal compute, at other learning rates, and at 128 px."""
    for side in (LARGE, LARGER):
        require_sets(out / "data", side)
    for name in part or list(Part):
        cells = CELLS[name](seed or [0], core_steps, steps)
        if run:
            carry_out(cells, out, draws, sampler_steps, jobs or usable_cores())
        found = measured(cells, out)
        made = tables_of(name, found)
        write(found, made, out, name)
        if name not in VARIED:
            write_charts(found, out, name)
        console().print(*map(printed, made), sep="\n\n")


def equal_compute(seeds: Sequence[int], core_steps: int, steps: int) -> list[Cell]:
    """Arms with as many steps as the operations of a core and a joint arm of `steps` pay for.

    Those of a core's training count for the arms that start from it.
    """
    core = (("core_steps", core_steps),)
    paid = flops(Cell(Arm.core, 0, core))
    budget = paid + flops(Cell(Arm.joint, 0, (*core, ("steps", steps))))
    cells = [Cell(Arm.core, seed, core) for seed in seeds]
    for arm in OTHERS:
        each = flops(Cell(arm, 0, (*core, ("steps", steps)))) / steps
        left = budget if arm is Arm.scratch else budget - paid
        paid_for = 2 * round(left / each / 2)
        variant = "" if paid_for == steps else str(Part.equal_compute)
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


def without_captions(seeds: Sequence[int], core_steps: int, steps: int) -> list[Cell]:
    """`retain` with several shares of images whose caption the detail does not see."""
    usual = (("core_steps", core_steps), ("steps", steps))
    return [
        Cell(
            Arm.retain,
            seed,
            usual if share == SHARES[1] else (*usual, ("drop", share)),
            variant="" if share == SHARES[1] else f"drop_{share:g}",
        )
        for share in SHARES
        for seed in seeds
    ]


def second_growth(seeds: Sequence[int], core_steps: int, steps: int) -> list[Cell]:
    """Each arm grown once more, to 128 px, from its own run at 64 px; and the core."""
    core = (("core_steps", core_steps),)
    params = (*core, ("steps", steps))
    return [
        Cell(arm, seed, core if arm is Arm.core else params, LARGER)
        for arm in Arm
        for seed in seeds
    ]


def tables_of(name: str, found: Results) -> list[Table]:
    """The tables of a part, by its name."""
    return [VARIED[name](found)] if name in VARIED else tables(found)


def rates_table(found: Results) -> Table:
    """A line for each arm and rate."""
    return _varied(found, "Learning rates", "lr", RATES, list(map(str, OTHERS)))


def captions_table(found: Results) -> Table:
    """A line for each drawing of `retain` and share of images without their caption."""
    arms = [*(drawing.name for drawing in DRAWINGS[Arm.retain]), PATH]
    return _varied(found, "Images without their caption", "drop", SHARES, arms)


def _varied(
    found: Results, title: str, name: str, values: Sequence[float], arms: Sequence[str]
) -> Table:
    usual = values[1]
    head = [*("arm", name, "seeds", "never seen: retrieval@1", "error", "detail")]
    head += ["seen: error", "detail", "loss x 1000"]
    lines = [
        [LABELS[arm], f"{value:g}", str(len(rows)), *_line(rows)]
        for arm in arms
        for value in values
        if (rows := [r for r in found.rows if r.arm == arm and r.params.get(name, usual) == value])
    ]
    return Table(title, head, lines)


def _line(rows: Sequence[Row]) -> list[str]:
    unseen, seen = scored(rows, "unseen"), scored(rows, "seen")
    losses = [1000 * mean(level.loss for level in row.losses) for row in rows if row.losses]
    return [*unseen[:3], *seen[1:3], spread(losses, 1) if losses else ""]


CELLS = {
    Part.equal_compute: equal_compute,
    Part.captions: without_captions,
    Part.learning_rates: learning_rates,
    Part.second_growth: second_growth,
}
"""The trainings of each part, of its seeds and their steps."""
VARIED: Mapping[str, Callable[[Results], Table]] = {
    Part.learning_rates: rates_table,
    Part.captions: captions_table,
}
"""Parts that vary one param."""

if __name__ == "__main__":
    typer.run(main)
