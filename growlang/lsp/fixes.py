"""Edits that mend a finding."""

from __future__ import annotations

from typing import NamedTuple

from growlang.diagnostics import Diagnostic, Edit, Span
from growlang.lsp.analysis import Analysis, Point, covers


class Fix(NamedTuple):
    """An edit under a title, for the finding that it mends; `safe` if it keeps the meaning."""

    title: str
    span: Span
    text: str
    diagnostic: Diagnostic
    safe: bool


def fixes(analysis: Analysis, start: Point, end: Point) -> list[Fix]:
    """The edits that the findings touched by a range carry; those that are safe come first.

    They are those of `growlang check --fix --unsafe-fixes`.
    """
    found = [
        Fix(_title(edit), edit.span, edit.text, item, edit.safe)
        for item in analysis.diagnostics
        if covers(item.span, start) or covers(item.span, end)
        for edit in item.edits
    ]
    return sorted(found, key=lambda fix: not fix.safe)


def _title(edit: Edit) -> str:
    note = "" if edit.safe else f" instead of `{edit.old}` (unsafe: it may change the meaning)"
    return f"write `{edit.text}`{note}"
