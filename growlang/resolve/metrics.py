"""Metrics that are given beside a file, as the language writes them: `kid(subset_size = 50)`."""

from __future__ import annotations

from collections.abc import Sequence

from growlang.diagnostics import Diagnostic, Findings
from growlang.resolve.arguments import read
from growlang.resolve.names import HOLE, Names
from growlang.spec.forms import choices
from growlang.spec.metrics import Metric
from growlang.spec.recipe import Evaluate
from growlang.syntax import grow

WHERE = "--metric"
"""What stands for the file in the places of findings."""


def metrics_of(texts: Sequence[str]) -> tuple[tuple[Metric, ...], tuple[Diagnostic, ...]]:
    """The metrics, and what is wrong with how they are written; then there are none."""
    document, wrong, _ = grow.read(f"grow 1 evaluate {{ metrics = [{', '.join(texts)}] }}", WHERE)
    if document is None or wrong:
        return (), wrong
    findings = Findings()
    value = document.sections[0].settings[0].value
    found = read(value, choices(Evaluate, "metrics"), Names(findings))
    wrong = tuple(findings.items)
    return (() if found is HOLE or wrong else tuple(found)), wrong
