"""The transport: LSP requests to the pure functions beside it, and their answers back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlparse

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from growlang import __version__
from growlang.codes import CODES
from growlang.diagnostics import Diagnostic, Span
from growlang.lsp.analysis import Analysis, Point, analyse
from growlang.lsp.completion import complete
from growlang.lsp.definition import definition
from growlang.lsp.fixes import fixes
from growlang.lsp.hover import hover
from growlang.lsp.symbols import Symbol, symbols

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
        super().__init__("growlang", __version__)
        self.analyses: dict[str, Analysis] = {}

    def publish(self, changed: str | None = None) -> None:
        """Analyse the open files that read a changed one, or all, and publish the findings."""
        documents = self.workspace.text_documents
        contents = {path_of(uri).resolve(): doc.source for uri, doc in documents.items()}
        source = path_of(changed).resolve() if changed else None
        for uri, document in documents.items():
            if source and uri != changed and source not in self.analyses[uri].reads:
                continue
            self.analyses[uri] = analyse(path_of(uri), contents, self.analyses.get(uri))
            found = [self._diagnostic(item, document) for item in self.analyses[uri].diagnostics]
            self.text_document_publish_diagnostics(
                lsp.PublishDiagnosticsParams(uri, found, document.version)
            )

    def at(self, uri: str, position: lsp.Position) -> tuple[Analysis, Point]:
        """The analysis of a file, and a position of the client's as a point."""
        document = self.workspace.get_text_document(uri)
        place = document.position_codec.position_from_client_units(document.lines, position)
        return self.analyses[uri], Point(place.line + 1, place.character + 1)

    def range(self, span: Span, document: TextDocument) -> lsp.Range:
        """A span in the units of the client."""
        start = lsp.Position(span.row - 1, span.column - 1)
        end = lsp.Position(span.end_row - 1, span.end_column - 1)
        codec = document.position_codec
        return codec.range_to_client_units(document.lines, lsp.Range(start, end))

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
    parsed = urlparse(uri)
    return Path(unquote(parsed.path)) if parsed.scheme == "file" else Path(f"{uri}.grow")


@server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
def opened(ls: GrowServer, params: lsp.DidOpenTextDocumentParams) -> None:
    """Publish the findings."""
    ls.publish()


@server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
def changed(ls: GrowServer, params: lsp.DidChangeTextDocumentParams) -> None:
    """Publish the findings of the file and of those that grow from it or import it."""
    ls.publish(params.text_document.uri)


@server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
def closed(ls: GrowServer, params: lsp.DidCloseTextDocumentParams) -> None:
    """Forget the file and take its findings back; others read it from the disk again."""
    uri = params.text_document.uri
    ls.analyses.pop(uri, None)
    ls.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))
    ls.publish()


@server.feature(lsp.TEXT_DOCUMENT_HOVER)
def hovered(ls: GrowServer, params: lsp.HoverParams) -> lsp.Hover | None:
    """Signature, shape and parameters."""
    text = hover(*ls.at(params.text_document.uri, params.position))
    return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text)) if text else None


@server.feature(
    lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=["(", "[", ".", "="])
)
def completed(ls: GrowServer, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
    """What may be written."""
    found = complete(*ls.at(params.text_document.uri, params.position))
    return [
        lsp.CompletionItem(
            c.label, kind=KINDS[c.kind], detail=c.detail or None, sort_text=f"{i:04}"
        )
        for i, c in enumerate(found)
    ]


@server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
def defined(ls: GrowServer, params: lsp.DefinitionParams) -> lsp.Location | None:
    """Where it is declared."""
    span = definition(*ls.at(params.text_document.uri, params.position))
    return ls.location(span) if span else None


@server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
def outlined(ls: GrowServer, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
    """The outline."""
    uri = params.text_document.uri
    parsed = ls.analyses[uri].document
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
    analysis, start = ls.at(uri, params.range.start)
    _, end = ls.at(uri, params.range.end)
    document = ls.workspace.get_text_document(uri)
    return [
        lsp.CodeAction(
            title=fix.title,
            kind=lsp.CodeActionKind.QuickFix,
            edit=lsp.WorkspaceEdit({uri: [lsp.TextEdit(ls.range(fix.span, document), fix.text)]}),
            is_preferred=True,
        )
        for fix in fixes(analysis, start, end)
    ]
