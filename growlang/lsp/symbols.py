"""The outline of a file."""

from __future__ import annotations

from typing import NamedTuple

from growlang.diagnostics import Span
from growlang.syntax import document as d


class Symbol(NamedTuple):
    """An entry of the outline; `kind` is that of the statement, `name_span` lies in `span`."""

    name: str
    kind: str
    span: Span
    name_span: Span
    children: tuple[Symbol, ...] = ()


def symbols(document: d.Document) -> list[Symbol]:
    """The params, imports, blocks, model, data, recipes and sections, in the order of the file."""
    found = [Symbol(b.name, "param", b.span, b.name_span) for b in document.params]
    found += [Symbol(i.name, "import", i.span, i.span) for i in document.imports]
    found += [Symbol(b.name, "block", b.span, b.name_span) for b in document.blocks]
    found += [Symbol(m.name, "model", m.span, m.name_span, _parts(m)) for m in document.models]
    found += [Symbol(b.name, "data", b.span, b.name_span) for b in document.data]
    for recipe in document.recipes:
        phases = tuple(Symbol(p.name, "phase", p.span, p.name_span) for p in recipe.phases)
        found.append(Symbol(recipe.name, "train", recipe.span, recipe.name_span, phases))
    found += [Symbol(s.kind, s.kind, s.span, s.span) for s in document.sections]
    return sorted(found, key=lambda symbol: symbol.span)


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
