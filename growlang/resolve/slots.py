"""The slots of a model: where they are, their options, and an example of each that it must have."""

from __future__ import annotations

from typing import Any

from growlang.resolve.arguments import read
from growlang.resolve.names import HOLE, Names, count_of, refuse_double
from growlang.resolve.pipes import Spans
from growlang.signatures.signature import Signature
from growlang.signatures.tables import Table
from growlang.spec.changes import DOWNS, UPS
from growlang.spec.forms import NO_CALLS, Choices
from growlang.spec.model import CORE_SKIPS, POSITIONS, Slot
from growlang.spec.positions import ROTATED
from growlang.spec.words import meant
from growlang.syntax import document as d

OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "stage": {"down": tuple(DOWNS), "up": tuple(UPS)},
    "core": {
        "position": POSITIONS,
        "skips": CORE_SKIPS,
        "prepend": (),
        "prepend_times": (),
        "prepend_at": (),
    },
}
"""Options of the slots, and the words that each may be."""
LISTS = ("prepend",)
"""Those of them that list conditions."""
COUNTS = {"prepend_times": 1, "prepend_at": 0}
"""Those that are an integer, and the least that it may be."""
CALLED: dict[str, Table[Signature]] = {"down": DOWNS, "up": UPS, "position": ROTATED}
"""What options may call; a bare name is such a call too."""
HOLLOW = Slot.model_construct(at=None, pipe=[None])
"""Stands for a slot that is missing or was refused."""
SLOTS = {
    "stem": "stem patch(4, width)",
    "core": "core @ 16 transformer(width, heads = 16) * 12",
    "head": "head unpatch(4)",
}
"""An example of each slot that a model must have."""
SLOTS_OF_TOKENS = {
    "stem": "stem embed(width)",
    "core": "core transformer(width, heads = 12, causal = true) * 12",
    "head": "head unembed",
}
"""Those of a model of tokens."""


def choices_of(kind: str, option: str) -> Choices:
    """What may stand in an option of a kind of slot."""
    calls = CALLED.get(option, NO_CALLS)
    words = tuple(word for word in OPTIONS.get(kind, {}).get(option, ()) if word not in calls)
    return Choices(words, calls, conditions=option in LISTS, numbers=option in COUNTS)


def is_fit(kind: str, option: str, value: Any) -> bool:
    """Whether a value may be that of an option."""
    if option in LISTS:
        return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
    if option in COUNTS:
        return type(value) is int and value >= COUNTS[option]
    return isinstance(value, Signature) or value in OPTIONS[kind][option]


def fitting(kind: str, option: str) -> str:
    """What the value of an option must be, in words."""
    if option in LISTS:
        words = "`time`, `class_token` or `learned`"
        return f"a list of conditions, {words}, such as `{option} = [label]`"
    if option in COUNTS:
        return f"an integer of at least {COUNTS[option]}"
    return f"one of {', '.join(OPTIONS[kind][option])}"


def read_resolution(slot: d.Slot, scope: Names) -> int:
    """The number after `@`, 0 where there is none or it was refused."""
    return 0 if slot.at is None else count_of("a resolution", slot.at, scope)


def read_options(slot: d.Slot, name: str, scope: Names, spans: Spans) -> dict[str, Any]:
    """The options of a slot, their places noted in `spans`; without those that are refused."""
    allowed = OPTIONS.get(slot.kind, {})
    found: dict[str, Any] = {}
    refuse_double("option", [(o.name, o.name_span) for o in slot.options], scope.findings)
    for option in slot.options:
        if option.name not in allowed:
            known = f"its options: {', '.join(allowed) or 'none'}"
            taken = {other.name for other in slot.options}
            place = option.name_span
            help, edits = meant(place, option.name, allowed, known, "name", taken=taken)
            message = f"`{slot.kind}` has no option `{option.name}`"
            scope.findings.add("G107", message, place, help=help, edits=edits)
            continue
        value = read(option.value, choices_of(slot.kind, option.name), scope)
        if is_fit(slot.kind, option.name, value):
            found[option.name] = value
            spans[(name, option.name)] = option.value.span
        elif value is not HOLE:
            if option.name in LISTS and isinstance(value, str):
                found[option.name] = [value]  # so that nothing is said about what it names
            scope.findings.add(
                "G201",
                f"`{option.name}` must be {fitting(slot.kind, option.name)}",
                option.value.span,
            )
    return found
