"""What the compiler refuses, or takes, beyond one spelling: small edits of good specs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fixture_specs import SPECS, checked, edited, findings, growlang

from growlang.checking import check
from growlang.comparing import diff
from growlang.net import Net
from growlang.resolve.reserved import TORCH
from growlang.torch_backend.lower import lower

CORE = "transformer(width, heads = 2, attend = [self, text]) * depth"


def family(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    """The small child with edits, beside its parent."""
    (tmp_path / "core.grow").write_text((SPECS / "core.grow").read_text())
    return edited(SPECS / "child.grow", tmp_path / "child.grow", *edits)


def parent_with(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    return edited(SPECS / "core.grow", tmp_path / "core.grow", *edits)


def codes(path: Path) -> list[str]:
    return [item.code for item in findings(path)]


# --- kept components -----------------------------------------------------------------------------


def test_a_kept_core_refuses_another_meaning_of_time(tmp_path: Path) -> None:
    path = family(
        tmp_path,
        ("keep core, text, time", "keep core, text"),
        ("drop stem, head", "drop stem, head, time"),
        ("image = image(32)", "image = image(32)\n  time = fourier(16, embed = raw)"),
        ("freeze core, text, time", "freeze core, text"),
    )
    (found,) = findings(path)
    assert found.code == "G302"
    assert "embed = reference in `small` and embed = raw here" in found.message
    assert found.notes[0].span.filename == str(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('t5("t5-small", tokens = 16)', ""),
        ('t5("t5-small", tokens = 32)', "has tokens = 32 here, not 16"),
        ('t5("google/t5-v1_1-small", tokens = 16)', "has id = google/t5-v1_1-small here"),
        ('encoder("mine", width = 512)', "is encoder here, not t5"),
    ],
)
def test_a_kept_core_warns_of_another_condition(tmp_path: Path, text: str, said: str) -> None:
    words = "words(24, tokens = 5, vocabulary = 30)"
    parent_with(tmp_path, (words, 't5("t5-small", tokens = 16)'))
    path = edited(
        SPECS / "child.grow",
        tmp_path / "child.grow",
        ("keep core, text, time", "keep core, time"),
        ("drop stem, head", "drop stem, head, text"),
        ("image = image(32)", f"image = image(32)\n  text = {text}"),
        ("freeze core, text, time", "freeze core, time"),
    )
    found = findings(path)
    assert [item.code for item in found] == ["G308"] * bool(said)
    assert all(said in item.message for item in found)
    assert check(path).checked is not None


def test_a_kept_core_may_have_other_neighbours(tmp_path: Path) -> None:
    parent = parent_with(
        tmp_path,
        ("patch(4, width) | residual(width)", "patch(4, width) | transformer(width, heads = 2)"),
        ("core @ 4 ", "core "),
    )
    assert checked(parent)
    child = tmp_path / "child.grow"
    child.write_text(
        'grow 1 model child grows "core.grow" { keep core, text, time drop stem, head '
        "image = image(16) stem patch(4, 16) head unpatch(4) }"
    )
    assert codes(child) == []


def test_a_finding_about_a_kept_component_stands_at_its_keep(tmp_path: Path) -> None:
    path = family(
        tmp_path,
        ("  stage @ 8    residual(12)\n  head         unpatch(2)\n", "  head unpatch(4)\n"),
        ("  stem         patch(2, 8)\n  stage @ 16   residual(8) * 2\n", "  stem patch(4, 16)\n"),
    )
    (found,) = findings(path)
    assert (found.code, found.span.filename) == ("G204", str(path))
    assert path.read_text().splitlines()[found.span.row - 1].startswith("  keep core")
    assert found.notes[0].span.filename == str(tmp_path / "core.grow")


# --- conditions and names ------------------------------------------------------------------------


def test_a_condition_nobody_attends_to(tmp_path: Path) -> None:
    path = parent_with(tmp_path, ("attend = [self, text]", "attend = [self]"))
    (found,) = findings(path)
    assert (found.code, found.message) == ("G208", "no op attends to `text`")


def test_a_kept_condition_nobody_attends_to(tmp_path: Path) -> None:
    path = family(
        tmp_path,
        ("keep core, text, time", "keep text, time"),
        ("drop stem, head", "drop stem, head, core"),
        ("stage @ 8    residual(12)", "core @ 8 residual(12)"),
        ("{ freeze core, text, time }", ""),
    )
    (found,) = findings(path)
    assert (found.code, found.message) == ("G208", "no op attends to `text`")
    assert found.span.filename == str(path)


@pytest.mark.parametrize("name", ["class", "self", "all", "log_snr", "training", "keys"])
def test_a_condition_with_a_reserved_name(tmp_path: Path, name: str) -> None:
    path = parent_with(
        tmp_path, ("text  = words", f"{name} = words"), ("[self, text]", f"[self, {name}]")
    )
    assert "G102" in codes(path)
    assert any(f"`{name}` is reserved" in item.message for item in findings(path))


@pytest.mark.parametrize("name", ["class", "meta", "training", "forward", "graph", "code"])
def test_a_block_with_a_reserved_name(tmp_path: Path, name: str) -> None:
    path = parent_with(
        tmp_path,
        ("model small", f"block {name}(width) {{ residual(width) }}\nmodel small"),
        ("| residual(width)\n", f"| {name}(width)\n"),
    )
    (found,) = findings(path)
    assert (found.code, found.message.startswith(f"`{name}` is reserved")) == ("G102", True)


def test_the_reserved_names_hold_those_of_torch() -> None:
    code = (
        "from torch import fx, nn; "
        "print(*dir(fx.GraphModule(nn.Module(), fx.Graph())), *dir(nn.ModuleDict()))"
    )  # in a process of its own: other libraries patch PyTorch's classes
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = set(done.stdout.split())
    assert {n for n in names if re.fullmatch("[a-z][a-z0-9_]*", n)} <= TORCH


# --- positions -----------------------------------------------------------------------------------


def positions(net: Net) -> list[tuple[str, str]]:
    return [(n.path, n.args["kind"]) for n in net.nodes if n.op == "position"]


@pytest.mark.parametrize(
    ("option", "expected"),
    [("", "learned"), (" (position = learned)", "learned"), (" (position = sincos)", "sincos")],
)
def test_tokens_from_the_stem_get_the_cores_position(
    tmp_path: Path, option: str, expected: str
) -> None:
    path = parent_with(
        tmp_path,
        ("patch(4, width) | residual(width)", "patch(4, width) | transformer(width, heads = 2)"),
        ("core @ 4 ", f"core{option} "),
    )
    net = checked(path).net
    assert positions(net) == [("core", expected)]
    reader = next(n for n in net.nodes if "core" in n.inputs)
    assert reader.path == "core.transformer.0"


def test_a_position_without_tokens_is_refused(tmp_path: Path) -> None:
    path = parent_with(
        tmp_path,
        (f"core @ 4  {CORE}", "core @ 4 (position = learned) residual(width)"),
        ("  text  = words(24, tokens = 5, vocabulary = 30)\n", ""),
    )
    (found,) = findings(path)
    assert (found.code, "has no effect" in found.message) == ("G201", True)
    assert (
        path.read_text()
        .splitlines()[found.span.row - 1][found.span.column - 1 :]
        .startswith("learned)")
    )


# --- data and schedules --------------------------------------------------------------------------


def test_sources_of_a_mix_have_names_of_their_own(tmp_path: Path) -> None:
    path = parent_with(
        tmp_path,
        ("\ntrain first", "\ndata wide = pictures.where(row.width >= 64)\ntrain first"),
        ("data      = pictures", "data = mix(pictures = 0.5, wide = 0.5)"),
    )
    (phase,) = checked(path).phases("first")
    assert [s.name for s in phase.settings.data] == ["pictures", "wide"]
    twice = parent_with(
        tmp_path, ("data      = pictures", "data = mix(pictures = 0.5, pictures = 0.5)")
    )
    assert codes(twice) == ["G102"]


def test_the_order_of_overlapping_factors_is_hashed(tmp_path: Path) -> None:
    wide, narrow = "lr_scale core = 0.5", "lr_scale core.transformer[1] = 0.1"
    line = "phase learn for 100"
    hashes = {
        checked(parent_with(tmp_path, (line, f"{line} {{ {statements} }}"))).resolved.spec_hash
        for statements in (f"{wide} {narrow}", f"{narrow} {wide}")
    }
    assert len(hashes) == 2
    assert codes(parent_with(tmp_path, (line, f"{line} {{ {wide} {wide} }}"))) == ["G102"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("phase learn for 100", "phase learn for 100 phase learn for 5", "G102"),
        ("image = image(16)", "image = image(16, height = 16)", "G201"),
        ("image = image(16)", "image = image(height = 16)", "G201"),
    ]
    + [
        ("batch     = 8", f"batch = 8 objective = diffusion(schedule = {schedule})", "G201")
        for schedule in (
            "cosine(min = 10, max = -10)",
            "cosine(min = 20)",
            "interpolated(min = 3, max = 3)",
            "cosine(base = 64, shift = 3)",
        )
    ],
)
def test_nonsense_is_refused(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert codes(parent_with(tmp_path, (old, new))) == [code]


@pytest.mark.parametrize("option", ["down = up", "up = down"])
def test_a_change_of_resolution_goes_its_own_way(tmp_path: Path, option: str) -> None:
    path = family(tmp_path, ("stage @ 16  ", f"stage @ 16 ({option}) "))
    assert codes(path) == ["G101"]


# --- hashes and differences ----------------------------------------------------------------------


def test_estimates_of_cost_are_not_hashed() -> None:
    net = checked(SPECS / "core.grow").net
    described = net.to_json()
    for node in described["nodes"]:
        node["flops"] += 1
        node["saved"] += 1
    assert Net.from_json(described).net_hash == net.net_hash


def test_a_parent_that_is_given_params_is_related(tmp_path: Path) -> None:
    path = family(tmp_path, ('grows "core.grow"', 'grows "core.grow" (width = 32, half = 2)'))
    child = checked(path)
    found = diff(checked(tmp_path / "core.grow"), child)
    assert found.related
    assert child.parent is not None
    assert (found.a, found.mapping) == (child.parent.net, child.mapping)
    run = growlang("diff", tmp_path / "core.grow", path)
    assert "small is taken with the params that child gives it" in run.out
    shown = growlang("diff", tmp_path / "core.grow", path, "--json")
    assert json.loads(shown.out)["remark"] == found.remark


def test_a_component_without_tensors_is_called_what_it_is(tmp_path: Path) -> None:
    path = parent_with(
        tmp_path,
        (CORE, "identity"),
        ("  text  = words(24, tokens = 5, vocabulary = 30)\n", ""),
    )
    lines = growlang("compile", path).out.splitlines()
    (core,) = [line for line in lines if line.startswith("core ")]
    assert "no parameters" in core


def test_the_eps_of_the_norms_is_hashed_and_computed() -> None:
    net = checked(SPECS / "core.grow").net
    described = net.to_json() | {"eps": 0.5}
    other = Net.from_json(described)
    assert other.net_hash != net.net_hash
    norms = [m for m in lower(other).modules() if hasattr(m, "eps")]
    assert norms
    assert {m.eps for m in norms} == {0.5}


@pytest.mark.parametrize("value", ["average", "average(width = 4)", "strid"])
def test_an_option_of_a_stage_is_no_binding_of_the_model(tmp_path: Path, value: str) -> None:
    path = edited(
        SPECS / "core.grow", tmp_path / "a.grow", ("  head  ", f"  down = {value}\n  head  ")
    )
    helps = [found.help for found in findings(path)]
    assert "it is an option of a stage: `stage @ 32 (down = average)`" in helps
