"""What the benchmarks share: children with bytecode and one thread, paired runs, results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
VERMEER = "specs/vermeer_1024.grow"
GROWLANG = str(Path(sys.executable).with_name("growlang"))
UNCOLLECTED = "import atexit, gc; gc.disable(); atexit.register(gc.freeze); "
"""Turns the garbage collector off in a baseline, as `growlang` does for itself."""


class Result(NamedTuple):
    """One number with its spread (quartiles) and, where there is one, the most it may be."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    target: float | None
    note: str = ""

    def __str__(self) -> str:
        spread = f"[{self.low:.3g}, {self.high:.3g}]" if self.low != self.high else ""
        target = "" if self.target is None else f"<= {self.target:g}"
        verdict = "" if self.target is None else ("ok" if self.value <= self.target else "MISSED")
        number = f"{self.value:.3g} {self.unit}"
        return f"{self.name:<66} {number:>9} {spread:<16} {target:<8} {verdict:<6} {self.note}"


def result(
    name: str, values: Sequence[float], unit: str, target: float | None = None, note: str = ""
) -> Result:
    """The median of repeated measurements with their quartiles."""
    low, _, high = quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return Result(name, median(values), low, high, unit, target, note)


def ratio(
    name: str, pairs: Sequence[tuple[float, float]], target: float | None = None, note: str = ""
) -> Result:
    """The median of the ratios of (measured, baseline) seconds, taken in turn."""
    measured, baseline = (median(side) * 1e3 for side in zip(*pairs, strict=True))
    detail = f"{measured:.1f} ms / {baseline:.1f} ms, {len(pairs)} pairs"
    return result(
        name, [a / b for a, b in pairs], "x", target, f"{detail}; {note}" if note else detail
    )


def environment() -> dict[str, str]:
    """That of an installed growlang: bytecode is kept, one thread."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "OMP_NUM_THREADS": "1"}


def run(command: Sequence[str]) -> float:
    """Seconds that a child takes. Raises CalledProcessError if it fails."""
    start = time.perf_counter()
    subprocess.run(
        command,
        cwd=ROOT,
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def taken(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def show(results: Sequence[Result]) -> None:
    """Print the results: as a table or, with `--json`, a JSON list."""
    if "--json" in sys.argv[1:]:
        print(json.dumps([found._asdict() for found in results]))
        return
    print(f"one thread, {os.cpu_count()} CPUs, Python {sys.version.split()[0]}")
    for found in results:
        print(found)
