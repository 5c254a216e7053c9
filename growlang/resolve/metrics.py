"""Metrics that are given beside a file, as the language writes them: `kid(subset_size = 50)`."""

from __future__ import annotations

from collections.abc import Sequence

from growlang.diagnostics import Diagnostic
from growlang.resolve.beside import setting_of
from growlang.spec.metrics import Metric
from growlang.spec.recipe import Evaluate


def metrics_of(texts: Sequence[str]) -> tuple[tuple[Metric, ...], tuple[Diagnostic, ...]]:
    """The metrics, and what is wrong with how they are written; then there are none."""
    found, wrong = setting_of(f"[{', '.join(texts)}]", Evaluate, "metrics", "--metric")
    return tuple(found or ()), wrong
