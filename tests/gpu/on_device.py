"""Runs on a device and on the CPU, as the tests on a GPU compare them."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import CORE, metrics, net, phase, plan, train
from torch import Tensor

from growlang.plans.plan import Plan
from growlang_runtime.storage import checkpoint
from growlang_runtime.train.result import TrainResult
from growlang_runtime.train.trainer import Trainer

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
PATIENCE = 600
"""Seconds that a test waits for a thread before it fails."""
LONG = 1_200_000_000
"""Cycles of a device: half a second or more, in which the CPU launches a step of the tiny net."""
SYNCHRONIZES = "synchronizing CUDA operation"
SLOW = {"quiet": True, "deterministic": True}
"""Options of runs that are compared bit for bit."""


def losses(result: TrainResult) -> list[float]:
    return [line["loss"] for line in metrics(result.run) if "loss" in line]


def on_both(made: Plan, folder: Path, device: torch.device, **options: Any) -> list[TrainResult]:
    """A run on the CPU, and the same on the device."""
    given = {"quiet": True, **options}
    cpu = train(made, folder, "host", device="cpu", **given)
    return [cpu, train(made, folder, "there", device=str(device), **given)]


def model_of(result: TrainResult) -> dict[str, Tensor]:
    found, _ = checkpoint.newest(result.run / "checkpoints")
    assert found is not None
    return found.tensors("model.")


def two_phases(**changes: Any) -> Plan:
    """A freeze and what follows it, with dropout and averages."""
    last = {"batch": 3, "ema": 0.5, "own_schedule": True, "warmup": 2}
    phases = [phase("first", 3, frozen=CORE, **changes), phase("second", 4, **last, **changes)]
    return plan(phases, net(dropout=0.3))


def environment(**changes: str) -> dict[str, str]:
    """Of a process whose modules are those of this one, in which nothing prepared CUDA."""
    own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    found = os.environ | own | changes
    found.pop("CUBLAS_WORKSPACE_CONFIG", None)
    return found


def waits(
    device: torch.device, monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]
) -> tuple[list[str], list[bool]]:
    """Where the steps of a run wait for the device, but the first three; and of each whether it
    ended while the device was still busy with what it was given before the step.
    """
    found: list[str] = []
    ahead: list[bool] = []
    step = Trainer._step

    def watched(self: Trainer, *given: Any) -> None:
        if self.step < 3 or device.type != "cuda":
            return step(self, *given)
        busy = torch.cuda.Event()
        torch.cuda._sleep(LONG)  # what the step before found is behind it already
        busy.record()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                step(self, *given)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        ahead.append(not busy.query())
        found.extend(f"{w.filename}:{w.lineno}" for w in told if SYNCHRONIZES in str(w.message))
        torch.cuda.synchronize()
        return None

    monkeypatch.setattr(Trainer, "_step", watched)
    run()
    return found, ahead


def write_large(folder: Path) -> None:
    """Images of 64 x 64 with captions."""
    random = np.random.default_rng(0)
    with tarfile.open(folder / "data.tar", "w") as tar:
        for i in range(8):
            data = io.BytesIO()
            Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(data, "png")
            for ending, content in (("png", data.getvalue()), ("txt", b"one two three")):
                info = tarfile.TarInfo(f"{i:03d}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
