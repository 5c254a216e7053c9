"""Resolves what a recipe's loss is measured on: sources held out, or a share of its own data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from growlang.diagnostics import Findings
from growlang.diagnostics.literals import literal
from growlang.resolve.names import HOLE, Names, evaluate, origins
from growlang.spec.data import Source
from growlang.spec.recipe import Settings, Validation
from growlang.syntax import document as d


def share_of(binding: d.Binding, scope: Names) -> Any:
    """The share that `holdout` says; HOLE, with a finding, where it is none."""
    value = evaluate(binding.value, scope)
    if value is HOLE or (type(value) in (int, float) and 0 <= value < 1):
        return value
    percent = type(value) in (int, float) and 1 <= value < 100
    scope.findings.add(
        "G201",
        f"`holdout` must be a share, at least 0 and less than 1, not `{literal(value)}`",
        binding.value.span,
        help=f"write `holdout = {literal(value) if percent else 2}%`",
        notes=origins(binding.value, scope),
    )
    return HOLE


def validation_of(
    values: Mapping[str, Any],
    written: Mapping[str, d.Binding],
    settings: Settings,
    findings: Findings,
) -> Validation | None:
    """What `validate` or `holdout` says; None where neither does, or both do, with a finding.

    `values` are theirs, `written` where they stand.
    """
    if len(written) > 1:
        last = max(written.values(), key=lambda b: b.name_span)
        findings.add(
            "G430",
            "a recipe sets both `validate` and `holdout`",
            last.name_span,
            help=f"remove `{last.name}`: the loss is measured on one of them",
        )
        return None
    if share := values.get("holdout"):
        own = holding_out(settings, float(share))
        return Validation(data=own.data, transform=own.transform, holdout=float(share))
    if "validate" not in values:
        return None
    sources: list[Source] = values["validate"]
    for source in sources:
        if any(_draws_all(trained, source) for trained in settings.data):
            findings.add(
                "G431",
                f"`validate` names images that the recipe trains on: those of `{source.name}`",
                written["validate"].span,
                help="write `holdout = 2%`, which no step then trains on, or name other data",
            )
    return Validation(data=sources, transform=settings.transform)


def holding_out(settings: Settings, share: float) -> Settings:
    """The settings with a share of each source held out."""
    data = [source.model_copy(update={"holdout": share}) for source in settings.data]
    return settings.model_copy(update={"data": data})


def _draws_all(trained: Source, held_out: Source) -> bool:
    """Whether every image of a source is among those that another one draws."""
    return trained.data == held_out.data and trained.where in (None, held_out.where)
