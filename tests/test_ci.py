"""The pre-commit hooks, the GitHub action, and an installation without PyTorch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixture_specs import SHIPPED, SPECS, without_evaluate
from typer.main import get_command

from growlang.cli import app

ROOT = Path(__file__).parent.parent
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())


def executables(folder: Path) -> dict[str, str]:
    """An environment in which `growlang` is this package."""
    script = folder / "growlang"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m growlang "$@"\n')
    script.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}


def test_hooks_call_commands_that_exist() -> None:
    commands = getattr(get_command(app), "commands")  # noqa: B009
    assert [h["id"] for h in HOOKS] == ["growlang-check", "growlang-fmt"]
    for hook in HOOKS:
        program, command = hook["entry"].split()
        assert program == "growlang"
        assert command in commands
        assert hook["language"] == "python"


@pytest.mark.parametrize("hook", HOOKS, ids=lambda h: h["id"])
def test_hooks_choose_specs_and_nothing_else(hook: dict[str, Any]) -> None:
    pattern = re.compile(hook["files"])
    assert pattern.search("specs/core_64.grow")
    assert not pattern.search("specs/core_64.grow.txt")
    assert not pattern.search("grow.py")


@pytest.mark.parametrize(
    ("paths", "against", "status", "said"),
    [
        ("core.grow", "", 0, ""),
        (". core.grow", "HEAD", 0, ""),
        ("child.grow broken.grow", "", 1, "::error file=broken.grow,line=2,"),
        (".", "no-such", 2, "unknown git revision"),
    ],
)
def test_the_action_runs_check(
    tmp_path: Path, paths: str, against: str, status: int, said: str
) -> None:
    script = ACTION["runs"]["steps"][-1]
    assert script["env"].keys() == {"PATHS", "AGAINST", "FORMAT"}
    specs = tmp_path / "specs"
    specs.mkdir()
    (specs / "core.grow").write_text(without_evaluate(SPECS / "core.grow"))
    shutil.copy(SPECS / "child.grow", specs)
    if "broken" in paths:
        (specs / "broken.grow").write_text("grow 1\nparam a = b\n")
    subprocess.run(["git", "init", "-q"], cwd=specs, check=True)
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", "add", "-A"], cwd=specs, check=True)
    subprocess.run(["git", *who, "commit", "-qm", "specs"], cwd=specs, check=True)
    inputs = {
        "PATHS": paths,
        "AGAINST": against,
        "FORMAT": ACTION["inputs"]["output-format"]["default"],
    }
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script["run"]],
        cwd=specs,
        env=executables(tmp_path) | inputs,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    shown = done.stdout + done.stderr
    assert said in shown if said else shown == ""


@pytest.mark.slow
def test_the_package_installs_and_checks_without_torch(tmp_path: Path) -> None:
    """What a pre-commit hook does: the bare package in a fresh environment."""
    source = tmp_path / "source"
    shutil.copytree(
        ROOT,
        source,
        ignore=shutil.ignore_patterns(".git", ".venv", "runs", ".*_cache", "tests", "benchmarks"),
    )
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, env=clean, capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", source)
    listed = run(python, "-m", "pip", "list", "--format", "freeze")
    assert not {"torch", "numpy", "transformers"} & {line.split("==")[0] for line in listed.split()}
    growlang = python.with_name("growlang")
    assert "no errors" in run(growlang, "check", SHIPPED)
    compiled = run(growlang, "compile", "--no-build", SHIPPED / "core_64.grow")
    assert "core" in compiled
    assert "copied" in run(growlang, "diff", SHIPPED / "core_64.grow", SHIPPED / "uvit_512.grow")
