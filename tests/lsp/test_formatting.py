"""The edits of the canonical layout."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsp_texts import TIDY, analysed

from growlang.diagnostics import Edit
from growlang.lsp.analysis import Point
from growlang.lsp.context import offset
from growlang.lsp.formatting import edits, formatting
from growlang.syntax.fmt import fmt_text


@pytest.mark.parametrize(
    ("old", "new", "rows"),
    [
        ("grow 1", "grow 1", []),
        ("batch     = 8", "batch = 8", [23]),
        ("\n\ndata", "\n\n\n\ndata", [16]),
        ("guidance = 2.0", "guidance=2.0", [32]),
        ('prompts.txt" }\n', 'prompts.txt" }', [32]),
        ('prompts.txt" }\n', 'prompts.txt" }\n\n', [33]),
        ("grow 1", "# one\ngrow 1", []),
        ("batch     = 8", "batch =", []),
    ],
)
def test_formatting_edits_the_rows_that_differ(old: str, new: str, rows: list[int]) -> None:
    assert TIDY is not None
    text = TIDY.replace(old, new)
    analysis = analysed("core.grow", text)
    found = formatting(analysis)
    assert [edit.span.row for edit in found] == rows
    assert all(edit.safe for edit in found)
    if not analysis.diagnostics:
        assert applied(text, found) == fmt_text(text, "").result


def applied(text: str, found: list[Edit]) -> str:
    """The text with the edits made as an editor makes them: all at the places of the old text."""
    for edit in reversed(found):
        span = edit.span
        start = offset(text, Point(span.row, span.column))
        text = text[:start] + edit.text + text[offset(text, Point(span.end_row, span.end_column)) :]
    return text


@given(
    old=st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=6),
    new=st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=6),
)
def test_edits_make_one_text_of_another(old: list[str], new: list[str]) -> None:
    before, after = "\n".join(old), "\n".join(new)
    assert applied(before, edits(before, after, "")) == after
