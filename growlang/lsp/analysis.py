"""What is known about the text of an open file, also while it does not parse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from logging import getLogger
from pathlib import Path
from typing import NamedTuple

from growlang.checking import Checked, check, check_resolved
from growlang.diagnostics import Diagnostic, GrowlangError, Note, Outcome, Span
from growlang.lsp.reading import changed, reread
from growlang.resolve.files import Files, decoded, in_yaml, real
from growlang.resolve.names import HOLE, Bound
from growlang.resolve.spec import Resolved
from growlang.syntax import document as d
from growlang.tools.fix import LINE_END


class Point(NamedTuple):
    """A place between two characters; rows and columns count from 1."""

    row: int
    column: int


@dataclass
class OpenFiles(Files):
    """Reads open files from the editor, and others from the disk.

    `known` are the documents that were read before: of a file that has changed, only what has
    changed is parsed.
    """

    contents: Mapping[Path, str] = field(default_factory=dict)
    known: Mapping[Path, d.Document] = field(default_factory=dict)
    good: dict[Path, d.Document] = field(default_factory=dict)
    """The documents of this run that were read without findings."""

    def content(self, path: Path) -> bytes:
        """The bytes of a file. Raises OSError where it cannot be read."""
        if path in self.contents:
            return self.contents[path].encode()
        return super().content(path)

    def unchanged(self, path: Path, document: d.Document | None) -> bool:
        """Whether a file still has the text of its document."""
        try:
            return document is not None and decoded(self.content(path)) == document.text
        except (OSError, ValueError):
            return False

    def name(self, path: Path) -> str:
        """One name for a file, whoever refers to it."""
        return str(real(path))

    def read(self, text: str, name: str, path: Path) -> Outcome[d.Document]:
        """The document of a text, which may be that of another one with some changes."""
        reading, known = Outcome[d.Document](None), self.known.get(Path(name))
        if known and known.text == text:
            reading = Outcome(known)
        elif known and not in_yaml(path):
            reading = reread(known, text)
        if reading.result is None:
            reading = super().read(text, name, path)
        if reading.result and reading.is_sound:
            self.good[Path(name)] = reading.result
        return reading


@dataclass(frozen=True)
class Analysis:
    """The findings about a text, and what its last version that was good says.

    `documents` are of the last texts that parsed, its own and of the files that it depends on;
    `resolved` is what could be resolved of the text, and `checked` is of the last text without
    errors: hover and completion go on with them while the user types.
    """

    path: Path
    text: str
    diagnostics: tuple[Diagnostic, ...] = ()
    documents: Mapping[Path, d.Document] = field(default_factory=dict)
    resolved: Resolved | None = None
    checked: Checked | None = None
    basis: Mapping[Path, d.Document | None] = field(default_factory=dict)
    """The documents that `checked` is of: its own, its ancestors' and what they import."""
    reads: frozenset[Path] = frozenset()
    """The files that the findings depend on."""

    @property
    def document(self) -> d.Document | None:
        """Its own document."""
        return self.documents.get(self.path)

    @cached_property
    def parent(self) -> Checked | None:
        """The parent's net, also while the text has errors."""
        known = self.checked.parent if self.checked else None
        found = self.resolved.parent if self.resolved else None
        if found is None or (known and known.resolved is found):
            return known
        try:
            return check_resolved(found, known).result or known
        except RecursionError:
            return known

    @property
    def resolutions(self) -> list[Resolved]:
        """What is known of the text's meaning: of what it is now, then of when it was good."""
        last = self.checked.resolved if self.checked else None
        return [found for found in (self.resolved, last) if found]

    def value(self, name: str) -> Bound | None:
        """The value of a name in scope, if one is known."""
        found = (resolved.scope.lookup(name) for resolved in self.resolutions)
        return next((bound for bound in found if bound and bound.value is not HOLE), None)

    def former(self, point: Point) -> Point | None:
        """Where a point was in the text of `checked`; None where the text has changed since."""
        document = self.checked.resolved.document if self.checked else None
        if document is None:
            return None
        span = kept_rows(self.text, document.text)(Span("", *point, *point))
        return Point(span.row, span.column) if span else None


def analyse(path: Path, contents: Mapping[Path, str], before: Analysis | None = None) -> Analysis:
    """The analysis of an open file; `contents` are the texts of all that are open."""
    path = real(path)
    last = before or Analysis(path, "")
    files = OpenFiles(contents=contents, known=last.documents)
    others = {p: document for p, document in last.basis.items() if p != path}
    same = all(files.unchanged(p, document) for p, document in others.items())
    parent = last.checked.parent if last.checked and same else None
    text = "\n".join(LINE_END.split(contents.get(path, "")))
    try:
        report = check(path, files=files, parent=parent)
    except Exception as error:
        found = _failure(error, path)
        return replace(last, text=text, diagnostics=(found,), reads=last.reads | {path})
    read = {**(others if parent else {}), **files.documents}
    now = replace(
        last,
        text=text,
        resolved=report.resolved,
        documents={p: known for p, known in last.documents.items() if p in read} | files.good,
        reads=frozenset(read),
    )
    if report.checked:
        now = replace(now, checked=report.checked, basis=read)
    return replace(now, diagnostics=tuple(dict.fromkeys(_here(i, now) for i in report.diagnostics)))


def _failure(error: Exception, path: Path) -> Diagnostic:
    """What could not be done, at the start of the file; the log has the failures of growlang."""
    place = Span(str(path), 1, 1, 1, 1)
    if isinstance(error, GrowlangError):
        return Diagnostic("", error.message, place, error.help)
    getLogger(__name__).error("%s", path, exc_info=error)
    message = f"growlang itself has failed: {type(error).__name__}: {error}"
    return Diagnostic(
        "G901", message, place, "please report it, with the spec and the server's log"
    )


def _here(item: Diagnostic, analysis: Analysis) -> Diagnostic:
    """A finding in this file; one about another file stands where that is referred to."""
    path, document = analysis.path, analysis.document
    if item.span.filename == str(path):
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


def kept_rows(old: str, new: str) -> Callable[[Span], Span | None]:
    """Where a span of an old text stands in the new one; None on rows that have changed."""
    edit = changed(old.split("\n"), new.split("\n"))

    def kept(span: Span) -> Span | None:
        if span.end_row < edit.first:
            return span
        more = edit.more if span.row > edit.last else None
        return (
            None
            if more is None
            else span._replace(row=span.row + more, end_row=span.end_row + more)
        )

    return kept


def covers(span: Span, point: Point) -> bool:
    """Whether a point lies in a span or at one of its ends."""
    return (span.row, span.column) <= point <= (span.end_row, span.end_column)
