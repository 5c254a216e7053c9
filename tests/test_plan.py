from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixture_specs import SHIPPED, SPECS, checked

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.planning import plan
from growlang.plans.plan import Plan

ALL = [*sorted(SHIPPED.glob("*.grow")), *(SPECS / f"{n}.grow" for n in ("core", "child", "blocks"))]


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_json_and_back_is_the_same_plan(path: Path) -> None:
    found = checked(path)
    for recipe in found.resolved.recipes:
        made = plan(found, recipe.name)
        assert Plan.model_validate_json(made.model_dump_json()) == made
        assert made.child_net() == found.net
        assert made.net_hash == made.child_net().net_hash


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_json_and_back_is_the_same_net(path: Path) -> None:
    net = checked(path).net
    text = json.dumps(net.to_json())
    back = Net.from_json(json.loads(text))
    assert back == net
    assert back.net_hash == net.net_hash
    assert json.dumps(back.to_json()) == text
    assert [n.span for n in back.nodes] == [n.span for n in net.nodes]


def test_a_child_starts_from_its_parents_first_recipe() -> None:
    found = checked(SPECS / "child.grow")
    made = plan(found)
    assert made.recipe == "grown"
    assert (made.start.origin, made.start.recipe, made.start.ema) == ("parent", "first", True)
    assert made.parent is not None
    assert found.parent is not None
    assert (made.parent.model, made.parent.recipe) == ("small", "first")
    assert made.parent_net() == found.parent.net
    assert made.parent.spec_hash == found.parent.resolved.spec_hash
    assert made.mapping == found.mapping


def test_a_recipe_may_start_from_another_one_of_the_parent() -> None:
    made = plan(checked(SPECS / "child.grow"), "raw")
    assert made.parent is not None
    assert made.parent.recipe == made.start.recipe == "second"
    assert made.start.ema is False


def test_from_scratch_there_is_no_parent_and_everything_is_new() -> None:
    made = plan(checked(SPECS / "child.grow"), "scratch")
    assert made.parent is None
    assert made.parent_net() is None
    assert {e.category for e in made.mapping} == {"initialised"}
    assert [e.name for e in made.mapping] == list(made.child_net().table)


def test_an_unknown_recipe_names_those_that_there_are() -> None:
    with pytest.raises(GrowlangError, match="no recipe `grwn`") as error:
        plan(checked(SPECS / "child.grow"), "grwn")
    assert error.value.help == "its recipes: grown, raw, scratch"


def test_a_spec_without_a_recipe_cannot_be_planned(tmp_path: Path) -> None:
    path = tmp_path / "a.grow"
    path.write_text("grow 1 model m { image = image(8) stem conv(4) core norm head conv(3) }")
    with pytest.raises(GrowlangError, match="has no recipe"):
        plan(checked(path))


def test_the_plan_hash_is_of_the_recipe_and_of_what_was_read() -> None:
    found = checked(SPECS / "child.grow")
    grown, raw = plan(found, "grown"), plan(found, "raw")
    assert grown.plan_hash == plan(found, "grown").plan_hash
    assert grown.plan_hash != raw.plan_hash
    assert grown.parent is not None
    read = grown.parent.model_copy(update={"weights_hash": "0" * 64})
    assert grown.model_copy(update={"parent": read}).plan_hash != grown.plan_hash


def test_the_plan_keeps_what_was_asked() -> None:
    made = plan(checked(SPECS / "core.grow", width="8"))
    assert made.params == {"width": "8"}
    said = (SPECS / "core.grow").read_text()
    assert made.source == said.replace("param width = 16", "param width = 8")
    assert made.sample.guidance == 2.0
