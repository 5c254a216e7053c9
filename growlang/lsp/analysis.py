"""What is known about the text of an open file, also while it does not parse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from growlang.check import Checked, check
from growlang.diagnostics import Diagnostic, GrowlangError, Note, Span
from growlang.resolve.files import Files
from growlang.syntax import document as d


class Point(NamedTuple):
    """A place between two characters; rows and columns count from 1."""

    row: int
    column: int


@dataclass
class OpenFiles(Files):
    """Reads open files from the editor, and others from the disk."""

    contents: Mapping[Path, str] = field(default_factory=dict)

    def content(self, path: Path) -> bytes:
        """The bytes of a file. Raises OSError where it cannot be read."""
        if path in self.contents:
            return self.contents[path].encode()
        return super().content(path)


@dataclass(frozen=True)
class Analysis:
    """The findings about a text, and what its last version that was good says.

    `document` is of the last text that parsed, `checked` of the last one without errors: hover and
    completion go on with them while the user types.
    """

    path: Path
    text: str
    diagnostics: tuple[Diagnostic, ...] = ()
    document: d.Document | None = None
    checked: Checked | None = None
    reads: frozenset[Path] = frozenset()
    """The files that it depends on: its own, its ancestors' and what they import."""


def analyse(path: Path, contents: Mapping[Path, str], before: Analysis | None = None) -> Analysis:
    """The analysis of an open file; `contents` are the texts of all that are open."""
    path = path.resolve()
    files = OpenFiles(contents=contents)
    text = contents.get(path, "")
    last = before or Analysis(path, text)
    try:
        report = check(path, files=files)
    except GrowlangError as error:
        place = Span(str(path), 1, 1, 1, 1)
        found = Diagnostic("", error.message, place, error.help)
        return Analysis(path, text, (found,), last.document, last.checked, last.reads)
    document = files.documents.get(path)
    if document is None or document.cut:
        document = last.document
    diagnostics = tuple(dict.fromkeys(_here(item, path, document) for item in report.diagnostics))
    reads = frozenset(files.documents)
    return Analysis(path, text, diagnostics, document, report.checked or last.checked, reads)


def _here(item: Diagnostic, path: Path, document: d.Document | None) -> Diagnostic:
    """A finding in this file; one about another file stands where that is referred to."""
    if Path(item.span.filename).resolve() == path:
        return item
    place = Span(str(path), 1, 1, 1, 1)
    name = Path(item.span.filename).name
    if document:
        asked = [(m.grows.file, m.grows.file_span) for m in document.models if m.grows]
        asked += [(i.file, i.span) for i in document.imports]
        near = [span for file, span in asked if Path(file).name == name]
        place = next(iter([*near, *(span for _, span in asked)]), place)
    note = Note(item.message, item.span)
    return Diagnostic(item.code, f"in {name}: {item.message}", place, item.help, (note,))


def covers(span: Span, point: Point) -> bool:
    """Whether a point lies in a span or at one of its ends."""
    return (span.row, span.column) <= point <= (span.end_row, span.end_column)
