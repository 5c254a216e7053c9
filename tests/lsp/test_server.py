"""A session of a real client with the server, over stdio."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from fixture_specs import without_evaluate
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

from growlang import __version__
from growlang.syntax.fmt import fmt_text
from growlang.syntax.grow import read
from growlang.yaml.convert import to_yaml

ROOT = Path(__file__).parent.parent.parent
SPECS = ROOT / "tests" / "fixtures" / "specs"
LIMIT = 600
"""Seconds after which a session hangs, however busy the machine is."""

CAPABILITIES = lsp.ClientCapabilities(
    workspace=lsp.WorkspaceClientCapabilities(
        did_change_watched_files=lsp.DidChangeWatchedFilesClientCapabilities(
            dynamic_registration=True
        )
    )
)


class Session:
    """An editor with one folder of specs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.texts: dict[str, str] = {}
        self.client: Any = LanguageClient("test", "1")
        self.found: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()
        self.registered: asyncio.Queue[lsp.Registration] = asyncio.Queue()

        @self.client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def published(params: lsp.PublishDiagnosticsParams) -> None:
            self.found.put_nowait(params)

        @self.client.feature(lsp.CLIENT_REGISTER_CAPABILITY)
        def registered(params: lsp.RegistrationParams) -> None:
            for item in params.registrations:
                self.registered.put_nowait(item)

    async def start(self) -> lsp.InitializeResult:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        await self.client.start_io(sys.executable, "-m", "growlang", "lsp", env=environment)
        self.stderr = asyncio.ensure_future(self.client._server.stderr.read())
        result: lsp.InitializeResult = await self.client.initialize_async(
            lsp.InitializeParams(CAPABILITIES, root_uri=self.folder.as_uri())
        )
        self.client.initialized(lsp.InitializedParams())
        return result

    async def stop(self) -> None:
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await self.client.stop()

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def document(self, name: str) -> lsp.TextDocumentIdentifier:
        return lsp.TextDocumentIdentifier(self.uri(name))

    async def open(self, name: str) -> list[lsp.Diagnostic]:
        text = self.texts[name] = (self.folder / name).read_text()
        self.client.text_document_did_open(
            lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(self.uri(name), "grow", 1, text))
        )
        return await self.published(name)

    async def change(
        self, name: str, place: tuple[int, int, int], text: str
    ) -> list[lsp.Diagnostic]:
        """Replace columns of a row, from 0, and wait for the findings."""
        row, start, end = place
        lines = self.texts[name].split("\n")
        lines[row] = lines[row][:start] + text + lines[row][end:]
        self.send(name, "\n".join(lines))
        return await self.published(name)

    def send(self, name: str, text: str) -> None:
        """Tell the server of a file's new text."""
        self.texts[name] = text
        self.client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(2, self.uri(name)),
                [lsp.TextDocumentContentChangeWholeDocument(text)],
            )
        )

    async def published(self, name: str) -> list[lsp.Diagnostic]:
        while True:
            params = await self.found.get()
            if params.uri == self.uri(name):
                return list(params.diagnostics)


def position(text: str, needle: str, inside: int = 1) -> lsp.Position:
    at = text.index(needle) + inside
    return lsp.Position(text.count("\n", 0, at), at - text.rfind("\n", 0, at) - 1)


async def talk(folder: Path) -> None:
    session = Session(folder)
    result = await session.start()
    assert result.server_info is not None
    assert (result.server_info.name, result.server_info.version) == ("growlang", __version__)
    text = (folder / "core.grow").read_text()
    client, core = session.client, session.document("core.grow")
    assert await session.open("core.grow") == []

    heads = position(text, "heads = 2")
    row, column = heads.line, heads.character - 1
    (found,) = await session.change("core.grow", (row, column, column + 5), "haeds")
    assert (found.code, found.range.start) == ("G203", lsp.Position(row, column))
    (action,) = await client.text_document_code_action_async(
        lsp.CodeActionParams(core, found.range, lsp.CodeActionContext([found]))
    )
    (edit,) = action.edit.changes[session.uri("core.grow")]
    assert (action.title, edit.new_text) == ("write `heads`", "heads")
    assert action.is_preferred
    place = (edit.range.start.line, edit.range.start.character, edit.range.end.character)
    assert await session.change("core.grow", place, edit.new_text) == []

    hover = await client.text_document_hover_async(
        lsp.HoverParams(core, position(text, "transformer"))
    )
    assert "parameters" in hover.contents.value
    end = position(text, "transformer", 6)
    (item,) = await client.text_document_completion_async(lsp.CompletionParams(core, end))
    assert (item.label, item.kind) == ("transformer", lsp.CompletionItemKind.Function)
    place = lsp.Range(position(text, "transformer", 0), end)
    assert item.text_edit == lsp.TextEdit(place, "transformer")
    symbols = await client.text_document_document_symbol_async(lsp.DocumentSymbolParams(core))
    assert "small" in [s.name for s in symbols]

    child = (folder / "child.grow").read_text()
    assert await session.open("child.grow") == []
    place_of = await client.text_document_definition_async(
        lsp.DefinitionParams(session.document("child.grow"), position(child, "keep core", 6))
    )
    assert place_of.uri == session.uri("core.grow")
    assert text.split("\n")[place_of.range.start.line].strip().startswith("core @ 4")

    await session.change("core.grow", (row, column + 8, column + 9), "3")
    (behind,) = await session.published("child.grow")
    assert behind.message.startswith("in core.grow: 3 heads do not divide")
    client.text_document_did_close(lsp.DidCloseTextDocumentParams(core))
    assert await session.published("core.grow") == []
    assert await session.published("child.grow") == []
    await session.stop()


