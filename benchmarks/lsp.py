"""From an edit of a long spec to its published findings: a client's session over stdio."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from benchmarks.measuring import ROOT, Result, environment, result, show

SPEC = ROOT / "benchmarks" / "long.grow"
ROUNDS = 8
TYPED = (
    ("param dropout    = 0.1", "2", "5"),
    ("lr = rate * scale", " ", "*", " ", "2"),
    ("residual(2 * base, dropout = dropout", " ", "/", " ", "2"),
    ("  # at 128: convolutions alone", "\n", " ", " ", "#", " ", "w", "i", "d", "e"),
)
"""What is typed, key by key, after a place in the text."""


def edits(text: str) -> Iterator[str]:
    """The text after each key; then it is as it was."""
    for place, *keys in TYPED:
        before, _, after = text.partition(place)
        typed = [before + place + "".join(keys[: i + 1]) + after for i in range(len(keys))]
        yield from [*typed, *typed[-2::-1], text]


async def session() -> dict[bool, list[float]]:
    """Milliseconds of each edit, by whether the text has findings then."""
    client: Any = LanguageClient("benchmark", "1")
    published: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()

    def keep(params: lsp.PublishDiagnosticsParams) -> None:
        published.put_nowait(params)

    client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(keep)
    await client.start_io(sys.executable, "-m", "growlang", "lsp", env=environment())
    await client.initialize_async(lsp.InitializeParams(lsp.ClientCapabilities()))
    client.initialized(lsp.InitializedParams())
    uri, text = SPEC.as_uri(), SPEC.read_text()
    opened = lsp.TextDocumentItem(uri, "grow", 0, text)
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(opened))
    if (await published.get()).diagnostics:
        raise RuntimeError(f"{SPEC} has findings")
    times: dict[bool, list[float]] = {False: [], True: []}
    for version, edited in enumerate(list(edits(text)) * ROUNDS, 1):
        change = lsp.DidChangeTextDocumentParams(
            lsp.VersionedTextDocumentIdentifier(version, uri),
            [lsp.TextDocumentContentChangeWholeDocument(edited)],
        )
        start = time.perf_counter()
        client.text_document_did_change(change)
        found = await published.get()
        times[bool(found.diagnostics)].append((time.perf_counter() - start) * 1e3)
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()
    return times


def measure() -> list[Result]:
    """Milliseconds from an edit to its findings."""
    times = asyncio.run(session())
    lines = SPEC.read_text().count("\n")
    name = f"an edit of a spec of {lines} lines -> its findings published"
    without, with_ = times[False], times[True]
    keys = len(without) + len(with_)
    return [
        result(name, [*without, *with_], "ms", 50, f"{keys} keys typed and taken back"),
        result("the same, where there are none", without, "ms", note=f"{len(without)} keys"),
        result("the same, where there are some", with_, "ms", note=f"{len(with_)} keys"),
    ]


if __name__ == "__main__":
    show(measure())
