"""A name that is not there, with the one that may be meant."""

from __future__ import annotations

from collections.abc import Iterable

from growlang.diagnostics.findings import GrowlangError
from growlang.diagnostics.spelling import suggestion

SHOWN = 8
"""Names that the help lists where none is near."""


class UnknownName(GrowlangError, KeyError):
    """A name that is not among those there are. It is a KeyError too, as of any mapping."""

    def __init__(self, what: str, name: object, known: Iterable[str]) -> None:
        names = list(known)
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        there = ", ".join(names[:SHOWN]) + more if names else "none"
        help = suggestion(str(name), names) or f"there are {there}"
        super().__init__(f"{what} `{name}`", help=help)

    def __str__(self) -> str:
        return self.message
