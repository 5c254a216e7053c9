"""The transport: LSP requests to the pure functions beside it, and their answers back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol, TypeVar

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument

from growlang import __version__
from growlang.diagnostics import Diagnostic, GrowlangError, Span
from growlang.diagnostics.codes import CODES
from growlang.lsp.analysis import Analysis, Point, analyse
from growlang.lsp.colours import MODIFIERS, TYPES, colours, encoded
from growlang.lsp.completion import complete
from growlang.lsp.context import word_before
from growlang.lsp.definition import definition
from growlang.lsp.fixes import fixes
from growlang.lsp.folding import folds
from growlang.lsp.formatting import formatting
from growlang.lsp.hints import hints
from growlang.lsp.hover import hover
from growlang.lsp.project import Project, Source
from growlang.lsp.references import highlights, references, rename, renaming
from growlang.lsp.symbols import Symbol, symbols
from growlang.resolve.files import in_yaml, real
from growlang.syntax import document as d
from growlang.tools.fix import LINE_END

T = TypeVar("T")
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


server = GrowServer()


def is_fault(record: logging.LogRecord) -> bool:
    """Whether a record tells of a fault, and not of a request that was refused with its reason."""
    return not (record.exc_info and isinstance(record.exc_info[1], JsonRpcException))


logging.getLogger("pygls.protocol.json_rpc").addFilter(is_fault)


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
    project, _, point = ls.at(params)
    found = ls.analysis(params.text_document.uri)
    text = hover(project, found, point) if found else ""
    return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text)) if text else None


@server.feature(
    lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=["(", "[", ".", "="])
)
def completed(ls: GrowServer, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
    """What may be written."""
    (project, _, point), end = ls.at(params), params.position
    found = ls.grow(params.text_document.uri)
    if found is None:
        return []
    # Editors end a word at a dot; what is written here may hold some.
    typed = min(len(word_before(found.text, point)), end.character)
    place = lsp.Range(lsp.Position(end.line, end.character - typed), end)
    return [
        lsp.CompletionItem(
            c.label,
            kind=KINDS[c.kind],
            detail=c.detail or None,
            sort_text=f"{i:04}",
            text_edit=lsp.TextEdit(place, c.label),
        )
        for i, c in enumerate(complete(project, found, point))
    ]


@server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
def defined(ls: GrowServer, params: lsp.DefinitionParams) -> lsp.Location | None:
    """Where it is declared."""
    project, _, point = ls.at(params)
    found = ls.analysis(params.text_document.uri)
    span = definition(project, found, point) if found else None
    return ls.location(span) if span else None


@server.feature(lsp.TEXT_DOCUMENT_REFERENCES)
def referred(ls: GrowServer, params: lsp.ReferenceParams) -> list[lsp.Location]:
    """Every place that names it, in all files of the folder."""
    found = references(*ls.at(params), declared=params.context.include_declaration)
    return [ls.location(span) for span in found]


@server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
def highlighted(ls: GrowServer, params: lsp.DocumentHighlightParams) -> list[lsp.DocumentHighlight]:
    """The places of the file that name it."""
    document = ls.workspace.get_text_document(params.text_document.uri)
    kinds = {True: lsp.DocumentHighlightKind.Write, False: lsp.DocumentHighlightKind.Read}
    return [
        lsp.DocumentHighlight(ls.range(found.span, document), kinds[found.declared])
        for found in highlights(*ls.at(params))
    ]


@server.feature(lsp.TEXT_DOCUMENT_PREPARE_RENAME)
def nameable(ls: GrowServer, params: lsp.PrepareRenameParams) -> lsp.PrepareRenamePlaceholder:
    """The name that may be changed."""
    document = ls.workspace.get_text_document(params.text_document.uri)
    found = said(partial(renaming, *ls.at(params)))
    return lsp.PrepareRenamePlaceholder(ls.range(found.span, document), found.name)


@server.feature(lsp.TEXT_DOCUMENT_RENAME, lsp.RenameOptions(prepare_provider=True))
def renamed(ls: GrowServer, params: lsp.RenameParams) -> lsp.WorkspaceEdit:
    """The edits that give it another name, in all files of the folder."""
    changes: dict[str, list[lsp.TextEdit]] = {}
    for edit in said(partial(rename, *ls.at(params), params.new_name)):
        place = ls.location(edit.span)
        changes.setdefault(place.uri, []).append(lsp.TextEdit(place.range, edit.text))
    return lsp.WorkspaceEdit(changes)


def said(ask: Callable[[], T]) -> T:
    """What a request gives; why it is refused is shown to the user."""
    try:
        return ask()
    except GrowlangError as error:
        raise JsonRpcException(error.message, lsp.LSPErrorCodes.RequestFailed) from None


@server.feature(lsp.TEXT_DOCUMENT_FOLDING_RANGE)
def folded(ls: GrowServer, params: lsp.FoldingRangeParams) -> list[lsp.FoldingRange]:
    """The rows that fold; editors fold YAML by its indentation."""
    source = ls.source(params.text_document.uri, yaml=False)
    found = folds(source) if source else []
    return [lsp.FoldingRange(fold.first - 1, fold.last - 1, kind=fold.kind) for fold in found]


@server.feature(lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, lsp.SemanticTokensLegend(TYPES, MODIFIERS))
def coloured(ls: GrowServer, params: lsp.SemanticTokensParams) -> lsp.SemanticTokens:
    """The colours of a text in Grow."""
    uri = params.text_document.uri
    source, document = ls.source(uri, yaml=False), ls.workspace.get_text_document(uri)
    found = colours(ls.project(), source) if source else []
    places = [ls.range(colour.span, document) for colour in found]
    columns = [(place.start.character, place.end.character) for place in places]
    return lsp.SemanticTokens(encoded(found, columns))


@server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
def outlined(ls: GrowServer, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
    """The outline."""
    uri = params.text_document.uri
    source, document = ls.source(uri), ls.workspace.get_text_document(uri)
    return _outline(ls, symbols(source) if source else [], document)


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
