"""The transport: LSP requests to the pure functions beside it, and their answers back."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument

from growlang import __version__
from growlang.codes import CODES
from growlang.diagnostics import Diagnostic, Span
from growlang.fix import LINE_END
from growlang.lsp.analysis import Analysis, Point, analyse
from growlang.lsp.completion import complete
from growlang.lsp.context import word_before
from growlang.lsp.definition import definition
from growlang.lsp.fixes import fixes
from growlang.lsp.formatting import formatting
from growlang.lsp.hints import hints
from growlang.lsp.hover import hover
from growlang.lsp.symbols import Symbol, symbols
from growlang.resolve.files import in_yaml, real

PAUSE = 0.002
"""Seconds in which changes that come together are awaited."""
KINDS = {
    "op": lsp.CompletionItemKind.Function,
    "argument": lsp.CompletionItemKind.Field,
    "choice": lsp.CompletionItemKind.EnumMember,
    "name": lsp.CompletionItemKind.Variable,
    "place": lsp.CompletionItemKind.Module,
    "keyword": lsp.CompletionItemKind.Keyword,
}
SYMBOLS = {
    "param": lsp.SymbolKind.Constant,
    "import": lsp.SymbolKind.Module,
    "block": lsp.SymbolKind.Function,
    "model": lsp.SymbolKind.Class,
    "condition": lsp.SymbolKind.Field,
    "slot": lsp.SymbolKind.Property,
    "data": lsp.SymbolKind.Variable,
    "phase": lsp.SymbolKind.Event,
}


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

    def grow(self, uri: str) -> Analysis | None:
        """The analysis of an open file; None for one in YAML, which has findings and a layout."""
        self.catch_up()
        found = self.analyses.get(uri)
        return None if found is None or in_yaml(found.path) else found

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


server = GrowServer()


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


@server.feature(lsp.INITIALIZED)
def started(ls: GrowServer, params: lsp.InitializedParams) -> None:
    """Ask the editor to tell of specs that change on the disk, if it can."""
    workspace = ls.client_capabilities.workspace
    watched = workspace.did_change_watched_files if workspace else None
    if watched and watched.dynamic_registration:
        method = lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES
        files = lsp.DidChangeWatchedFilesRegistrationOptions(
            [lsp.FileSystemWatcher("**/*.grow"), lsp.FileSystemWatcher("**/*.grow.yaml")]
        )
        asked = lsp.Registration("specs", method, files)
        ls.client_register_capability(lsp.RegistrationParams([asked]))


@server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
def opened(ls: GrowServer, params: lsp.DidOpenTextDocumentParams) -> None:
    """Publish the findings."""
    ls.publish()


@server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
def changed(ls: GrowServer, params: lsp.DidChangeTextDocumentParams) -> None:
    """Publish the findings of the file and of those that grow from it or import it."""
    ls.change(params.text_document.uri)


@server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
def closed(ls: GrowServer, params: lsp.DidCloseTextDocumentParams) -> None:
    """Forget the file and take its findings back; others read it from the disk again."""
    uri = params.text_document.uri
    ls.analyses.pop(uri, None)
    ls.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))
    ls.publish()


@server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
def written(ls: GrowServer, params: lsp.DidChangeWatchedFilesParams) -> None:
    """Publish the findings anew: a parent or an import may be other on the disk."""
    ls.publish()


@server.feature(lsp.TEXT_DOCUMENT_HOVER)
def hovered(ls: GrowServer, params: lsp.HoverParams) -> lsp.Hover | None:
    """Signature, shape and parameters."""
    uri = params.text_document.uri
    found = ls.grow(uri)
    text = hover(found, ls.point(uri, params.position)) if found else ""
    return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text)) if text else None


@server.feature(
    lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=["(", "[", ".", "="])
)
def completed(ls: GrowServer, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
    """What may be written."""
    uri, end = params.text_document.uri, params.position
    found = ls.grow(uri)
    if found is None:
        return []
    # Editors end a word at a dot; what is written here may hold some.
    typed = len(word_before(found.text, ls.point(uri, end)))
    place = lsp.Range(lsp.Position(end.line, end.character - typed), end)
    return [
        lsp.CompletionItem(
            c.label,
            kind=KINDS[c.kind],
            detail=c.detail or None,
            sort_text=f"{i:04}",
            text_edit=lsp.TextEdit(place, c.label),
        )
        for i, c in enumerate(complete(found, ls.point(uri, end)))
    ]


@server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
def defined(ls: GrowServer, params: lsp.DefinitionParams) -> lsp.Location | None:
    """Where it is declared."""
    uri = params.text_document.uri
    found = ls.grow(uri)
    span = definition(found, ls.point(uri, params.position)) if found else None
    return ls.location(span) if span else None


@server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
def outlined(ls: GrowServer, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
    """The outline."""
    uri = params.text_document.uri
    found = ls.grow(uri)
    parsed = found.document if found else None
    return _outline(ls, symbols(parsed) if parsed else [], ls.workspace.get_text_document(uri))


def _outline(
    ls: GrowServer, found: Sequence[Symbol], document: TextDocument
) -> list[lsp.DocumentSymbol]:
    return [
        lsp.DocumentSymbol(
            name=s.name,
            kind=SYMBOLS.get(s.kind, lsp.SymbolKind.Namespace),
            range=ls.range(s.span, document),
            selection_range=ls.range(s.name_span, document),
            detail=s.kind,
            children=_outline(ls, s.children, document),
        )
        for s in found
    ]


@server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix]))
def mended(ls: GrowServer, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """The edits that mend the findings in a range."""
    uri = params.text_document.uri
    found = ls.grow(uri)
    if found is None:
        return []
    start, end = (ls.point(uri, p) for p in (params.range.start, params.range.end))
    document = ls.workspace.get_text_document(uri)
    return [
        lsp.CodeAction(
            title=fix.title,
            kind=lsp.CodeActionKind.QuickFix,
            edit=lsp.WorkspaceEdit({uri: [lsp.TextEdit(ls.range(fix.span, document), fix.text)]}),
            is_preferred=fix.safe,
        )
        for fix in fixes(found, start, end)
    ]


@server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
def formatted(ls: GrowServer, params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
    """The edits of the canonical layout, which has no options."""
    uri = params.text_document.uri
    ls.catch_up()
    found = ls.analyses.get(uri)
    document = ls.workspace.get_text_document(uri)
    edits = formatting(found) if found else []
    return [lsp.TextEdit(ls.range(edit.span, document), edit.text) for edit in edits]


@server.feature(lsp.TEXT_DOCUMENT_INLAY_HINT)
def hinted(ls: GrowServer, params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
    """Resolution and width behind each slot."""
    uri = params.text_document.uri
    found = ls.grow(uri)
    document = ls.workspace.get_text_document(uri)
    asked = range(params.range.start.line, params.range.end.line + 1)
    return [
        lsp.InlayHint(
            ls.position(hint.point, document),
            hint.label,
            padding_left=True,
            tooltip=lsp.MarkupContent(lsp.MarkupKind.Markdown, hint.tooltip),
        )
        for hint in (hints(found) if found else [])
        if hint.point.row - 1 in asked
    ]
