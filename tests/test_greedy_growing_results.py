"""The example with two resolutions: what its cells cost, and the tables of their results."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from fixture_specs import SHIPPED

import growlang

EXAMPLE = SHIPPED.parent / "examples" / "greedy_growing"
sys.path.append(str(EXAMPLE))

import batches  # noqa: E402
import full  # noqa: E402
import samples  # noqa: E402
import showcase  # noqa: E402
import sizes  # noqa: E402
from arms import LABELS, RECIPES, Arm  # noqa: E402
from cells import Cell  # noqa: E402
from compute import training_flops  # noqa: E402
from finished import Loss, Speed  # noqa: E402
from metrics import Scores  # noqa: E402
from perceived import Perceived  # noqa: E402
from plots import losses_chart, scores_chart  # noqa: E402
from results import Results, Row, as_json, from_json  # noqa: E402
from tables import as_markdown, printed, tables  # noqa: E402

FEW = (("core_steps", 1),)


# --- what training costs -------------------------------------------------------------------------


def plan(cell: Cell) -> growlang.Plan:
    return growlang.plan(cell.spec(), RECIPES[cell.arm].name)


def test_frozen_parts_cost_less_and_a_bridge_more() -> None:
    cells = {arm: Cell(arm, 0, (("core_steps", 8), ("steps", 8))) for arm in full.OTHERS}
    cost = {str(arm): training_flops(plan(cell)) for arm, cell in cells.items()}
    assert cost["retain"] < cost["frozen"] < cost["greedy"] < cost["joint"] == cost["scratch"]
    assert cost["bridge"] > cost["greedy"]


def test_forward_and_backward_passes_cost_three_forward_ones() -> None:
    cell = Cell(Arm.core, 0, FEW)
    forward = sum(node.flops for node in cell.spec().net.nodes) * 16
    found = training_flops(plan(cell))
    assert found == pytest.approx(3 * forward, rel=0.02)  # no gradient of the image


def test_arms_at_equal_compute_cost_the_same() -> None:
    first, *cells = full.equal_compute([0], 2000, 1400)
    assert first.arm is Arm.core
    paid = full.flops(Cell(Arm.core, 0, (("core_steps", 2000),)))
    cost = [full.flops(c) + (0 if c.arm is Arm.scratch else paid) for c in cells]
    assert max(cost) / min(cost) < 1.002
    assert [cell.key for cell in cells if not cell.variant] == ["joint"]


def test_sizes_of_the_core_cost_the_same() -> None:
    cost = [
        sizes.paid(size, 3000) * sizes.flops(size) for size in (sizes.DEPTHS[-1], sizes.WIDTHS[0])
    ]
    assert max(cost) / min(cost) < 1.002
    assert sizes.paid(sizes.USUAL, 3000) == 3000


def test_batches_are_of_as_many_images() -> None:
    first, *cells = batches.cells_of([0], 2000, 1400)
    assert first.arm is Arm.core
    seen = [dict(cell.params)["steps"] * batches.batch_of(cell) for cell in cells]
    assert max(seen) / min(seen) < 1.01
    assert {batches.batch_of(cell) for cell in cells} == {16, 128}


# --- results -------------------------------------------------------------------------------------


def row(arm: str, seed: int, variant: str = "") -> Row:
    return Row(
        arm,
        seed,
        64,
        variant,
        {"steps": 8},
        Scores(32 - seed, 32, 0.1 + seed / 100, 0.5, 1.0),
        Scores(32, 32, 0.0, 1.0, 1.0),
        Perceived(2.0, 0.5),
        Scores(64, 64, 0.25, 1.0, 1.0),
        (Loss(0.25, 3.0, 0.01), Loss(0.75, -3.0, 0.03)),
        (Speed("a", 60, 50.0), Speed("b", 30, 20.0 + seed)),
        10_700_000_000_000,
    )


def test_tables_average_over_seeds() -> None:
    found = Results((row("frozen", 0), row("frozen", 1)), {64: Perceived(1.25, 0.75)})
    assert from_json(as_json(found)) == found
    made = tables(found)
    first = ["discard, core frozen", "2"]
    assert [table.lines for table in made] == [
        [[*first, "31.5 ± 0.7 of 32", "0.1050 ± 0.0071", "0.50 ± 0.00", "1.00 ± 0.00"]],
        [[*first, "32.0 ± 0.0 of 32", "0.0000 ± 0.0000", "1.00 ± 0.00", "1.00 ± 0.00"]],
        [[*first, "2.00 ± 0.00", "0.500 ± 0.000", "64.0 ± 0.0 of 64", "0.2500 ± 0.0000"]],
        [[*first, "20.0 ± 0.0", "10.0 ± 0.0", "30.0 ± 0.0"]],
        [[*first, "10.7", "1.5 ± 0.0", "a 50 ± 0, b 20 ± 1"]],
    ]
    assert "fd_efflite0 1.25, align_ridge 0.750" in made[2].title
    assert [printed(table).row_count for table in made] == [1] * 5
    for chart in (scores_chart(found), losses_chart(found)):
        assert "<svg" in chart and ">frozen</text>" in chart and "mean of 2 runs" in chart


def committed() -> Sequence[Path]:
    others = {"lineage", "batches"}  # made of runs' files, which are not committed
    return [p for p in sorted((EXAMPLE / "results").glob("*.json")) if p.stem not in others]


@pytest.mark.parametrize("path", committed(), ids=lambda path: path.stem)
def test_the_tables_of_the_docs_are_those_of_their_numbers(path: Path) -> None:
    written = path.with_suffix(".md").read_text()
    if path.stem == "sizes":
        made = [sizes.table(sizes.from_json(path.read_text()))]
    else:
        found = from_json(path.read_text())
        made = full.tables_of(path.stem, found)
    assert written == as_markdown(made)


@pytest.mark.parametrize("path", sorted((EXAMPLE / "results").glob("*.json")), ids=lambda p: p.stem)
def test_results_are_json_that_others_read(path: Path) -> None:
    """Without NaN, which Python alone writes."""
    assert json.loads(path.read_text(), parse_constant=pytest.fail)


def test_an_amplitude_that_is_none_is_null() -> None:
    without = row("core", 0)._replace(core=Scores(64, 64, 0.25, 0.0, float("nan")))
    text = as_json(Results((without,), {}))
    assert json.loads(text)["rows"][0]["core"]["amplitude"] is None
    (found,) = from_json(text).rows
    assert found.core is not None and math.isnan(found.core.amplitude)


def test_every_label_is_of_a_drawing() -> None:
    drawn = {drawing.name for some in samples.DRAWINGS.values() for drawing in some}
    assert {*LABELS} == drawn | {"retain, low path"}
    assert {name for _, name in showcase.ROWS.values()} <= drawn
