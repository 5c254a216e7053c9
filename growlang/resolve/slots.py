"""The slots of a model: their options, and an example of each that a model must have."""

from __future__ import annotations

from typing import Any

from growlang.signatures.signature import Signature
from growlang.signatures.tables import Table
from growlang.spec.changes import DOWNS, UPS
from growlang.spec.forms import NO_CALLS, Choices
from growlang.spec.model import CORE_SKIPS, POSITIONS, Slot
from growlang.spec.positions import ROTATED

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
