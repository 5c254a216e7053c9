"""What diffusers draws with exported folders, in an interpreter that cannot import growlang."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

FIXTURES = Path(__file__).parent.parent / "fixtures"
DRAW = FIXTURES / "export" / "draw.py"


def by_diffusers(jobs: list[dict[str, Any]], tmp_path: Path) -> dict[str, Any]:
    """Images of each job, and how the first folder's picture looks."""
    result = tmp_path / "drawn.pt"
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "HF_MODULES_CACHE": str(tmp_path / "modules"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, DRAW, result],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = torch.load(result)
    return found | {"stderr": done.stderr}


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest difference."""
    return float((a - b).abs().max())
