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


@pytest.mark.parametrize(
    ("processes", "count"),
    [
        (1, 2),
        pytest.param(1, 30, marks=pytest.mark.slow),
        pytest.param(2, 30, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_ends_with_the_same_tensors_and_files(
    folder: Path, processes: int, count: int
) -> None:
    """Of two processes the one that is left alone ends by itself, with a message."""
    found = killed(folder, count, processes)
    assert found["moments"][0] > 50
    assert len(found["killed"]) == count
    assert {name.split("-")[1] for name in found["killed"]} == set(map(str, range(processes)))
    for name, after in found["killed"].items():
        assert after == found["whole"], name