async def lay_out(folder: Path) -> None:
    session = Session(folder)
    await session.start()
    text = (folder / "core.grow").read_text()
    tidy = fmt_text(text, "").result
    assert tidy is not None
    (folder / "core.grow").write_text(tidy.replace("batch     = 8", "batch=8"))
    await session.open("core.grow")
    asked = lsp.DocumentFormattingParams(
        session.document("core.grow"), lsp.FormattingOptions(tab_size=2, insert_spaces=True)
    )
    (edit,) = await session.client.text_document_formatting_async(asked)
    row = tidy.split("\n").index("  batch     = 8")
    place = lsp.Range(lsp.Position(row, 0), lsp.Position(row + 1, 0))
    assert edit == lsp.TextEdit(place, "  batch     = 8\n")

    rows = tidy.split("\n")
    stem, head = (next(i for i, r in enumerate(rows) if r.startswith(s)) for s in ("  st", "  he"))
    screen = lsp.Range(lsp.Position(stem, 0), lsp.Position(head - 1, 9))
    found = await session.client.text_document_inlay_hint_async(
        lsp.InlayHintParams(session.document("core.grow"), screen)
    )
    assert [hint.label for hint in found] == ["-> 16 x 4 x 4", "-> 16 x 16"]
    assert found[0].position == lsp.Position(stem, len(rows[stem]))
    assert "parameters" in found[0].tooltip.value

    session.send("core.grow", tidy.replace("batch     = 8", "batch = "))
    assert list(await session.client.text_document_formatting_async(asked)) == []
    await session.stop()


async def burst(folder: Path) -> None:
    """The findings of the last of many changes come, and requests see the last text."""
    session = Session(folder)
    await session.start()
    text = (folder / "core.grow").read_text()
    await session.open("core.grow")
    for heads in (3, 5, 7, 9, 2):
        session.send("core.grow", text.replace("heads = 2", f"heads = {heads}"))
    while await session.published("core.grow"):
        pass
    session.send("core.grow", text.replace("depth = 2", "depth = 3"))
    hover = await session.client.text_document_hover_async(
        lsp.HoverParams(session.document("core.grow"), position(text, "* depth", 3))
    )
    assert "`3`" in hover.contents.value
    await session.stop()


async def in_yaml(folder: Path) -> None:
    """A file in YAML has findings, a layout, definitions and an outline; the rest its schema."""
    document = read((folder / "core.grow").read_text(), "").result
    assert document is not None
    text = to_yaml(document)
    name = "core.grow.yaml"
    (folder / name).write_text(text)
    session = Session(folder)
    await session.start()
    client = session.client
    assert await session.open(name) == []
    heads = position(text, "heads: 2", 7)
    place = (heads.line, heads.character, heads.character + 1)
    (found,) = await session.change(name, place, "3")
    assert (found.code, found.range.start) == ("G207", heads)
    file, whole = session.document(name), lsp.Range(lsp.Position(0, 0), lsp.Position(99, 0))
    options = lsp.FormattingOptions(2, True)
    layout = lsp.DocumentFormattingParams(file, options)
    assert list(await client.text_document_formatting_async(layout)) == []
    session.send(name, text.replace("grow: 1", "grow:   1"))
    (edit,) = await client.text_document_formatting_async(layout)
    assert edit.new_text == "grow: 1  # a small parent\n"
    hovered = await client.text_document_hover_async(lsp.HoverParams(file, heads))
    assert "attention heads" in hovered.contents.value if hovered else True
    used = position(text, "repeat: = depth", 11)
    place_of = await client.text_document_definition_async(lsp.DefinitionParams(file, used))
    assert place_of.range.start.line == position(text, "depth:").line
    symbols = await client.text_document_document_symbol_async(lsp.DocumentSymbolParams(file))
    assert "small" in [s.name for s in symbols]
    for answer in (
        client.text_document_completion_async(lsp.CompletionParams(file, heads)),
        client.text_document_folding_range_async(lsp.FoldingRangeParams(file)),
        client.text_document_inlay_hint_async(lsp.InlayHintParams(file, whole)),
        client.text_document_code_action_async(
            lsp.CodeActionParams(file, whole, lsp.CodeActionContext([found]))
        ),
    ):
        assert list(await answer) == []
    await session.stop()


