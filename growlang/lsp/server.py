"""The transport: LSP requests to the pure functions beside it, and their answers back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.workspace import TextDocument

from growlang.diagnostics import GrowlangError
from growlang.lsp.colours import MODIFIERS, TYPES, colours, encoded
from growlang.lsp.completion import complete
from growlang.lsp.context import word_before
from growlang.lsp.definition import definition
from growlang.lsp.fixes import fixes
from growlang.lsp.folding import folds
from growlang.lsp.formatting import formatting
from growlang.lsp.hints import hints
from growlang.lsp.hover import hover
from growlang.lsp.references import highlights, references, rename, renaming
from growlang.lsp.session import GrowServer
from growlang.lsp.symbols import Symbol, symbols

T = TypeVar("T")
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


server = GrowServer()


def is_fault(record: logging.LogRecord) -> bool:
    """Whether a record tells of a fault, and not of a request that was refused with its reason."""
    return not (record.exc_info and isinstance(record.exc_info[1], JsonRpcException))


logging.getLogger("pygls.protocol.json_rpc").addFilter(is_fault)


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
