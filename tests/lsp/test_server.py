"""A session of a real client with the server, over stdio."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from growlang import __version__

ROOT = Path(__file__).parent.parent.parent
SPECS = ROOT / "tests" / "fixtures" / "specs"
LIMIT = 60
"""Seconds that a session may take."""


class Session:
    """An editor with one folder of specs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client: Any = LanguageClient("test", "1")
        self.found: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()

        @self.client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def published(params: lsp.PublishDiagnosticsParams) -> None:
            self.found.put_nowait(params)

    async def start(self) -> lsp.InitializeResult:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        await self.client.start_io(sys.executable, "-m", "growlang", "lsp", env=environment)
        result: lsp.InitializeResult = await self.client.initialize_async(
            lsp.InitializeParams(lsp.ClientCapabilities(), root_uri=self.folder.as_uri())
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
        text = (self.folder / name).read_text()
        self.client.text_document_did_open(
            lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(self.uri(name), "grow", 1, text))
        )
        return await self.published(name)

    async def change(
        self, name: str, place: tuple[int, int, int], text: str
    ) -> list[lsp.Diagnostic]:
        """Replace columns of a row, from 0, and wait for the findings."""
        row, start, end = place
        where = lsp.Range(lsp.Position(row, start), lsp.Position(row, end))
        self.client.text_document_did_change(
            lsp.DidChangeTextDocumentParams(
                lsp.VersionedTextDocumentIdentifier(2, self.uri(name)),
                [lsp.TextDocumentContentChangePartial(range=where, text=text)],
            )
        )
        return await self.published(name)

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
    place = (edit.range.start.line, edit.range.start.character, edit.range.end.character)
    assert await session.change("core.grow", place, edit.new_text) == []

    hover = await client.text_document_hover_async(
        lsp.HoverParams(core, position(text, "transformer"))
    )
    assert "parameters" in hover.contents.value
    (item,) = await client.text_document_completion_async(
        lsp.CompletionParams(core, position(text, "transformer", 6))
    )
    assert (item.label, item.kind) == ("transformer", lsp.CompletionItemKind.Function)
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


async def wide(folder: Path) -> None:
    """Columns are UTF-16 code units unless the client says otherwise."""
    (folder / "wide.grow").write_text('grow 1\nparam a = "\N{PINE DECORATION}" param b = cc\n')
    session = Session(folder)
    await session.start()
    (found,) = await session.open("wide.grow")
    assert found.range.start == lsp.Position(1, 25)
    await session.stop()


def test_a_session(tmp_path: Path) -> None:
    for name in ("core.grow", "child.grow"):
        shutil.copy(SPECS / name, tmp_path)
    asyncio.run(asyncio.wait_for(talk(tmp_path), LIMIT))


def test_columns_of_wide_characters(tmp_path: Path) -> None:
    asyncio.run(asyncio.wait_for(wide(tmp_path), LIMIT))
