"""`growlang compile` of the 8B spec: peak memory, and time beyond the import of torch."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.measuring import (
    GROWLANG,
    ROOT,
    UNCOLLECTED,
    VERMEER,
    Result,
    environment,
    result,
    show,
)

PAIRS = 5
KIB = 1 if sys.platform != "darwin" else 1 / 1024
"""Unit of the peak that the system reports."""


def used(command: Sequence[str]) -> tuple[float, float]:
    """Seconds and peak resident memory, in MiB, of a child."""
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return time.perf_counter() - start, usage.ru_maxrss * KIB / 1024


def measure() -> list[Result]:
    """Peak and time of the command, against importing torch (uncollected too) in turn."""
    command = [GROWLANG, "compile", VERMEER]
    baseline = [sys.executable, "-c", UNCOLLECTED + "import torch"]
    used(command)
    pairs = [(used(command), used(baseline)) for _ in range(PAIRS)]
    beyond = [a[0] - b[0] for a, b in pairs]
    peaks, alone = [a[1] for a, _ in pairs], max(b[1] for _, b in pairs)
    name = f"growlang compile {VERMEER}"
    return [
        result(f"{name}: peak memory", peaks, "MiB", 1024, f"import torch alone: {alone:.0f} MiB"),
        result(f"{name}: beyond import torch", beyond, "s", 3, f"{PAIRS} pairs"),
        result(f"{name} / import torch, uncollected", [a[0] / b[0] for a, b in pairs], "x"),
    ]


if __name__ == "__main__":
    show(measure())
