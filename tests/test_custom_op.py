"""Ops of other packages: the worked example, installed, from its spec to trained steps."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from fixture_specs import SPECS, checked, edited, findings
from symmetries import Call, axes_of, error
from torch.utils.flop_counter import FlopCounterMode

from growlang.diagnostics import GrowlangError
from growlang.net import grid
from growlang.ops import OPS, Scope, op_of
from growlang.signatures import installed
from growlang.torch_backend.lower import lower
from growlang.torch_backend.modules import build

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "custom_op"
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


Install = Callable[[Path], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a folder of installed packages on the path, for one test."""
    caches = (installed.entries, installed.load)

    def forget() -> None:
        for cache in caches:
            cache.cache_clear()

    def put(folder: Path) -> None:
        monkeypatch.syspath_prepend(str(folder))
        forget()

    forget()
    yield put
    forget()


def declare(folder: Path, entries: str, code: str = "", name: str = "other") -> Path:
    """An installed package that declares entry points, and its module `NAME_ops`."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)
    (folder / f"{name}_ops.py").write_text(code)
    return folder


def using(tmp_path: Path, call: str) -> Path:
    return edited(
        SPECS / "core.grow", tmp_path / "using.grow", ("| residual(width)\n", f"| {call}\n")
    )


# --- the worked example --------------------------------------------------------------------------


def test_without_the_package_the_op_is_unknown(install: Install) -> None:
    assert {d.code for d in findings(SHADES)} == {"G106"}


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


def test_the_example_trains(package: Path, tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "tests" / "runtime"))
    from tiny import write_data

    sys.path.pop(0)
    write_data(tmp_path)
    path = os.pathsep.join([str(package), str(ROOT), str(ROOT / "runtime")])
    command = [sys.executable, "-m", "growlang", "train", str(SHADES), "--out", "runs"]
    done = subprocess.run(
        [*command, "--data-root", "."],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "shades" / "main" / "model.safetensors").is_file()


# --- packages that are not what they say ---------------------------------------------------------


def test_nothing_is_looked_for_while_every_name_is_known(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise AssertionError("entry points were looked for")

    monkeypatch.setattr(importlib.metadata, "entry_points", refuse)
    checked(SPECS / "child.grow")
    checked(SPECS / "blocks.grow")


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
        ("twice = other_ops:Twice", "1 / 0", "ZeroDivisionError"),
        (
            "twice = other_ops:Twice",
            "Twice = 3",
            'a subclass of growlang.ops.base.Op with call = "twice"',
        ),
        (
            "twice = other_ops:Twice",
            OP.format(output="x.nothing"),
            "the installed op `twice` fails",
        ),
    ],
)
def test_a_broken_package_is_named(
    install: Install, tmp_path: Path, entry: str, code: str, said: str
) -> None:
    install(declare(tmp_path / "site", f"[growlang.ops]\n{entry}\n", code))
    sys.modules.pop("other_ops", None)
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
    install(declare(tmp_path / "site", "[growlang.ops]\ntwice = other_ops:Twice\n", code))
    sys.modules.pop("other_ops", None)
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
        entry = f"[growlang.ops]\ntwice = {name}_ops:Twice\n"
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
            "[growlang.modules]\ntwice = other_ops:module\n",
            r"`weight` is \(4, 4\) in the module and absent in the table",
        ),
    ],
)
def test_a_module_must_be_what_the_op_declares(
    install: Install, tmp_path: Path, modules: str, said: str
) -> None:
    code = OP.format(output="x") + "\nimport torch\ndef module(op, x, scope, device):\n"
    code += "    return torch.nn.Linear(4, 4, bias=False, device=device)\n"
    entries = f"[growlang.ops]\ntwice = other_ops:Twice\n{modules}"
    install(declare(tmp_path / "site", entries, code))
    sys.modules.pop("other_ops", None)
    net = checked(using(tmp_path, "twice")).net
    with pytest.raises(GrowlangError, match=said):
        lower(net)


def test_a_net_with_an_op_that_is_not_installed_is_refused(install: Install) -> None:
    with pytest.raises(GrowlangError, match="unknown op `convnext`"):
        op_of("convnext")
