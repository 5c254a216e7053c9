"""Numbers that are given for the conditions of a model, in `sample` or with a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.spelling import nearest
from growlang.ops import Condition

Given = Mapping[str, float | Sequence[float]]
"""Numbers by the name of the condition that reads them; several as a list."""


class Refusal(NamedTuple):
    """Why numbers cannot be given for a condition, and what can."""

    name: str
    why: str
    wanted: dict[str, tuple[str, ...]]
    """The fields that may be given, by the condition's name."""


def listed(numbers: Given | None) -> dict[str, list[float]]:
    """The numbers, each as a list. Raises GrowlangError for what is none."""
    try:
        if not isinstance(numbers or {}, Mapping):
            raise TypeError(f"{numbers!r} has no names")
        return {name: as_list(given) for name, given in (numbers or {}).items()}
    except (TypeError, ValueError) as error:
        raise GrowlangError(
            f"`numbers` must be numbers by the names of conditions: {error}",
            help='such as numbers = {"score": 6.5}',
        ) from error


def as_list(given: float | Sequence[float]) -> list[float]:
    """One number or several, as a list. Raises ValueError, TypeError for what is none."""
    return [float(given)] if isinstance(given, int | float) else [float(one) for one in given]


def refusal(
    given: Mapping[str, Sequence[float]], conditions: Mapping[str, Condition]
) -> Refusal | None:
    """Why some numbers are not those of the conditions of a model; None where all are."""
    own = {name: c.fields for name, c in conditions.items() if c.fields}
    for name, several in given.items():
        if name not in own:
            near = nearest(name, own)
            wanted = {n: own[n] for n in near[:1] or own}
            kind = "reads no numbers" if name in conditions else "is no condition of the model"
            return Refusal(name, f"`{name}` {kind}", wanted)
        if why := unfit(name, several, own[name]):
            return Refusal(name, why, {name: own[name]})
    return None


def unfit(name: str, several: Sequence[float], fields: Sequence[str]) -> str:
    """Why numbers are not those of a condition with such fields; empty where they are."""
    if len(several) != len(fields):
        reads = ", ".join(f"`{field}`" for field in fields)
        are = "1 number is" if len(several) == 1 else f"{len(several)} numbers are"
        return f"`{name}` reads {reads}, and {are} given"
    wrong = [number for number in several if not isfinite(number)]
    return f"`{name}` is given {wrong[0]:g}, which is not finite" if wrong else ""


def as_option(name: str, fields: Sequence[str]) -> str:
    """How numbers of a condition are given with a command."""
    return f"--number {name}={','.join(map(shown, fields))}"


def shown(field: str) -> str:
    """A field as a word to put a number for."""
    return field.rpartition(":")[2].upper()
