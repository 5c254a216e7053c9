"""The Python API: each function by path and by what `load` gave, and its errors."""

from __future__ import annotations

import warnings
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest
import torch
from fixture_specs import SHIPPED, SPECS, edited
from fixture_specs import growlang as command
from PIL import Image

import growlang
from growlang_runtime.train.options import RunOptions

CORE, CHILD = SPECS / "core.grow", SPECS / "child.grow"
FIVE = Path(__file__).parent / "fixtures" / "errors" / "five_mistakes.grow"
RUNS = Path(__file__).parent / "fixtures" / "runs" / "0.1"
EMOJI = SHIPPED.parent / "examples" / "emoji"


# --- load and check ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CHILD, str(CHILD)])
def test_load_gives_a_checked_spec(path: Path | str) -> None:
    spec = growlang.load(path)
    assert spec.name == "child"
    assert spec.path == CHILD
    assert spec.parent is not None and spec.parent.name == "small"
    assert spec.recipes == ("grown", "raw", "scratch")
    assert spec.net_hash == spec.net.net_hash
    assert spec.spec_hash == growlang.plan(spec).spec_hash
    assert repr(spec) == f"Checked(child in {CHILD}: {spec.net.parameters:,} parameters, " + (
        "grows small)"
    )


def test_params_are_values_or_expressions() -> None:
    wide = growlang.load(CORE, params={"width": 32})
    assert wide.net_hash == growlang.load(CORE, params={"width": "2 * 16"}).net_hash
    assert wide.net_hash != growlang.load(CORE).net_hash
    assert growlang.plan(wide).params == {"width": "32"}
    with pytest.raises(growlang.GrowlangError, match="has no param `wdth`") as caught:
        growlang.load(CORE, params={"wdth": 32})
    assert caught.value.__notes__ == ["help: did you mean `width`?"]
    with pytest.raises(TypeError, match="expected params by name, got list; give a dict"):
        growlang.load(CORE, params=["width=32"])  # type: ignore[arg-type]


def test_errors_are_those_of_the_command_line() -> None:
    with pytest.raises(growlang.SpecError) as caught:
        growlang.load(FIVE)
    assert str(caught.value) == command("check", FIVE).out.strip()
    assert [item.code for item in caught.value.diagnostics] == [
        *("G203", "G106", "G207", "G201", "G402")
    ]


def test_warnings_are_given_as_such(tmp_path: Path) -> None:
    text = (SPECS / "core.grow").read_text().replace("ema       = 0.99", "warmup = 500")
    (tmp_path / "a.grow").write_text(text)
    with pytest.warns(growlang.SpecWarning, match=r"warning\[G406\]") as caught:
        growlang.load(tmp_path / "a.grow")
        growlang.compile(tmp_path / "a.grow")
        growlang.diff(tmp_path / "a.grow", tmp_path / "a.grow")
    assert [found.filename for found in caught] == [__file__] * 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        growlang.load(CORE)  # its `evaluate` matters to training alone


def test_check_reports() -> None:
    report = growlang.check(FIVE)
    assert not report.ok
    assert str(report) == f"{command('check', FIVE).out.strip()}\n\n1 spec checked, 5 errors"
    clean = growlang.check(CHILD)
    assert clean.ok and clean.checked is not None
    spec = growlang.load(CORE, params={"width": 32})
    again = growlang.check(spec)
    assert again.checked is not None and again.checked.net_hash == spec.net_hash
    assert [item.code for item in again.diagnostics] == ["G460"]
    assert repr(again) == "Report(ok: G460)"


@pytest.mark.parametrize("name", ["load", "check", "compile", "plan", "train"])
def test_a_missing_file_is_a_growlang_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(growlang.GrowlangError, match="No such file"):
        getattr(growlang, name)(tmp_path / "nowhere.grow")


@pytest.mark.parametrize("name", ["load", "check", "compile", "plan", "train"])
def test_what_is_no_path_is_a_type_error(name: str) -> None:
    with pytest.raises(TypeError, match="but got int"):
        getattr(growlang, name)(3)


