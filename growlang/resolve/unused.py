"""Warns of what a file says for nothing: names that it does not use."""

from __future__ import annotations

from collections.abc import Iterable

from growlang.diagnostics import Findings, Span
from growlang.resolve.names import names_in
from growlang.syntax import document as d


def warn_unused(document: d.Document, findings: Findings) -> None:
    """A warning for each name that is bound for nothing.

    A file without a model is a library: its params and blocks are for the files that import it.
    Data may wait for a child's recipes where the file has none of its own.
    """
    bound: list[tuple[str, str, Span]] = [("import", i.name, i.span) for i in document.imports]
    if document.models:
        bound += [("param", b.name, b.name_span) for b in document.params]
        bound += [("block", b.name, b.name_span) for b in document.blocks]
    if document.recipes:
        bound += [("data", b.name, b.name_span) for b in document.data]
    if not bound:
        return
    used = set(_used(document))
    for kind, name, span in bound:
        if name not in used:
            message = f"{kind} `{name}` is not used"
            findings.add("G108", message, span, help=f"remove it, or use `{name}`")


def _used(document: d.Document) -> Iterable[str]:
    """The first part of every name that the file uses."""
    for block in document.blocks:
        own = {name for name, _ in block.parameters}
        for part in (block.pipe, tuple(default for _, default in block.parameters)):
            yield from (name for name in names_in(part) if name not in own)
    rest = (document.params, document.models, document.data, document.recipes, document.sections)
    yield from names_in(rest)
