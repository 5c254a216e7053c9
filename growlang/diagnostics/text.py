"""Findings as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from growlang.diagnostics import Diagnostic, Edit, Span
from growlang.diagnostics.codes import CODES

FORMAT_VERSION = 1
LONG_LINE = 200
"""Most characters that are shown of a line."""
Style = Callable[[str, str], str]
"""Gives a text the look of a role: `error`, `warning`, `place`, `note` or `help`."""


def as_json(diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """The findings with a `format_version`."""
    return {
        "format_version": FORMAT_VERSION,
        "diagnostics": [_diagnostic_json(item) for item in diagnostics],
    }


def _diagnostic_json(item: Diagnostic) -> dict[str, Any]:
    code = CODES[item.code]
    return {
        "code": item.code,
        "severity": code.severity,
        "name": code.name,
        "message": item.message,
        "filename": item.span.filename,
        **_place_json(item.span),
        "help": item.help or None,
        "edits": [
            {**_place_json(e.span), "text": e.text, "applicability": applicability(e)}
            for e in item.edits
        ],
        "notes": [
            {"message": n.message, "filename": n.span.filename, **_place_json(n.span)}
            for n in item.notes
        ],
    }


def applicability(edit: Edit) -> str:
    """`safe` or `unsafe`: whether `--fix` makes the edit, or only `--unsafe-fixes`."""
    return "safe" if edit.safe else "unsafe"


def _place_json(span: Span) -> dict[str, Any]:
    return {
        "location": {"row": span.row, "column": span.column},
        "end_location": {"row": span.end_row, "column": span.end_column},
    }


def as_text(item: Diagnostic, texts: Mapping[str, str], style: Style) -> str:
    """One finding: what, where with carets, where the other value was fixed, and the edit."""
    code = CODES[item.code]
    gutter = " " * len(str(max([item.span.row, *(n.span.row for n in item.notes)])))
    lines = [
        f"{style(f'{code.severity}[{item.code}]', code.severity)}: {item.message}",
        f"{gutter}{style('-->', 'place')} {item.span}",
        *_excerpt(item.span, "^", "", texts, gutter, style, code.severity),
    ]
    for note in item.notes:
        if note.span.filename != item.span.filename:
            lines.append(f"{gutter}{style(':::', 'place')} {note.span}")
        lines += _excerpt(note.span, "-", note.message, texts, gutter, style, "note")
    if item.help:
        lines.append(f"{gutter} {style('= help:', 'help')} {item.help}")
    return "\n".join(lines)


def as_texts(found: Iterable[Diagnostic], texts: Mapping[str, str]) -> str:
    """Several findings without colours, a blank line between two."""
    return "\n\n".join(as_text(item, texts, plain) for item in found)


def plain(text: str, role: str) -> str:
    """The style of a text without colours."""
    return text


def counts(specs: int, errors: int, warnings: int) -> str:
    """How many were checked and found: `2 specs checked, no errors, 1 warning`."""
    checked = f"{specs} spec" + "s" * (specs != 1)
    count = f"{errors} error" + "s" * (errors != 1) if errors else "no errors"
    count += f", {warnings} warning" + "s" * (warnings != 1) if warnings else ""
    return f"{checked} checked, {count}"


def excerpt(span: Span, text: str, label: str) -> str:
    """A place, the line that it is in, and what is said of it, without colours."""
    gutter = " " * len(str(span.row))
    rows = _excerpt(span, "^", label, {span.filename: text}, gutter, plain, "error")
    return "\n".join([f"{gutter}--> {span}", *rows])


def _excerpt(
    span: Span,
    sign: str,
    label: str,
    texts: Mapping[str, str],
    gutter: str,
    style: Style,
    role: str,
) -> list[str]:
    """The line of a place with its text underlined; nothing where the text is not at hand."""
    rows = _rows(texts.get(span.filename, ""))
    if not 0 < span.row <= len(rows):
        return []
    line = rows[span.row - 1].rstrip("\r").replace("\t", " ")
    end = span.end_column if span.end_row == span.row else len(line.split("#")[0].rstrip()) + 1
    cut = _cut(line, span.column)
    line = line[cut : cut + LONG_LINE]
    column = span.column - cut
    marks = sign * max(1, min(end - cut, len(line) + 1) - column)
    bar = style("|", "place")
    number = style(str(span.row).rjust(len(gutter)), "place")
    return [
        f"{gutter} {bar}",
        f"{number} {bar} {line}",
        f"{gutter} {bar} {' ' * (column - 1)}{style(f'{marks} {label}'.rstrip(), role)}",
    ]


def _cut(line: str, column: int) -> int:
    """How many characters of a line are left out before what is shown of it."""
    return max(0, min(column - LONG_LINE // 4, len(line) - LONG_LINE))


@lru_cache(maxsize=8)
def _rows(text: str) -> list[str]:
    return text.split("\n")
