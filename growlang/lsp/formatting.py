"""The canonical layout as edits of the rows that differ, so that cursors and folds stay."""

from __future__ import annotations

from difflib import SequenceMatcher

from growlang.diagnostics import Edit, GrowlangError, Span
from growlang.formatting import formatted
from growlang.lsp.analysis import Analysis


def formatting(analysis: Analysis) -> list[Edit]:
    """The edits that lay a text out, in either syntax; none where it does not parse."""
    try:
        text = formatted(analysis.path, analysis.text.encode()).text
    except GrowlangError:
        return []
    return [] if text is None else edits(analysis.text, text, str(analysis.path))


def edits(old: str, new: str, filename: str) -> list[Edit]:
    """What makes one text of another: an edit for each run of rows that differ."""
    before, after = old.split("\n"), new.split("\n")
    found = []
    for kind, i, j, k, m in SequenceMatcher(None, before, after).get_opcodes():
        if kind == "equal":
            continue
        if j < len(before):
            span = Span(filename, i + 1, 1, j + 1, 1)
            gone, text = ("".join(f"{row}\n" for row in rows) for rows in (before[i:j], after[k:m]))
        else:  # the last row has no line end behind it, so the one before it goes
            start = (i, len(before[i - 1]) + 1) if i else (1, 1)
            span = Span(filename, *start, j, len(before[-1]) + 1)
            first = 0 if i else 1
            gone, text = (
                "".join(f"\n{row}" for row in rows)[first:] for rows in (before[i:j], after[k:m])
            )
        found.append(Edit(span, text, gone, safe=True))
    return found
