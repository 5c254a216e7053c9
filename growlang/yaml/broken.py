"""What is said of a text that is not YAML."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from growlang.diagnostics import Diagnostic, Note, Span

SELECTOR = re.compile(r"[a-z_][a-z0-9_.]*(\[[0-9.*]*\][a-z0-9_.]*)+")
"""A selector whose brackets YAML reads as a list, unless it stands in quotes."""


class _Slip(NamedTuple):
    """How the parser tells a mistake (a part of its context and of its problem), and how we do."""

    context: str
    problem: str
    message: str
    help: str
    note: str = ""
    """What is said of the place that the parser was reading from, where that helps."""
    at_context: bool = False


_SLIPS = (
    _Slip(
        "quoted scalar", "end of stream", "unterminated quote", "end it with the same quote",
        at_context=True,
    ),
    _Slip(
        "quoted scalar", "escape", "unknown escape",
        "in double quotes a backslash is written `\\\\`",
    ),
    _Slip(
        "flow mapping", "", "missing comma or closing `}` before this", "add it",
        note="the mapping starts here",
    ),
    _Slip(
        "flow sequence", "", "missing comma or closing `]` before this", "add it",
        note="the list starts here",
    ),
    _Slip(
        "", "mapping values", "unexpected key",
        "keys of one mapping share a column; a string with a colon in it needs quotes",
    ),
    _Slip(
        "simple key", "':'", "missing colon after a key", "write `name: value`",
        at_context=True,
    ),
    _Slip(
        "block mapping", "", "expected a key", "keys of one mapping share a column",
        note="the mapping starts here",
    ),
    _Slip(
        "block collection", "", "expected an item",
        "items of one list begin with `- ` in one column", note="the list starts here",
    ),
)  # fmt: skip


def explained(error: yaml.YAMLError, text: str, filename: str) -> Diagnostic:
    """The finding for what the parser says."""

    def at(row: int, column: int) -> Span:
        return Span(filename, row, column, row, column + 1)

    mark, context_mark = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    place = at(*_place(mark)) if mark else at(*_reader_place(error, text))
    begin = at(*_place(context_mark)) if context_mark else place
    context, problem = str(getattr(error, "context", "")), str(getattr(error, "problem", ""))
    line = text.split("\n")[place.row - 1 :][:1]
    sign = line[0][place.column - 1 : place.column] if line else ""
    if sign == "\t":
        return Diagnostic("G001", "YAML cannot be indented with tabs", place, "use spaces")
    if "cannot start" in problem:
        return Diagnostic(
            "G001", f"a plain string cannot begin with `{sign}`", place, "put it in quotes"
        )
    if "flow" in context and (selector := _selector(line, place)):
        message = f"unquoted, `{selector}` is several items in a YAML list"
        return Diagnostic("G001", message, place, f'put it in quotes: `"{selector}"`')
    for slip in _SLIPS:
        if slip.context in context and slip.problem in problem:
            notes = (Note(slip.note, begin),) if slip.note else ()
            span = begin if slip.at_context else place
            return Diagnostic("G001", slip.message, span, slip.help, notes)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    return Diagnostic("G001", f"this is not YAML: {reason}", place)


def _selector(line: list[str], place: Span) -> str:
    """The selector with brackets that a place lies in; empty where there is none."""
    found = SELECTOR.finditer(line[0]) if line else ()
    return next((m[0] for m in found if m.start() < place.column <= m.end()), "")


def _place(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _reader_place(error: yaml.YAMLError, text: str) -> tuple[int, int]:
    """Row and column of a character that YAML does not allow."""
    position = getattr(error, "position", 0) or 0
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
