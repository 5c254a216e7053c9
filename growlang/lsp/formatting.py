"""The canonical layout as edits of the rows that differ, so that cursors and folds stay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from growlang.diagnostics import Diagnostic, Edit, GrowlangError, Span
from growlang.lsp.analysis import Analysis
from growlang.resolve.files import in_yaml
from growlang.syntax.fmt import fmt_text
from growlang.tools.formatting import formatted

HIDDEN = re.compile(r"\s*#~ (\d+) ~")
"""What stands for a row that is left as it is."""
BEGINS = re.compile(r"[a-z]")
"""How a row begins that begins an outermost statement."""
ROUNDS = 5
"""How often rows are hidden that are found wrong once others are hidden."""


def formatting(analysis: Analysis) -> list[Edit]:
    """The edits that lay a text out, in either syntax.

    Of a text in Grow that does not parse, those of the statements that do.
    """
    try:
        text = formatted(analysis.path, analysis.text.encode()).text
    except GrowlangError:
        return []
    if text is None and not in_yaml(analysis.path):
        text = _partly(analysis.text, str(analysis.path))
    return [] if text is None else edits(analysis.text, text, str(analysis.path))


def _partly(text: str, filename: str) -> str | None:
    """The text laid out but for the rows that do not parse; None where that cannot be told.

    Comments stand for those rows meanwhile: for each row alone or, where the rest does not parse
    without it, for all of the outer statement that it is part of.
    """
    lines = text.split("\n")
    for whole in (False, True):
        hidden: set[int] = set()
        for _ in range(ROUNDS):
            masked = [f"#~ {i} ~" if i in hidden else row for i, row in enumerate(lines, 1)]
            found = fmt_text("\n".join(masked), filename)
            if found.result is not None:
                return _shown(found.result, lines)
            rows = _rows(found.findings, whole)
            more = (_statements(lines, rows) if whole else rows) - hidden
            if not more:
                break
            hidden |= more
    return None


def _rows(findings: Sequence[Diagnostic], whole: bool) -> set[int]:
    """The rows at which something is wrong, and those of the brackets that it says are open."""
    spans = [item.span for item in findings]
    spans += [note.span for item in findings for note in item.notes] if whole else []
    return {row for span in spans for row in range(span.row, span.end_row + 1)}


def _statements(lines: list[str], rows: set[int]) -> set[int]:
    """All rows of the outermost statements of which some are given, told by indentation."""
    begins = [i for i, line in enumerate(lines, 1) if BEGINS.match(line)]
    found: set[int] = set()
    for first, behind in pairwise([*begins, len(lines) + 1]):
        inside = set(range(first, behind))
        found |= inside if inside & rows else set()
    return found


def _shown(text: str, lines: list[str]) -> str:
    """The text with the rows that were hidden, as they are."""
    rows = ((HIDDEN.fullmatch(row), row) for row in text.split("\n"))
    return "\n".join(lines[int(m[1]) - 1] if m else row for m, row in rows)


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
