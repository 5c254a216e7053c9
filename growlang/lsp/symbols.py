"""The outline of a file."""

from __future__ import annotations

from typing import NamedTuple

from growlang.diagnostics import Span
from growlang.lsp.project import Source
from growlang.lsp.tolerant import MADE_UP
from growlang.syntax import document as d


class Symbol(NamedTuple):
    """An entry of the outline; `kind` is that of the statement, `name_span` lies in `span`."""

    name: str
    kind: str
    span: Span
    name_span: Span
    children: tuple[Symbol, ...] = ()


SHOWN = {"param", "import", "block", "model", "data", "recipe"}
"""The declarations that the outline shows also where the rest of their statement is wrong."""


def symbols(source: Source) -> list[Symbol]:
    """The params, imports, blocks, model, data, recipes and sections, in the order of the file.

    A statement that stands alone in a text that does not parse is shown by itself.
    """
    found = [symbol for tree in source.trees for symbol in _symbols(tree)]
    shown = {symbol.name_span for symbol in found}
    for item in source.names.declared:
        if item.kind in SHOWN and item.span not in shown and not _inside(item.span, found):
            kind = "train" if item.kind == "recipe" else item.kind
            found.append(Symbol(item.name, kind, item.span, item.span))
    return sorted(found, key=lambda symbol: symbol.span)


def _inside(span: Span, found: list[Symbol]) -> bool:
    return any(symbol.kind == "import" and symbol.span.covers(span) for symbol in found)


def _symbols(document: d.Document) -> list[Symbol]:
    found = [Symbol(b.name, "param", b.span, b.name_span) for b in document.params]
    found += [Symbol(i.name, "import", i.span, i.span) for i in document.imports]
    found += [Symbol(b.name, "block", b.span, b.name_span) for b in document.blocks]
    for model in document.models:
        parts = _parts(model)
        whole = Symbol(model.name, "model", model.span, model.name_span, parts)
        found += parts if model.name == MADE_UP else [whole]
    found += [Symbol(b.name, "data", b.span, b.name_span) for b in document.data]
    for recipe in document.recipes:
        phases = tuple(Symbol(p.name, "phase", p.span, p.name_span) for p in recipe.phases)
        whole = Symbol(recipe.name, "train", recipe.span, recipe.name_span, phases)
        found += phases if recipe.name == MADE_UP else [whole]
    return found + [Symbol(s.kind, s.kind, s.span, s.span) for s in document.sections]


def _parts(model: d.Model) -> tuple[Symbol, ...]:
    found: list[Symbol] = []
    for statement in model.statements:
        match statement:
            case d.Binding(name, _, span, name_span):
                found.append(Symbol(name, "condition", span, name_span))
            case d.Slot(kind, at, _, _, _, span):
                where = f" @ {at.value if isinstance(at, d.Constant) else '...'}" if at else ""
                found.append(Symbol(kind + where, "slot", span, span))
            case _:
                pass
    return tuple(found)