def test_a_library_is_no_spec(tmp_path: Path) -> None:
    (tmp_path / "library.grow").write_text("grow 1\nparam width = 3\n")
    with pytest.raises(growlang.GrowlangError, match="has no model"):
        growlang.load(tmp_path / "library.grow")


# --- compile -------------------------------------------------------------------------------------


def test_compile_says_what_the_command_prints() -> None:
    made = growlang.compile(CORE)
    printed = command("compile", CORE, "--no-build").out
    assert str(made) == "\n".join(map(str.rstrip, printed.splitlines()))
    assert growlang.compile(growlang.load(CORE), "second").recipe == "second"
    with pytest.raises(growlang.GrowlangError, match="has no recipe `third`"):
        growlang.compile(CORE, "third")


def test_the_table_is_that_of_the_module() -> None:
    made = growlang.compile(CORE)
    state = made.module().state_dict()
    assert list(made.table) == [t.name for t in made.net.tensors()]
    assert {n: (row.shape, f"torch.{row.dtype}") for n, row in made.table.items()} == {
        n: (tuple(t.shape), str(t.dtype)) for n, t in state.items()
    }
    row = made.table["stem.patch.0.proj.weight"]
    assert (row.component, row.decay) == ("stem", True)
    assert str(made.table).splitlines()[0].split()[:3] == ["tensor", "shape", "parameters"]
    assert len(str(made.table).splitlines()) == 1 + len(made.table)
    assert repr(made.table) == f"TensorTable({len(state)} tensors, {made.net.parameters:,} " + (
        "parameters)"
    )


def test_a_module_is_drawn_from_a_seed_or_has_no_values() -> None:
    made = growlang.compile(CORE)
    first, again, other = (made.module(seed=s).state_dict() for s in (0, 0, 1))
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not all(torch.equal(first[n], other[n]) for n in first)
    assert all(p.is_meta for p in made.module("meta").parameters())
    assert not any(p.is_meta for p in made.module(seed=None).parameters())
    assert "def forward" in made.code


def test_a_saved_file_is_read_by_diff_and_sample(tmp_path: Path) -> None:
    made = growlang.compile(CORE)
    module = made.module()
    path = made.save(tmp_path / "own.safetensors", module)
    found = growlang.diff(made.spec, path)
    assert found.equal
    run = command("diff", CORE, path, "--exit-code")
    assert (run.status, run.err) == (0, "")
    state = growlang.load_weights(path)
    assert all(torch.equal(state[n], t) for n, t in module.state_dict().items())
    (image,) = growlang.sample(path, "cat", tmp_path / "cat.png", steps=2)
    assert image.size == (16, 16)
    with Image.open(tmp_path / "cat.png") as grid:
        assert grid.format == "PNG"


def test_saving_does_not_overwrite_unasked(tmp_path: Path) -> None:
    made = growlang.compile(CORE)
    path = made.save(tmp_path / "a.safetensors", made.module())
    before = path.read_bytes()
    with pytest.raises(growlang.GrowlangError, match="already exists"):
        made.save(path, made.module(seed=1))
    assert path.read_bytes() == before
    made.save(path, made.module(seed=1).state_dict(), overwrite=True)
    assert path.read_bytes() != before


def test_saving_refuses_what_could_not_be_read(tmp_path: Path) -> None:
    made = growlang.compile(CORE)
    state = made.module().state_dict()
    name = next(iter(state))
    cases = {
        "1 missing": {n: t for n, t in state.items() if n != name},
        "1 not in the net": state | {"more": torch.zeros(1)},
        "weights are float32": state | {name: state[name].double()},
        "holds NaN or infinity": state | {name: torch.full_like(state[name], torch.nan)},
    }
    for said, tensors in cases.items():
        with pytest.raises(growlang.GrowlangError, match=said):
            made.save(tmp_path / "a.safetensors", tensors)
    with pytest.raises(growlang.GrowlangError, match="it is on the device `meta`"):
        made.save(tmp_path / "a.safetensors", made.module(device="meta"))
    with pytest.raises(growlang.GrowlangError, match="there is no folder"):
        made.save(tmp_path / "nowhere" / "a.safetensors", state)
    assert list(tmp_path.iterdir()) == []


# --- diff and mappings ---------------------------------------------------------------------------


