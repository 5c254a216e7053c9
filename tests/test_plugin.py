"""Packages with ops: the worked example, installed, from its spec to samples; and broken ones."""

from __future__ import annotations

import ast
import importlib.metadata
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fixture_specs import SPECS, checked, edited, findings
from packages import Install, declare
from symmetries import Call, axes_of, calls, error
from torch.utils.flop_counter import FlopCounterMode

import growlang
from growlang.diagnostics import GrowlangError
from growlang.net import grid
from growlang.ops import CONDITIONS, OPS, Scope, op_of
from growlang.planning import plan
from growlang.plans.plan import Plan
from growlang.signatures import installed
from growlang.syntax.grow import read
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import lower
from growlang.torch_backend.modules import build
from growlang.yaml.convert import to_yaml
from growlang_runtime.export.denoiser_code import denoiser_code
from growlang_runtime.export.diffusers_folder import require_same
from growlang_runtime.report.samples import Places
from growlang_runtime.sample import sample
from growlang_runtime.storage.weights import load
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.training import train

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "plugin"
SHADES = EXAMPLE / "shades.grow"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the example's package is installed into, as pip does it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE, source, dirs_exist_ok=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([*pip, *offline, str(source)], check=True)
    return target


def using(tmp_path: Path, call: str) -> Path:
    return edited(
        SPECS / "core.grow", tmp_path / "using.grow", ("| residual(width)\n", f"| {call}\n")
    )


# --- the worked example --------------------------------------------------------------------------


def test_without_the_package_its_names_are_unknown(install: Install) -> None:
    found = findings(SHADES)
    assert {d.code for d in found} == {"G106"}
    for name in ("convnext", "pseudo_huber"):
        (said,) = {d.help for d in found if f"`{name}`" in d.message}
        assert f"r install the package that has `{name}`" in said


def test_the_example_is_checked_and_built(install: Install, package: Path) -> None:
    install(package)
    net = checked(SHADES).net
    assert [n.path for n in net.nodes if n.op == "convnext"] == [
        *(f"stage.8.{side}.convnext.{i}" for side in ("encode", "decode") for i in (0, 1)),
        "head.convnext.0",
    ]
    built = {name: tuple(p.shape) for name, p in lower(net).named_parameters()}
    assert built == {t.name: t.shape for t in net.tensors()}
    assert "convnext" in OPS.names()


def test_an_argument_of_the_op_is_checked_like_any(
    install: Install, package: Path, tmp_path: Path
) -> None:
    install(package)
    path = edited(SHADES, tmp_path / "a.grow", ("kernel = 3", "kernel = 4"))
    (found,) = findings(path)
    assert (found.code, found.help) == ("G201", "write kernel = 5")
    assert path.read_text().split("\n")[found.span.row - 1][found.span.column - 1] == "4"
    (found,) = findings(edited(SHADES, tmp_path / "b.grow", ("expand = 2", "expnad = 2")))
    assert (found.code, found.help) == ("G203", "did you mean `expand`?")
    (found,) = findings(edited(SHADES, tmp_path / "c.grow", ("convnext * 2", "convnxt * 2")))
    assert (found.code, found.help) == ("G106", "did you mean `convnext`?")


def test_the_example_grows_by_what_it_declares(install: Install, package: Path) -> None:
    """Its arguments are known by what they change of its axes: hidden channels, and filters."""
    install(package)
    found = growlang.verify(SPECS.parent / "package" / "wider_shades.grow")
    assert found.holds and "function" in {promise.name for promise in found.promises}
    assert {c.name: c.verdict for c in found.components}["head"] == "exact"


def test_its_modules_go_along_in_an_export(install: Install, package: Path) -> None:
    """The written file needs neither the package nor growlang, and computes the same."""
    install(package)
    net = checked(SHADES).net
    module = initialise(lower(net, "meta"), net, 0)
    code = denoiser_code(net, "v", "0")
    require_same(code, net, {n: t + 0.1 for n, t in module.state_dict().items()})
    assert "class ConvNeXt(Part)" in code
    imported = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert not [n for n in imported if "growlang" in ast.unparse(n)]


