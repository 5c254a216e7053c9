"""What the server knows of the open files, and the client's places in them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument

from growlang.diagnostics import Diagnostic, Span
from growlang.diagnostics.codes import CODES
from growlang.lsp.analysis import Analysis, Point, analyse
from growlang.lsp.project import Project, Source
from growlang.resolve.files import in_yaml, real
from growlang.syntax import document as d
from growlang.tools.fix import LINE_END
from growlang.version import __version__

PAUSE = 0.002
"""Seconds in which changes that come together are awaited."""


class Asked(Protocol):
    """The parameters of a request about a point."""

    text_document: lsp.TextDocumentIdentifier
    position: lsp.Position


class GrowServer(LanguageServer):
    """The server, with the analysis of each open file by its URI."""

    def __init__(self) -> None:
        # Whole texts: pygls cuts lines where editors do not, such as at a form feed.
        super().__init__(
            "growlang", __version__, text_document_sync_kind=lsp.TextDocumentSyncKind.Full
        )
        self.analyses: dict[str, Analysis] = {}
        self.changed: set[str] = set()
        """Files that have changed since they were analysed."""
        self.known: dict[Path, Source] = {}
        """What was read of the project's files."""

    def change(self, uri: str) -> None:
        """Analyse a file soon, once for all changes that come together."""
        if not self.changed:
            asyncio.get_running_loop().call_later(PAUSE, self.catch_up)
        self.changed.add(uri)

    def catch_up(self) -> None:
        """Publish the findings of the files that changed and of those that read them."""
        if self.changed:
            self.publish({path_of(uri) for uri in self.changed})

    def publish(self, changed: Collection[Path] | None = None) -> None:
        """Analyse the open files that read a changed one, or all, and publish the findings."""
        self.changed.clear()
        documents = self.workspace.text_documents
        contents = {path_of(uri): doc.source for uri, doc in documents.items()}
        for uri, document in documents.items():
            before = self.analyses.get(uri)
            if before and changed is not None and before.reads.isdisjoint(changed):
                continue
            self.analyses[uri] = analyse(path_of(uri), contents, before)
            found = [self._diagnostic(item, document) for item in self.analyses[uri].diagnostics]
            self.text_document_publish_diagnostics(
                lsp.PublishDiagnosticsParams(uri, found, document.version)
            )

    def analysis(self, uri: str) -> Analysis | None:
        """The analysis of an open file as it is now."""
        self.catch_up()
        return self.analyses.get(uri)

    def grow(self, uri: str) -> Analysis | None:
        """As `analysis`; None for a file in YAML, for which editors have a schema and colours."""
        found = self.analysis(uri)
        return None if found is None or in_yaml(found.path) else found

    def project(self) -> Project:
        """The files of the folders that the editor has open, with the texts that it has."""
        self.catch_up()
        opened = self.workspace.text_documents
        folders = [to_fs_path(uri) for uri in self.workspace.folders]
        folders = folders or [self.workspace.root_path]
        documents: dict[Path, d.Document] = {}
        for found in self.analyses.values():
            documents.update(found.documents)
        return Project(
            tuple(real(Path(folder)) for folder in folders if folder),
            {path_of(uri): document.source for uri, document in opened.items()},
            documents,
            self.known,
        )

    def source(self, uri: str, yaml: bool = True) -> Source | None:
        """What there is of an open file; None for one in YAML unless that is asked for."""
        found = self.analysis(uri) if yaml else self.grow(uri)
        return self.project().source(found.path) if found else None

    def at(self, params: Asked) -> tuple[Project, Path, Point]:
        """The project, the file and the point that a request is about."""
        uri = params.text_document.uri
        return self.project(), path_of(uri), self.point(uri, params.position)

    def point(self, uri: str, position: lsp.Position) -> Point:
        """A position of the client's in an open file."""
        document = self.workspace.get_text_document(uri)
        codec = document.position_codec
        place = codec.position_from_client_units(lines_of(document), position)
        return Point(place.line + 1, place.character + 1)

    def position(self, point: Point, document: TextDocument) -> lsp.Position:
        """A point in the units of the client."""
        place = lsp.Position(point.row - 1, point.column - 1)
        return document.position_codec.position_to_client_units(lines_of(document), place)

    def range(self, span: Span, document: TextDocument) -> lsp.Range:
        """A span in the units of the client."""
        start, end = Point(span.row, span.column), Point(span.end_row, span.end_column)
        return lsp.Range(self.position(start, document), self.position(end, document))

    def location(self, span: Span) -> lsp.Location:
        """A span in any file, open or not."""
        uri = Path(span.filename).resolve().as_uri()
        return lsp.Location(uri, self.range(span, self.workspace.get_text_document(uri)))

    def _diagnostic(self, item: Diagnostic, document: TextDocument) -> lsp.Diagnostic:
        code = CODES.get(item.code)
        warning = code is not None and code.severity == "warning"
        kind = lsp.DiagnosticSeverity.Warning if warning else lsp.DiagnosticSeverity.Error
        return lsp.Diagnostic(
            range=self.range(item.span, document),
            message=item.message + (f"\nhelp: {item.help}" if item.help else ""),
            severity=kind,
            code=item.code or None,
            source="growlang",
            tags=[lsp.DiagnosticTag.Unnecessary] if item.code == "G108" else None,
            related_information=[
                lsp.DiagnosticRelatedInformation(self.location(n.span), n.message)
                for n in item.notes
            ],
        )


def path_of(uri: str) -> Path:
    """The file of a URI; of a text without a file, a path in the working directory."""
    return real(Path(to_fs_path(uri) or f"{uri}.grow"))


def lines_of(document: TextDocument) -> Sequence[str]:
    """The lines of a text as editors count them; none of a file that cannot be read."""
    try:
        return _lines(document.source)
    except (OSError, ValueError):
        return ()


@lru_cache(maxsize=4)
def _lines(text: str) -> Sequence[str]:
    return LINE_END.split(text)
