"""Several runs of one command: each of a list of values that `--set` gives makes a run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from growlang.diagnostics import GrowlangError

PARTS = re.compile(r'"[^"\n]*"|[(\[{]|[)\]}]|,')
"""Strings, brackets and commas: those inside of others end no value."""
UNFIT = re.compile(r"[^A-Za-z0-9_.+=-]+")
"""Signs that the name of a run does not have."""


class Variant(NamedTuple):
    """One run of several: what is set, and what names it; empty where there is only one."""

    params: Mapping[str, str]
    mark: str = ""


def variants(given: Sequence[tuple[str, str]]) -> list[Variant]:
    """The runs that `--set NAME=VALUE,VALUE` asks for: one for each choice of values.

    Each is named by the values of the lists: `lr=1e-3`, `lr=1e-3-batch=8`. Raises GrowlangError for
    a list with an empty value, or with values that would give two runs one name.
    """
    choices = {name: values_of(text) for name, text in given}
    lists = [name for name, values in choices.items() if values[1:]]
    for name in lists:
        if not all(choices[name]):
            raise GrowlangError(
                f"`--set {name}=...` is a list with an empty value",
                help=f"write `--set {name}=A,B`: a value between commas for each run",
            )
    labels = _labels(lists)
    made = []
    for chosen in product(*choices.values()):
        params = dict(zip(choices, chosen, strict=True))
        mark = "-".join(UNFIT.sub("_", f"{labels[n]}={params[n]}").rstrip("_") for n in lists)
        made.append(Variant(params, mark))
    marks = [variant.mark for variant in made]
    if twice := next((mark for mark in marks if marks.count(mark) > 1), None):
        raise GrowlangError(
            f"two of the runs that --set asks for would have the name `{twice}`",
            help="give each value once, and values that differ in more than signs",
        )
    return made


def values_of(text: str) -> list[str]:
    """The values between the commas of a text; those in brackets and strings end none."""
    depth, begin, found = 0, 0, []
    for part in PARTS.finditer(text):
        depth += (part[0] in ("(", "[", "{")) - (part[0] in (")", "]", "}"))
        if part[0] == "," and depth == 0:
            found.append(text[begin : part.start()].strip())
            begin = part.end()
    return [*found, text[begin:].strip()]


def _labels(names: Sequence[str]) -> dict[str, str]:
    """What stands for each name in that of a run: its last word, or as many as tell it apart."""
    words = {name: name.split(".") for name in names}

    def short(name: str) -> Iterator[str]:
        return (".".join(words[name][-n:]) for n in range(1, len(words[name]) + 1))

    others = {name: [w for other in names if other != name for w in short(other)] for name in names}
    return {name: next(w for w in (*short(name), name) if w not in others[name]) for name in names}