@pytest.mark.parametrize("time", [None, 6])
def test_the_example_declares_what_its_module_computes(
    install: Install, package: Path, time: int | None
) -> None:
    install(package)
    op = op_of("convnext").model_validate({"kernel": 5, "expand": 3})
    x, scope = grid(4, 6, 5), Scope(time)
    module = build(op, x, scope, "cpu")
    values = [torch.ones(1, *x.dims), *([torch.ones(1, time)] if time else [])]
    with FlopCounterMode(display=False) as counter:
        assert tuple(module(*values).shape[1:]) == op.output(x, scope).dims
    assert counter.get_total_flops() == op.flops(x, scope)


@pytest.mark.parametrize("time", [None, 6])
def test_the_axes_of_the_example_hold(install: Install, package: Path, time: int | None) -> None:
    install(package)
    op = op_of("convnext").model_validate({"kernel": 3, "expand": 2})
    call = Call(op, grid(6, 4, 4), Scope(time))
    assert error(call, axes_of(call)) < 1e-12


def test_the_condition_is_embedded_as_it_declares(install: Install, package: Path) -> None:
    install(package)
    kind = CONDITIONS.require("bytes")
    for call in calls(kind, 5):
        module = build(*call, "cpu")
        assert {n: tuple(p.shape) for n, p in module.named_parameters()} == {
            t.name: t.shape for t in call.op.tensors(call.x, call.scope)
        }
        assert error(call, axes_of(call)) < 1e-12


def test_the_example_trains_samples_and_resumes(
    install: Install, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(package)
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "runtime"))
    from tiny import write_data

    options = RunOptions(
        data_root=write_data(tmp_path), out=tmp_path / "runs", checkpoint_every=1, quiet=True
    )
    planned = plan(checked(SHADES))
    assert Plan.model_validate_json(planned.model_dump_json()) == planned
    run = train(planned, options).run
    whole = load(run).tensors
    sample(run, prompts=["shade 1"], places=Places(tmp_path / "a.png"), steps=2)
    assert (tmp_path / "a.png").is_file()
    given = {"data_root": tmp_path, "count": 2, "quiet": True}
    assert growlang.evaluate(run, "contrast", **given)[0]["contrast"] >= 0
    (run / "model.safetensors").unlink()
    shutil.rmtree(sorted((run / "checkpoints").iterdir())[-1])
    train(planned, replace(options, resume="must"))
    resumed = load(run).tensors
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_weights_whose_package_is_gone_are_refused(
    install: Install, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(package)
    text = plan(checked(SHADES)).model_dump_json()
    monkeypatch.undo()
    installed.entries.cache_clear()
    with pytest.raises(GrowlangError, match="unknown objective `pseudo_huber`") as error:
        Plan.model_validate_json(text)
    assert error.value.help == "install the package that it comes from"


# --- packages that are not what they say ---------------------------------------------------------


def test_nothing_is_looked_for_while_every_name_is_known(
    install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    twin = tmp_path / "blocks.grow.yaml"
    document = read((SPECS / "blocks.grow").read_text(), "blocks.grow").result
    assert document is not None
    twin.write_text(to_yaml(document).replace("lib/blocks", f"{SPECS}/lib/blocks"))

    def refuse(**_: object) -> None:
        raise AssertionError("entry points were looked for")

    monkeypatch.setattr(importlib.metadata, "entry_points", refuse)
    checked(SPECS / "child.grow")
    checked(SPECS / "blocks.grow")
    checked(twin)


OP = """
from growlang.ops import Op
class Twice(Op):
    call = "twice"
    source = "none"
    input_kind = "any"
    def output(self, x, scope):
        return {output}
"""


@pytest.mark.parametrize(
    ("entry", "code", "said"),
    [
        ("twice = nowhere:Twice", "", "cannot use `twice` of other (nowhere:Twice)"),
        ("twice = other_package:Twice", "1 / 0", "ZeroDivisionError"),
        (
            "twice = other_package:Twice",
            "Twice = 3",
            'a subclass of growlang.ops.base.Op with call = "twice"',
        ),
        (
            "twice = other_package:Twice",
            OP.format(output="x.nothing"),
            "the installed op `twice` fails",
        ),
    ],
)
def test_a_broken_package_is_named(
    install: Install, tmp_path: Path, entry: str, code: str, said: str
) -> None:
    install(declare(tmp_path / "site", f"[growlang.ops]\n{entry}\n", code))
    with pytest.raises(GrowlangError) as error:
        findings(using(tmp_path, "twice"))
    assert said in error.value.message


WITHOUT_AXES = """
    def tensors(self, x, scope):
        return tuple(Tensor(f"{name}.weight", (x.width, x.width)) for name in ("first", "second"))
"""


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("stem.twice[0] = zero", True),
        ("stem.twice[0].first = identity", True),
        ("stem.twice[0].first = zero", False),
        ("stem.twice[0].first = default", False),
    ],
)
def test_an_op_may_declare_its_tensors_without_axes(
    install: Install, tmp_path: Path, statement: str, refused: bool
) -> None:
    code = f"from growlang.net import Tensor\n{OP.format(output='x')}{WITHOUT_AXES}"
    install(declare(tmp_path / "site", "[growlang.ops]\ntwice = other_package:Twice\n", code))
    model = "grow 1\nmodel {} {{\n {}\n image = image(8)\n stem {}\n {}\n head conv(3)\n}}\n"
    (tmp_path / "a.grow").write_text(model.format("a", "", "conv(8)", "core conv(8)"))
    child = tmp_path / "b.grow"
    grown = f"keep core drop stem, head init {statement}"
    child.write_text(model.format('b grows "a.grow"', grown, "conv(8) | twice", ""))
    found = findings(child)
    assert [item.code for item in found] == ["G309"] * refused
    assert all("the op `twice` declares no axes" in item.message for item in found)


