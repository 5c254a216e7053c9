"""The canonical layout as edits of the rows that differ, so that cursors and folds stay."""

from __future__ import annotations

from difflib import SequenceMatcher

from growlang.diagnostics import Edit, Findings, Span
from growlang.lsp.analysis import Analysis
from growlang.syntax.fmt import fmt_text


def formatting(analysis: Analysis) -> list[Edit]:
    """The edits that lay a text out; none where it does not parse."""
    text = fmt_text(analysis.text, str(analysis.path), Findings())
    return [] if text is None else edits(analysis.text, text, str(analysis.path))


def edits(old: str, new: str, filename: str) -> list[Edit]:
    """What makes one text of another: an edit for each run of rows that differ."""
    before, after = old.split("\n"), new.split("\n")
    found = []
    for kind, i, j, k, m in SequenceMatcher(None, before, after).get_opcodes():
        if kind == "equal":
            continue
        rows = after[k:m]
        if j < len(before):
            span, text = Span(filename, i + 1, 1, j + 1, 1), "".join(f"{row}\n" for row in rows)
        else:  # the last row has no line end behind it, so the one before it goes
            start = (i, len(before[i - 1]) + 1) if i else (1, 1)
            span = Span(filename, *start, j, len(before[-1]) + 1)
            text = "".join(f"\n{row}" for row in rows)[0 if i else 1 :]
        found.append(Edit(span, text))
    return found