async def elsewhere(folder: Path) -> None:
    """A parent that changes on the disk; a file that is not open any more."""
    session = Session(folder)
    await session.start()
    client, parent = session.client, folder / "core.grow"
    watched = await session.registered.get()
    assert watched.method == lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES
    globs = [{"globPattern": glob} for glob in ("**/*.grow", "**/*.grow.yaml")]
    assert watched.register_options == {"watchers": globs}
    assert await session.open("child.grow") == []
    parent.write_text(parent.read_text().replace("heads = 2", "heads = 3"))
    event = lsp.FileEvent(session.uri("core.grow"), lsp.FileChangeType.Changed)
    client.workspace_did_change_watched_files(lsp.DidChangeWatchedFilesParams([event]))
    (behind,) = await session.published("child.grow")
    assert behind.message.startswith("in core.grow: 3 heads")
    child = session.document("child.grow")
    client.text_document_did_close(lsp.DidCloseTextDocumentParams(child))
    asked = lsp.HoverParams(child, lsp.Position(0, 0))
    assert await client.text_document_hover_async(asked) is None
    await session.stop()


async def wide(folder: Path) -> None:
    """Columns are UTF-16 code units unless the client says otherwise."""
    (folder / "wide.grow").write_text('grow 1\nparam a = "\N{PINE DECORATION}" param b = cc\n')
    session = Session(folder)
    await session.start()
    (found,) = await session.open("wide.grow")
    assert found.range.start == lsp.Position(1, 25)
    await session.stop()


async def names(folder: Path) -> None:
    """References, highlights, folds, colours and other names, while the text has an error."""
    session = Session(folder)
    await session.start()
    client, core = session.client, session.document("core.grow")
    text = (folder / "core.grow").read_text()
    await session.open("core.grow")
    session.send("core.grow", text.replace("batch     = 8", "batch     = ("))
    (found,) = await session.published("core.grow")
    assert found.code == "G001"
    word = position(text, "text  =")
    asked = lsp.ReferenceParams(lsp.ReferenceContext(True), core, word)
    places = await client.text_document_references_async(asked)
    rows = sorted((Path(place.uri).name, place.range.start.line) for place in places)
    assert rows == [("child.grow", 3), ("child.grow", 16), ("core.grow", 8), ("core.grow", 12)]
    lit = await client.text_document_document_highlight_async(
        lsp.DocumentHighlightParams(core, word)
    )
    assert [(item.range.start.line, item.kind.name) for item in lit] == [(8, "Write"), (12, "Read")]
    folds = await client.text_document_folding_range_async(lsp.FoldingRangeParams(core))
    assert [(fold.start_line, fold.end_line) for fold in folds] == [(6, 13), (18, 24), (26, 28)]
    colours = await client.text_document_semantic_tokens_full_async(lsp.SemanticTokensParams(core))
    first, second = colours.data[:5], colours.data[5:10]
    assert [list(first[:3]), list(second[:3])] == [[0, 0, 4], [0, 5, 1]]
    assert len(colours.data) % 5 == 0
    beyond = lsp.Position(text.count("\n") + 5, 3)  # some editors ask where there is no line
    asked = lsp.CompletionParams(core, beyond)
    assert await client.text_document_completion_async(asked) is not None

    place = await client.text_document_prepare_rename_async(lsp.PrepareRenameParams(core, word))
    assert (place.placeholder, place.range.start) == ("text", position(text, "text  =", 0))
    edit = await client.text_document_rename_async(lsp.RenameParams(core, word, "captions"))
    assert {Path(uri).name: len(edits) for uri, edits in edit.changes.items()} == {
        "core.grow": 2,
        "child.grow": 2,
    }
    for request in (
        client.text_document_rename_async(lsp.RenameParams(core, word, "Captions")),
        client.text_document_prepare_rename_async(
            lsp.PrepareRenameParams(core, position(text, "model small", 2))
        ),
    ):
        with pytest.raises(JsonRpcException, match=r"invalid name|no declared name here"):
            await request
    await session.stop()
    assert "Traceback" not in (await session.stderr).decode()


Conversation = Callable[[Path], Coroutine[Any, Any, None]]


@pytest.mark.parametrize("conversation", [talk, lay_out, burst, in_yaml, elsewhere, wide, names])
def test_a_session(tmp_path: Path, conversation: Conversation) -> None:
    for name in ("core.grow", "child.grow"):
        shutil.copy(SPECS / name, tmp_path)
    (tmp_path / "core.grow").write_text(without_evaluate(SPECS / "core.grow"))
    asyncio.run(asyncio.wait_for(conversation(tmp_path), LIMIT))
