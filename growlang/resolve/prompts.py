"""Refuses prompts and numbers of `sample` that no condition of the model reads."""

from __future__ import annotations

from growlang.diagnostics import Findings, Span, stage
from growlang.diagnostics.spelling import nearest
from growlang.resolve.spec import Resolved
from growlang.spec import numbers
from growlang.spec.prompts import refusal
from growlang.syntax import document as d

UNCONDITIONAL = '`""` in its place, for an unconditional image'


@stage
def refuse_unread_prompts(findings: Findings, resolved: Resolved) -> None:
    """An error for the first prompt of the list that a run, and sampling, would refuse."""
    prompts, model = resolved.sample.prompts, resolved.model
    if model is None or model.tokens or not isinstance(prompts, list):
        return
    conditions = model.conditions.values()
    for index, prompt in enumerate(prompts):
        if refused := refusal(prompt, conditions):
            other, labels = UNCONDITIONAL, refused.labels
            if labels:
                close = nearest(prompt, labels.names) or [labels.name(0)]
                other = f'`"{close[0]}"` in its place: the model reads {labels.asked()}'
            findings.add(
                "G440",
                f'the prompt "{prompt}" cannot be used: {refused.why}',
                _written(resolved, index),
                help=f"write {other}",
            )
            return


@stage
def refuse_unread_numbers(findings: Findings, resolved: Resolved) -> None:
    """An error for numbers that sampling would refuse."""
    model, given = resolved.model, resolved.sample.given_numbers
    if model is None or not given or not (refused := numbers.refusal(given, model.conditions)):
        return
    levels = resolved.sections("sample")
    place = next(b.value for level in levels for b in level if b.name == "numbers")
    items = place.items if isinstance(place, d.ListOf) else ()
    span = next((item.span for item in items if item.name == refused.name), place.span)
    shown = [
        f"{name} = {fields[0]}" if len(fields) == 1 else f"{name} = [{', '.join(fields)}]"
        for name, fields in (
            (name, [numbers.shown(field) for field in fields])
            for name, fields in refused.wanted.items()
        )
    ]
    findings.add(
        "G441",
        f"the numbers of `{refused.name}` cannot be used: {refused.why}",
        span,
        help=f"write `numbers = [{', '.join(shown)}]`" if shown else "remove `numbers`",
    )


def _written(resolved: Resolved, index: int) -> Span:
    """Where the prompt of that number stands, in this file or in that of an ancestor."""
    levels = resolved.sections("sample")
    value = next(b.value for level in levels for b in level if b.name == "prompts")
    return value.items[index].span if isinstance(value, d.ListOf) else value.span
