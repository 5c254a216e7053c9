"""What a metric is given, and what it gives: the interface of `growlang.metrics`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang_runtime.evaluation.pictures import Pictures
from growlang_runtime.storage.weights import Weights


@dataclass(frozen=True)
class Subject:
    """What is measured: weights, the images that they drew, and real ones."""

    weights: Weights
    plan: Plan
    generated: Pictures
    """The images that were drawn, each with its prompt."""
    reference: Pictures
    """The real images, each with its caption or the name of its class."""
    further: Pictures | None
    """As many other real images as were drawn; None where there are not so many."""
    data_root: Path
    """What files are relative to."""
    device: torch.device
    batch: int
    """Images that are computed at once."""
    say: Callable[[str], None] = print

    def require(self, name: str, needed: int) -> None:
        """Raise GrowlangError unless there are `needed` generated and real images."""
        require_images(name, needed, len(self.generated), len(self.reference))


@dataclass(frozen=True)
class Measured:
    """A value, and how it was measured. All of it is JSON."""

    value: float
    floor: float | None = None
    """The same between real images and other real images: what a perfect model would get."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further numbers."""
    protocol: Mapping[str, Any] = field(default_factory=dict)
    """What the value depends on besides the images: extractor, preprocessing, counts."""


def require_images(name: str, needed: int, generated: int, real: int, instead: str = "") -> None:
    """Raise GrowlangError unless there are `needed` generated and real images.

    `instead` is how the metric is written to do with those that there are, where it can be.
    """
    fits = f", or measure `{instead}`, for which they are enough" if instead else ""
    if real < needed:
        also = f", and `count` is {generated:,}" if generated < needed else ""
        raise GrowlangError(
            f"`{name}` needs at least {needed:,} real images, but the reference has {real:,}{also}",
            help=f"leave `{name}` out of `metrics`{fits}; a larger `count` does not help",
        )
    if generated < needed:
        raise GrowlangError(
            f"`{name}` needs at least {needed:,} generated images, but `count` is {generated:,}",
            help=f"use --count {needed}, or write `count = {needed}` in `evaluate`{fits}",
        )
