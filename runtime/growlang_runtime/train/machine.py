"""What a run takes from the machine and its command line, and not from the spec."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """What belongs to the machine and not to the spec. None of it is in a hash."""

    device: torch.device
    checkpoint_every: int = 1000
    """Steps between checkpoints; phases end with one in any case."""
    keep: int = 2
    """Newest checkpoints that are kept, besides those at the ends of phases."""
    sample_every: int | None = None
    """Steps between sample grids; phases end with one in any case."""
    log_every: int = 10
    micro_batch: int | None = None
    """Images in one forward and backward pass; None: the whole batch."""
    workers: int = 2
    quiet: bool = False

    def environment(self) -> dict[str, Any]:
        """What must be the same when a run is resumed, for bit-for-bit identical results."""
        return {
            "torch": torch.__version__,
            "processor": processor(),
            "device": self.device.type,
            "threads": torch.get_num_threads(),
            "micro_batch": self.micro_batch,
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
