"""The names of `import growlang`: loaded when they are used, documented, and typed."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from fixture_specs import SHIPPED, SPECS
from test_layers import loaded

import growlang

CORE, CHILD = SPECS / "core.grow", SPECS / "child.grow"
FUNCTIONS = ("load", "check", "compile", "diff", "grow", "verify", "plan", "train", "sample")
FUNCTIONS += (
    "transfer",
    "import_hf",
    "evaluate",
    "average",
    "load_run",
    "load_weights",
    "objective",
    "conditions",
    "denoiser",
)


def test_importing_growlang_loads_nothing() -> None:
    assert {m for m in loaded("import growlang") if m.startswith("growlang")} == {
        "growlang",
        "growlang.version",
    }
    assert loaded("import growlang") & {"torch", "networkx", "pydantic", "lark", "typer"} == set()


def test_loading_and_comparing_specs_load_no_torch() -> None:
    modules = loaded(
        "import growlang\n"
        f"spec = growlang.load({str(CHILD)!r})\n"
        f"assert growlang.diff({str(CORE)!r}, spec).mapping == spec.mapping\n"
        "growlang.plan(spec), growlang.compile(spec).costs, growlang.RunOptions"
    )
    assert modules & {"torch", "networkx", "rich", "numpy", "typer"} == set()


@pytest.mark.parametrize("first", ["growlang.cli", "growlang.api.specs", "growlang.compiling"])
def test_functions_are_not_hidden_by_modules(first: str) -> None:
    assert loaded(
        f"import {first}, growlang, types\n"
        f"for name in {FUNCTIONS!r}:\n"
        "    assert isinstance(getattr(growlang, name), types.FunctionType), name"
    )


def test_every_name_is_there_and_documented() -> None:
    for name in growlang.__all__:
        found = getattr(growlang, name)
        assert name == "__version__" or inspect.getdoc(found), name
    assert set(growlang.__all__) <= set(dir(growlang))
    with pytest.raises(AttributeError, match="module 'growlang' has no attribute 'shrink'"):
        growlang.shrink  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.slow
def test_types_are_known_to_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import growlang\n"
        "from growlang import Checked, Compiled\n\n"
        "spec: Checked = growlang.load('a.grow', params={'width': 8})\n"
        "made: Compiled = growlang.compile(spec)\n"
        "reveal_type(made.table['x'].shape)\n"
        "reveal_type(growlang.diff('a.grow', spec).mapping)\n"
        "reveal_type(growlang.plan(spec).plan_hash)\n"
        "growlang.train(spec, device='cpu', out='runs')\n"
        "growlang.train(spec, devise='cpu')\n"
        "growlang.check(3)\n"
        "growlang.nothing\n"
    )
    skipped = ",".join(f"{m}.*" for m in ("torch", "numpy", "PIL", "transformers", "diffusers"))
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\nstrict = true\n[mypy-{skipped}]\nfollow_imports = skip\n")
    options = [
        "--config-file",
        str(config),
        "--cache-dir",
        str(tmp_path),
        "--follow-imports=silent",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(script)],
        capture_output=True,
        text=True,
        cwd=SHIPPED.parent,
    )
    said = [line.partition(".py:")[2] for line in done.stdout.splitlines()[:-1]]
    assert [line.split(":")[:2] for line in said] == [
        ["6", " note"],
        ["7", " note"],
        ["8", " note"],
        ["10", " error"],
        ["10", " note"],
        ["11", " error"],
        ["12", " error"],
    ], done.stdout
    for line, kind in zip(said, ("tuple[int, ...]", "Mapping", "str"), strict=False):
        assert kind in line
