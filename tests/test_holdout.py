"""What a recipe holds out: as both syntaxes say it, resolved, and in hashes."""

from pathlib import Path

import pytest
from fixture_specs import SPECS, checked, edited, findings

from growlang.planning import plan
from growlang.syntax.grow import read
from growlang.tools.show import show
from growlang.yaml.convert import to_yaml

WATCHED = SPECS / "watched.grow"


def test_a_share_is_held_out_of_every_source_of_the_recipe() -> None:
    found = plan(checked(WATCHED))
    assert found.validation is not None
    assert [source.holdout for source in found.validation.data] == [0.02]
    drawn = [s for phase in found.phases for s in phase.settings.data]
    assert {(s.name, s.holdout) for s in drawn} == {("images", 0.02), ("apart", 0.02)}


def test_a_recipe_replaces_what_it_inherits() -> None:
    found = plan(checked(WATCHED), "apart")
    assert found.validation is not None
    assert [(s.name, s.share) for s in found.validation.data] == [("apart", 0.5), ("wide", 0.5)]
    assert [s.holdout for s in found.phases[0].settings.data] == [0]
    assert plan(checked(WATCHED), "none").validation is None


def test_a_child_holds_out_what_its_parent_does(tmp_path: Path) -> None:
    (tmp_path / "watched.grow").write_text(WATCHED.read_text())
    child = tmp_path / "child.grow"
    child.write_text(
        'grow 1\nmodel child grows "watched.grow" { keep all }\n'
        "train { start = parent  phase main for 1k }\n"
    )
    validation = plan(checked(child)).validation
    assert validation is not None
    assert validation.holdout == 0.02


@pytest.mark.parametrize("kind", ["shown", "converted"])
def test_it_is_the_same_in_every_form(kind: str, tmp_path: Path) -> None:
    spec = checked(WATCHED)
    again = tmp_path / ("spec.grow" if kind == "shown" else "spec.grow.yaml")
    if kind == "shown":
        again.write_text(show(spec.resolved, origin=False))
    else:
        document = read(WATCHED.read_text(), str(WATCHED)).result
        assert document is not None
        again.write_text(to_yaml(document))
    assert checked(again).resolved.spec_hash == spec.resolved.spec_hash


def test_validating_elsewhere_leaves_the_run_the_same_and_a_share_does_not(tmp_path: Path) -> None:
    without, elsewhere = plan(checked(WATCHED), "none"), plan(checked(WATCHED), "apart")
    assert without.run_hash == elsewhere.run_hash
    more = edited(WATCHED, tmp_path / "more.grow", ("holdout = 2%", "holdout = 5%"))
    assert plan(checked(WATCHED)).run_hash != plan(checked(more)).run_hash


@pytest.mark.parametrize("value", ["-1%", "1.0", "true", '"2%"', "[1]"])
def test_a_share_is_a_number_below_one(value: str, tmp_path: Path) -> None:
    path = edited(WATCHED, tmp_path / "spec.grow", ("holdout = 2%", f"holdout = {value}"))
    assert [found.code for found in findings(path)] == ["G201"]
