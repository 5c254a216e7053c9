"""What must be the same on resume for results that are identical bit for bit."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

CPUINFO = Path("/proc/cpuinfo")


def environment(device: torch.device, micro_batch: int | None) -> dict[str, Any]:
    """What a run computes with, besides its plan."""
    return {
        "torch": torch.__version__,
        "processor": processor(),
        "device": device.type,
        "threads": torch.get_num_threads(),
        "micro_batch": micro_batch,
    }


def processor(cpuinfo: Path = CPUINFO) -> str:
    """The processor's model name if Linux gives one, or else its architecture."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    pairs = (line.partition(":") for line in lines)
    names = (value.strip() for key, _, value in pairs if key.strip() == "model name")
    return next(names, "") or platform.processor() or platform.machine()