def test_two_packages_cannot_declare_one_op(install: Install, tmp_path: Path) -> None:
    for name in ("one", "two"):
        entry = f"[growlang.ops]\ntwice = {name}_package:Twice\n"
        declare(tmp_path / "site", entry, OP.format(output="x"), name)
    install(tmp_path / "site")
    with pytest.raises(GrowlangError, match="two packages declare `twice`"):
        findings(using(tmp_path, "twice"))


def test_a_built_in_op_cannot_be_replaced(install: Install, tmp_path: Path) -> None:
    entries = "[growlang.ops]\nresidual = nowhere:Op\nconcat = nowhere:Op\n"
    install(declare(tmp_path / "site", entries))
    checked(SPECS / "core.grow")
    with pytest.raises(GrowlangError, match="growlang itself has something of that name"):
        findings(using(tmp_path, "concat"))
    assert OPS.names().count("residual") == 1


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ("", "no installed package has a module for the op `twice`"),
        (
            "[growlang.modules]\ntwice = other_package:module\n",
            r"`weight` is \(4, 4\) in the module and absent in the table",
        ),
    ],
)
def test_a_module_must_be_what_the_op_declares(
    install: Install, tmp_path: Path, modules: str, said: str
) -> None:
    code = OP.format(output="x") + "\nimport torch\ndef module(op, x, scope, device):\n"
    code += "    return torch.nn.Linear(4, 4, bias=False, device=device)\n"
    entries = f"[growlang.ops]\ntwice = other_package:Twice\n{modules}"
    install(declare(tmp_path / "site", entries, code))
    net = checked(using(tmp_path, "twice")).net
    with pytest.raises(GrowlangError, match=said):
        lower(net)


def test_a_net_with_an_op_that_is_not_installed_is_refused(install: Install) -> None:
    with pytest.raises(GrowlangError, match="unknown op `convnext`"):
        op_of("convnext")