def test_diff_takes_specs_in_any_form() -> None:
    found = growlang.diff(CORE, growlang.load(CHILD))
    assert found.mapping == growlang.load(CHILD).mapping
    printed = command("diff", CORE, CHILD).out
    assert str(found) == "\n".join(map(str.rstrip, printed.splitlines()))
    assert not found.equal
    assert found.as_json()["related"] is True
    assert repr(found) == f"Difference(small -> child: {found.mapping!r})"
    assert repr(found.mapping).startswith("Mapping(")


def test_a_run_is_a_side_of_a_difference() -> None:
    found = growlang.diff(RUNS / "core_8.grow", RUNS / "runs" / "core_8" / "main")
    assert found.equal
    with pytest.raises(growlang.GrowlangError, match="there are no weights at"):
        growlang.diff(RUNS / "core_8.grow", RUNS / "runs" / "core_8" / "other.safetensors")


def test_a_mapping_makes_the_child_of_a_state_dict() -> None:
    spec = growlang.load(CHILD)
    assert spec.parent is not None and spec.mapping is not None
    parent = growlang.compile(spec.parent).module(seed=3).state_dict()
    child = spec.mapping.apply(parent, seed=1)
    drawn = growlang.compile(spec).module(seed=1)
    for entry in spec.mapping.of_child:
        wanted = parent[entry.source] if entry.source else drawn.state_dict()[entry.name]
        assert torch.equal(child[entry.name], wanted), entry.name
    drawn.load_state_dict(child)
    kept = next(e.name for e in spec.mapping if e.category == "copied")
    assert child[kept].data_ptr() != parent[kept].data_ptr()
    given = spec.mapping.apply(parent, drawn.state_dict())
    assert all(torch.equal(given[n], child[n]) for n in child)


def test_a_mapping_carries_moments_and_averages() -> None:
    spec = growlang.load(CHILD)
    assert spec.parent is not None and spec.mapping is not None
    parent = {n: torch.ones(t.shape) for n, t in spec.parent.net.table.items()}
    first = spec.mapping.apply(parent, quantity="first moment")
    assert {n: bool(t.any()) for n, t in first.items()} == {
        n: n in spec.mapping.states for n in spec.net.table
    }
    with pytest.raises(growlang.GrowlangError, match="not known from its parent alone"):
        spec.mapping.apply(parent, quantity="average")
    child = {n: torch.full(t.shape, 2.0) for n, t in spec.net.table.items()}
    averages = spec.mapping.apply(parent, child, quantity="average")
    assert {n: t.max().item() for n, t in averages.items()} == {
        n: 1 if n in spec.mapping.states else 2 for n in child
    }
    some = list(spec.mapping.states)[:2]
    assert list(spec.mapping.only(some).apply(parent, quantity="first moment")) == some


def test_a_mapping_refuses_another_state_dict() -> None:
    spec = growlang.load(CHILD)
    assert spec.mapping is not None
    with pytest.raises(growlang.GrowlangError, match="which the parent's weights do not hold"):
        spec.mapping.apply({})
    weights = growlang.compile(CORE).module().state_dict()
    with pytest.raises(growlang.GrowlangError, match="no quantity is 'ema'"):
        spec.mapping.apply(weights, quantity="ema")  # type: ignore[arg-type]
    with pytest.raises(growlang.GrowlangError, match=r"is torch.int64 in the parent's weights"):
        spec.mapping.apply({name: tensor.long() for name, tensor in weights.items()})


@pytest.mark.parametrize("given", [torch.nn.Linear(1, 1), None, ["a"]])
def test_a_mapping_is_applied_to_state_dicts(given: object) -> None:
    mapping = growlang.load(CHILD).mapping
    assert mapping is not None
    said = f"expected a state dict, got {type(given).__name__}; give module.state_dict()"
    with pytest.raises(TypeError, match=said):
        mapping.apply(given)  # type: ignore[arg-type]


def test_a_part_of_a_mapping_is_of_tensors_that_it_has() -> None:
    mapping = growlang.load(CHILD).mapping
    assert mapping is not None
    with pytest.raises(TypeError, match=r"expected names of tensors, got a str; give \['core'\]"):
        mapping.only("core")
    with pytest.raises(growlang.GrowlangError, match="the mapping has no tensor `core`"):
        mapping.only(["core"])


