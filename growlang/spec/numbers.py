"""Numbers that are given for the conditions of a model, in `sample` or with a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from growlang.diagnostics.spelling import nearest
from growlang.ops import Condition
from growlang.ops.number import Number

Given = Mapping[str, float | Sequence[float]]
"""Numbers by the name of the condition that reads them; several as a list."""


class Refusal(NamedTuple):
    """Why numbers cannot be given for a condition, and what can."""

    name: str
    why: str
    wanted: dict[str, tuple[str, ...]]
    """The fields that may be given, by the condition's name."""


def listed(numbers: Given | None) -> dict[str, list[float]]:
    """The numbers, each as a list. Raises ValueError, TypeError for what is none."""
    found = (numbers or {}).items()
    return {
        n: [float(v)] if isinstance(v, int | float) else [float(x) for x in v] for n, v in found
    }


def refusal(
    given: Mapping[str, Sequence[float]], conditions: Mapping[str, Condition]
) -> Refusal | None:
    """Why some numbers are not those of the conditions of a model; None where all are."""
    own = {name: c.fields for name, c in conditions.items() if isinstance(c, Number)}
    for name, several in given.items():
        if name not in own:
            near = nearest(name, own)
            wanted = {n: own[n] for n in near[:1] or own}
            kind = "reads no numbers" if name in conditions else "is no condition of the model"
            return Refusal(name, f"`{name}` {kind}", wanted)
        wanted, count = {name: own[name]}, len(own[name])
        if len(several) != count:
            reads = ", ".join(f"`{field}`" for field in own[name])
            are = "1 number is" if len(several) == 1 else f"{len(several)} numbers are"
            return Refusal(name, f"`{name}` reads {reads}, and {are} given", wanted)
        if wrong := [n for n in several if not isfinite(n)]:
            return Refusal(name, f"`{name}` is given {wrong[0]:g}, which is not finite", wanted)
    return None


def as_option(name: str, fields: Sequence[str]) -> str:
    """How numbers of a condition are given with a command."""
    return f"--number {name}={','.join(map(shown, fields))}"


def shown(field: str) -> str:
    """A field as a word to put a number for."""
    return field.rpartition(":")[2].upper()
