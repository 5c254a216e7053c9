"""Edits that mend a finding."""

from __future__ import annotations

from typing import NamedTuple

from growlang.diagnostics import Diagnostic, Span
from growlang.lsp.analysis import Analysis, Point, covers


class Fix(NamedTuple):
    """An edit under a title, for the finding that it mends."""

    title: str
    span: Span
    text: str
    diagnostic: Diagnostic


def fixes(analysis: Analysis, start: Point, end: Point) -> list[Fix]:
    """The edits that the findings touched by a range carry: those of `growlang check --fix`."""
    return [
        Fix(f"write `{edit.text}`", edit.span, edit.text, item)
        for item in analysis.diagnostics
        if covers(item.span, start) or covers(item.span, end)
        for edit in item.edits
    ]
