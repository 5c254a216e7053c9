"""What is read of finished runs: their speed, their held-out losses, what became of their core."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from growlang.net import ComponentName
from growlang.plans.weights_header import METRICS
from growlang_runtime.storage.weights import Weights


class Speed(NamedTuple):
    """A phase of a run."""

    phase: str
    seconds: float
    """Wall time of the phase, checkpoints and grids included."""
    images_per_s: float
    """The median over its lines."""


class Loss(NamedTuple):
    """At one noise level, of the averaged weights, on the objects never seen at the size."""

    t: float
    log_snr: float
    loss: float


def lines_of(run: Path) -> list[dict[str, Any]]:
    """A run's metrics, line by line."""
    return [json.loads(line) for line in (run / METRICS).read_text("utf-8").splitlines()]


def trained_steps(run: Path) -> int:
    """How many steps a run has taken."""
    return max(int(line["step"]) for line in lines_of(run) if "step" in line)


def losses(run: Path) -> tuple[Loss, ...]:
    """By noise level, of the last validation; empty for a run that validates nothing."""
    told = [line for line in lines_of(run) if line.get("event") == "validation"]
    levels = told[-1]["levels"] if told else []
    return tuple(Loss(level["t"], level["log_snr"], level["averaged"]) for level in levels)


def speeds(run: Path) -> tuple[Speed, ...]:
    """Of each phase, as the run's metrics say."""
    told = [line for line in lines_of(run) if "images_per_s" in line]
    phases = dict.fromkeys(line["phase"] for line in told)
    return tuple(
        _speed(phase, [line for line in told if line["phase"] == phase]) for phase in phases
    )


def _speed(phase: str, lines: Sequence[Mapping[str, Any]]) -> Speed:
    seconds = sum(sum(line["seconds"].values()) for line in lines)
    return Speed(phase, seconds, median(line["images_per_s"] for line in lines))


def with_core_of(core: Weights, grown: Weights) -> Weights:
    """The core's own model, with the tensors that were kept as a grown model has them.

    With those of a frozen core it is what it was.
    """
    kept = {
        name: grown.tensors[name]
        for name in core.tensors
        if str(ComponentName.of_tensor(name)) in KEPT
    }
    return replace(core, tensors=core.tensors | kept)


KEPT = ("core", "text", "time")
"""The components that grown models keep of the core's."""
