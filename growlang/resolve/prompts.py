"""Refuses prompts of `sample` that no condition of the model reads."""

from __future__ import annotations

from growlang.diagnostics import Findings, Span, stage
from growlang.diagnostics.spelling import nearest
from growlang.resolve.spec import Resolved
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


def _written(resolved: Resolved, index: int) -> Span:
    """Where the prompt of that number stands, in this file or in that of an ancestor."""
    levels = resolved.sections("sample")
    value = next(b.value for level in levels for b in level if b.name == "prompts")
    return value.items[index].span if isinstance(value, d.ListOf) else value.span
