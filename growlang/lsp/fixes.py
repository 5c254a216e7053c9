"""Edits that mend a finding."""

from __future__ import annotations

import re
from typing import NamedTuple

from growlang.diagnostics import Diagnostic, Span
from growlang.lsp.analysis import Analysis, Point, covers
from growlang.lsp.context import offset

MEANT = re.compile(r"did you mean `([^`]+)`\?")


class Fix(NamedTuple):
    """An edit under a title, for the finding that it mends."""

    title: str
    span: Span
    text: str
    diagnostic: Diagnostic


def fixes(analysis: Analysis, start: Point, end: Point) -> list[Fix]:
    """The fixes of the findings that a range touches."""
    touched = [
        item for item in analysis.diagnostics if covers(item.span, start) or covers(item.span, end)
    ]
    return [fix for item in touched for fix in _fixes(analysis.text, item)]


def _fixes(text: str, item: Diagnostic) -> list[Fix]:
    meant = MEANT.match(item.help)
    if meant is None:
        return []
    span = item.span
    start = offset(text, Point(span.row, span.column))
    written = text[start : offset(text, Point(span.end_row, span.end_column))]
    wrong = re.findall(r"`([^`]+)`", item.message)
    for name in wrong:
        at = re.search(rf"(?<![a-z0-9_.]){re.escape(name)}(?![a-z0-9_])", written)
        if at and "\n" not in written[: at.end()]:
            column = span.column + at.start()
            place = Span(span.filename, span.row, column, span.row, column + len(name))
            return [Fix(f"write `{meant[1]}`", place, meant[1], item)]
    return []
