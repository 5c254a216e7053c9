"""Warns of an `evaluate` that a run could not carry out, as far as the spec shows it."""

from __future__ import annotations

from growlang.diagnostics import Findings, Span
from growlang.resolve.spec import Resolved
from growlang.spec.recipe import Evaluate
from growlang.syntax import document as d


def warn_unmeasurable(resolved: Resolved, findings: Findings) -> None:
    """Warnings of too few images for a metric, and of held-out ones that there are not.

    They are told where the file itself has an `evaluate`.
    """
    section = next((s for s in resolved.document.sections if s.kind == "evaluate"), None)
    if section is None or resolved.evaluate is None:
        return
    _warn_few(section, resolved.evaluate, findings)
    _warn_nothing_held_out(section, resolved, findings)


def _warn_few(section: d.Section, said: Evaluate, findings: Findings) -> None:
    few = [m for m in said.metrics if m.draws and m.least() > said.count]
    if not few:
        return
    most = max(few, key=lambda metric: metric.least())
    instead = most.fewer(said.count)
    findings.add(
        "G460",
        f"`count` is {said.count:,}, but `{most.call}` needs at least {most.least():,} images",
        _place(section, "count"),
        help=f"write `count = {most.least()}` or more, or "
        + (f"measure `{instead}`" if instead else f"leave `{most.call}` out of `metrics`"),
    )


def _warn_nothing_held_out(section: d.Section, resolved: Resolved, findings: Findings) -> None:
    said = resolved.evaluate
    if said is None or not resolved.recipes or any(r.validation for r in resolved.recipes):
        return
    loss = any(metric.call == "held_out_loss" for metric in said.metrics)
    if loss or said.reference == "held_out":
        what, name = ("`held_out_loss`", "metrics") if loss else ("`reference`", "reference")
        findings.add(
            "G461",
            f"{what} needs held-out images, and no recipe holds any out",
            _place(section, name),
            help="write `holdout = 5%` in `train`",
        )


def _place(section: d.Section, name: str) -> Span:
    """Where a setting is written, or the section where it is not."""
    return next((b.span for b in section.settings if b.name == name), section.span)
