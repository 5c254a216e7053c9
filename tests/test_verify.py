"""`growlang verify` and `growlang.grow`: the report, its forms, exit statuses and messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from fixture_specs import SPECS, checked, edited, growlang

import growlang as api
from growlang.verifying import verify

GROWTH = SPECS.parent / "growth"
U, CHAIN = GROWTH / "wide_u.grow", GROWTH / "wide_chain.grow"


def test_a_grown_spec_is_verified() -> None:
    run = growlang("verify", U)
    assert (run.status, run.err) == (0, "")
    lines = [line.split() for line in run.out.splitlines()]
    assert lines[0] == ["wide_u", "grows", "from", "small_u"]
    assert ["time", "kept"] in lines and ["stage.4", "exact"] in lines
    assert any(line[:2] == ["function", "wide_u"] and line[4] == "yes" for line in lines if line)
    assert run.out.endswith("All 12 promises hold.\n")


def test_conditions_of_another_name_are_the_parents() -> None:
    run = growlang("verify", GROWTH / "renamed.grow")
    assert (run.status, run.err) == (0, "")
    lines = [" ".join(line.split()) for line in run.out.splitlines()]
    assert "caption kept the parent's `text`" in lines
    assert "species exact" in lines
    assert not any(line.endswith("dropped") for line in lines)
    assert any(line.startswith("function renamed") for line in lines)


def test_the_json_of_a_verification() -> None:
    run = growlang("verify", CHAIN, "--json")
    found = json.loads(run.out)
    assert (run.status, run.err) == (0, "")
    assert list(found) == ["format_version", "holds", "components", "promises"]
    assert (found["format_version"], found["holds"]) == (1, True)
    assert found["components"][0] == {"name": "text", "verdict": "exact", "reason": ""}
    assert all(
        list(p) == ["name", "place", "measured", "limit", "holds"] for p in found["promises"]
    )
    (function,) = (p for p in found["promises"] if p["name"] == "function")
    assert function["place"] == "wide_chain" and function["holds"] is True
    assert 0 <= function["measured"] <= function["limit"] == 1e-10


def test_a_broken_promise_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("growlang.torch_backend.verification.promises.EXACT", -1.0)
    run = growlang("verify", CHAIN)
    assert run.status == 1
    assert "2 of 9 promises do not hold" in run.out
    found = json.loads(growlang("verify", CHAIN, "--json").out)
    assert found["holds"] is False
    assert [p["name"] for p in found["promises"] if not p["holds"]] == ["function", "adjoint"]


def test_what_is_not_promised_is_said() -> None:
    found = verify(checked(GROWTH / "padded.grow"))
    assert found.holds
    (core,) = (c for c in found.components if c.name == "core")
    assert core.verdict == "inexact" and "mean square" in core.reason
    assert "function" not in {p.name for p in found.promises}
    assert found.notes == (
        "no promise that the child computes all that its parent does: `core` is inexact",
    )
    notes = verify(checked(GROWTH / "locked.grow")).notes
    assert notes == (
        "no promise that copies part in `core`, `head`, `stage[4]`, `stem`: `break` is `none`",
    )


def test_what_is_exact_to_eps_differs_by_little_more() -> None:
    found = verify(checked(GROWTH / "to_eps.grow"))
    standings = {c.name: c.verdict for c in found.components}
    assert standings["stage.8"] == "exact to eps"
    (function,) = (p for p in found.promises if p.name == "function")
    assert 1e-10 < function.measured < function.limit <= 1e-4
    assert function.holds
    assert "adjoint" not in {p.name for p in found.promises}


def test_the_papers_recipe_keeps_its_core() -> None:
    found = verify(checked(GROWTH / "paper.grow"))
    assert found.holds
    assert {c.name: c.verdict for c in found.components} == {
        **{n: "kept" for n in ("text", "label", "time", "core")},
        **{n: "new" for n in ("stem", "stage.16", "stage.8", "head")},
    }
    assert "`stem` is new, `stage[16]` is new" in found.notes[0]


def test_retained_ends_keep_the_means(tmp_path: Path) -> None:
    middle = SPECS.parent / "retain" / "middle.grow"
    found = verify(checked(middle))
    assert found.holds and "means" in {p.name for p in found.promises}
    assert "retained" in {c.verdict for c in found.components}
    released = edited(
        middle,
        tmp_path / "released.grow",
        ('"base.grow"', f'"{SPECS.parent / "retain" / "base.grow"}"'),
        ("phase all for 3", "phase all for 3 { train core }"),
    )
    assert verify(checked(released)).notes[1:] == (
        "phase `all` of recipe `main` trains what is retained: from then on, no promise of `means`",
    )


# --- what keeps it from running ------------------------------------------------------------------


def test_a_spec_without_a_parent_is_refused() -> None:
    run = growlang("verify", GROWTH / "small_u.grow")
    assert (run.status, run.out) == (2, "")
    assert "the model `small_u` has no parent, so that nothing grows" in run.err


def test_a_spec_with_errors_exits_1() -> None:
    run = growlang("verify", SPECS.parent / "errors" / "g301_unaccounted.grow")
    assert (run.status, run.out) == (1, "") and "error[G301]" in run.err


def test_a_device_that_is_not_there_is_refused() -> None:
    run = growlang("verify", U, "--device", "cuda:7")
    assert (run.status, run.out) == (2, "")
    assert "no device `cuda:7` on this machine" in run.err


def test_weights_are_those_of_the_parent(tmp_path: Path) -> None:
    parent = api.compile(GROWTH / "small_u.grow")
    path = parent.save(tmp_path / "own.safetensors", parent.module(seed=3))
    assert growlang("verify", U, "--parent-checkpoint", path).status == 0
    run = growlang("verify", CHAIN, "--parent-checkpoint", path)
    assert (run.status, run.out) == (2, "")
    assert "own.safetensors contains small_u with net_hash" in run.err
    assert "(the parent small_chain) has net_hash" in run.err
    assert growlang("verify", U, "--parent-checkpoint", tmp_path / "none").status == 2


def test_params_are_set(tmp_path: Path) -> None:
    child = edited(U, tmp_path / "child.grow", ("residual(16) * 2", "residual(16) * n"))
    text = child.read_text().replace('"small_u.grow"', f'"{GROWTH / "small_u.grow"}"')
    child.write_text(text.replace("model wide_u", "param n = 2\n\nmodel wide_u"))
    assert growlang("verify", child, "--set", "n=3", "--json").status == 0
    assert "has no param `m`" in growlang("verify", child, "--set", "m=3").err


# --- Python --------------------------------------------------------------------------------------


def test_grow_gives_a_mapping_that_is_applied_and_verified() -> None:
    mapping = api.grow(GROWTH / "small_u.grow", U)
    assert mapping == api.load(U).mapping
    parent = api.compile(GROWTH / "small_u.grow").module(seed=1).state_dict()
    child = mapping.apply(parent)
    assert child.keys() == api.load(U).net.table.keys()
    found = mapping.verify(parent)
    assert found.holds and repr(found) == "Verification(wide_u grows from small_u: all hold)"
    assert str(found).splitlines()[0] == "wide_u grows from small_u"
    assert [type(m).__name__ for m in (mapping.only([*child][:2]), mapping.of_child)] == [
        "GrownMapping",
        "GrownMapping",
    ]


def test_grow_wants_a_child_and_its_parent() -> None:
    with pytest.raises(api.GrowlangError, match=r"wide_u does not grow from .*small_chain\.grow"):
        api.grow(GROWTH / "small_chain.grow", U)
    with pytest.raises(api.GrowlangError, match="has no parent, so that nothing grows"):
        api.grow(U, GROWTH / "small_u.grow")
    assert api.grow(api.load(GROWTH / "small_u.grow"), api.load(U)) == api.load(U).mapping
    with pytest.raises(api.GrowlangError, match="does not grow from"):
        api.grow(api.load(GROWTH / "small_chain.grow"), U)


def test_weights_of_another_net_are_refused() -> None:
    other = api.compile(GROWTH / "small_chain.grow").module().state_dict()
    with pytest.raises(api.GrowlangError, match="the weights do not fit the parent small_u:"):
        api.grow(GROWTH / "small_u.grow", U).verify(other)
    nothing: dict[str, torch.Tensor] = {}
    with pytest.raises(api.GrowlangError, match="the weights do not fit the parent small_u:"):
        api.grow(GROWTH / "small_u.grow", U).verify(nothing)