@pytest.mark.parametrize("device", ["gpu", "cuda:9"])
def test_a_module_on_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(growlang.GrowlangError, match=f"no device `{device}` on this machine"):
        growlang.compile(CORE).module(device=device)


# --- plan, train and sample ----------------------------------------------------------------------


def test_plan_is_that_of_the_recipe() -> None:
    made = growlang.plan(CHILD, "raw")
    assert made == growlang.plan(growlang.load(CHILD), "raw")
    assert repr(made).startswith("Plan(child, recipe raw: ")
    assert len(repr(made)) < 200


def test_the_fields_of_train_are_those_of_the_options() -> None:
    assert list(growlang.RunFields.__annotations__) == [f.name for f in fields(RunOptions)]
    assert growlang.RunOptions is RunOptions
    assert get_type_hints(RunOptions)["workers"] is int


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("resume", "yes", "`resume` is 'yes'"),
        ("workers", -1, "at least 0, but is -1"),
        ("log_every", 0, "at least 1, but is 0"),
        ("checkpoint_every", 2.5, "at least 1, but is 2.5"),
        ("micro_batch", "4", "at least 1, but is '4'"),
    ],
)
def test_options_with_which_no_run_goes_on_are_refused(
    field: str, value: object, said: str, tmp_path: Path
) -> None:
    with pytest.raises(growlang.GrowlangError, match=said):
        growlang.train(growlang.load(CORE), out=tmp_path / "runs", **{field: value})  # type: ignore[misc]
    assert list(tmp_path.iterdir()) == []


def emoji(folder: Path) -> Path:
    """The emoji core and its child, made small, with recipes of two steps."""
    (folder / "data").symlink_to(EMOJI / "data")
    (folder / "prompts.txt").symlink_to(EMOJI / "prompts.txt")
    small = [("width = 128", "width = 8"), ("depth = 2", "depth = 1"), ("warmup      = 50", "")]
    short = [("pretrain for 1000", "pretrain for 2"), ("steps = 40", "steps = 2")]
    edited(EMOJI / "core_32.grow", folder / "core_32.grow", *small, *short)
    text = (EMOJI / "emoji_64.grow").read_text().partition("train scratch")[0]
    text = text.replace("(64)", "(8)").replace("image(8)", "image(64)").replace("(4, 64)", "(4, 8)")
    text = text.replace("frozen for 300", "frozen for 1").replace("joint  for 1100", "joint for 1")
    (folder / "emoji_64.grow").write_text(text)
    return folder


def test_train_and_sample(tmp_path: Path) -> None:
    folder = emoji(tmp_path)
    with pytest.raises(growlang.GrowlangError, match="the parent core_32 is not trained yet"):
        growlang.train(folder / "emoji_64.grow", out=folder / "runs", quiet=True)
    done = growlang.train(
        folder / "emoji_64.grow", out=str(folder / "runs"), with_parents=True, quiet=True
    )
    assert done.finished and done.run == folder / "runs" / "emoji_64" / "grown"
    spec = growlang.load(folder / "core_32.grow")
    options = RunOptions(data_root=folder, out=folder / "runs", quiet=True)
    assert growlang.train(spec, options=options, resume="may").step == 2
    images = growlang.sample(done.run, ["red apple", "rocket"], seed=1, guidance=1.0)
    assert [(image.size, image.mode) for image in images] == [((64, 64), "RGB")] * 2
    net = growlang.load(folder / "emoji_64.grow").net
    assert growlang.load_weights(done.run).keys() == net.table.keys()


def test_sampling_without_weights_is_a_growlang_error(tmp_path: Path) -> None:
    with pytest.raises(growlang.GrowlangError, match="no weights at"):
        growlang.sample(tmp_path / "nowhere", "cat")


@pytest.mark.parametrize("field", ["steps", "batch"])
def test_sampling_needs_steps_and_images(field: str) -> None:
    with pytest.raises(growlang.GrowlangError, match=f"`{field}` must be at least 1, but is 0"):
        growlang.sample(RUNS / "runs/core_8/main", "", **{field: 0})  # type: ignore[arg-type]
