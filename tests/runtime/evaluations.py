"""A plan that says what is measured, and evaluations that are quick."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny import phase, plan

from growlang.plans.plan import Plan
from growlang.spec.metrics import Metric
from growlang.spec.recipe import Evaluate, Validation
from growlang_runtime.evaluation import pictures
from growlang_runtime.train import validation

COUNT = 6


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Chunks of two images, few draws of held-out ones, and a cache of its own."""
    monkeypatch.setattr(pictures, "CHUNK", 2)
    monkeypatch.setattr(validation, "DRAWS", 8)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def evaluated(*chosen: Metric, **changes: Any) -> Plan:
    """A plan whose spec says what is measured, and that holds its own data out for the loss."""
    said = Evaluate(**{"count": COUNT, "metrics": [*chosen], **changes})
    first = phase(ema=0.5)
    held = Validation(data=first.settings.data, transform=first.settings.transform)
    return plan([first], evaluate=said, validation=held, params={})
