"""The bindings of a model whose values are calls: its inputs, its time and its conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from growlang.diagnostics import Findings
from growlang.resolve.arguments import bind
from growlang.resolve.names import Names
from growlang.resolve.pipes import Pipes
from growlang.signatures.signature import Signature
from growlang.signatures.tables import Table
from growlang.spec.model import BINDINGS
from growlang.spec.words import belongs, meant
from growlang.syntax import document as d

OF_STAGES = {"down": "down = average", "up": "up = nearest"}
"""Options of a stage that may be taken for bindings of the model."""


def read_call(
    binding: d.Binding, table: Table[Signature], pipes: Pipes, scope: Names, *, is_whole: bool
) -> Any:
    """The value of a binding that is a call, its places noted in `pipes`; None where it is refused.

    Where the text of the model is not whole, a binding without a call may be an option of a slot
    whose beginning is left out: nothing is said about it.
    """
    value = binding.value
    if not isinstance(value, d.Call):
        if is_whole:
            _refuse_value(binding, table, scope.findings)
        return None
    signature = table.find(value.name)
    if signature is None:
        _refuse_name(binding, value, table, scope.findings)
        return None
    bound = bind(value, signature, scope)
    pipes.spans[(binding.name,)] = value.span
    for name, span in bound.spans.items():
        pipes.spans[(binding.name, name)] = span
        pipes.notes[(binding.name, name)] = bound.notes[name]
    return bound.value


def _refuse_value(binding: d.Binding, table: Table[Signature], findings: Findings) -> None:
    """The finding about a binding whose value is no call."""
    message, span = f"`{binding.name}` must be a call", binding.value.span
    help = belongs(binding.name, "name", "model") or _write(binding, [*table])
    if example := OF_STAGES.get(binding.name):
        help = _of_stage(example)
    findings.add("G201", message, span, help=help)


def _refuse_name(
    binding: d.Binding, call: d.Call, table: Table[Signature], findings: Findings
) -> None:
    """The finding about a binding that calls what its table does not have."""
    message = f"unknown condition `{call.name}`"
    if binding.name in BINDINGS:
        message = f"`{binding.name}` cannot be `{call.name}`"
    known, span = table.names(), call.name_span
    beyond = table.elsewhere(call.name)
    help, edits = meant(span, call.name, known, _write(binding, known), "call", beyond=beyond)
    if example := OF_STAGES.get(binding.name):
        help, edits = _of_stage(example), ()
    findings.add("G106", message, span, help=help, edits=edits)


def _write(binding: d.Binding, known: Sequence[str]) -> str:
    forms = " | ".join(f"{name}(...)" for name in known)
    return f"write `{binding.name} = {forms}`"


def _of_stage(example: str) -> str:
    return f"it is an option of a stage: `stage @ 32 ({example})`"
