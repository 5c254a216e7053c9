"""A run that is killed at any moment, whatever it writes just then, ends with the same tensors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny import write_data

import growlang

SPECS = Path(__file__).parents[1] / "fixtures" / "killed"
KILLING = Path(__file__).with_name("killing.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The specs of a model that grows over a bridge and unfreezes, with its trained parent."""
    for spec in SPECS.glob("*.grow"):
        shutil.copy(spec, tmp_path)
    write_data(tmp_path, count=8)
    growlang.train(tmp_path / "base.grow", out=tmp_path / "runs", quiet=True)
    return tmp_path


def killed(folder: Path, count: int, processes: int) -> Any:
    """What `killing.py` prints."""
    command = [sys.executable, str(KILLING), str(folder), str(count), str(processes)]
    environment = os.environ | {"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("processes", [1])
@pytest.mark.parametrize("count", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_a_killed_run_ends_with_the_same_tensors(folder: Path, count: int, processes: int) -> None:
    found = killed(folder, count, processes)
    assert found["moments"] > 50
    assert len(found["killed"]) == count
    for name, tensors in found["killed"].items():
        assert tensors == found["whole"], name
