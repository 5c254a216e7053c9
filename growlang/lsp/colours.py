"""The colours of a text: what each of its words is, as the language's own parser says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lark import Token

from growlang.diagnostics import Span
from growlang.lsp.names import Declaration, Use
from growlang.lsp.project import Project, Source
from growlang.spec.model import BINDINGS
from growlang.syntax.building import comments
from growlang.syntax.grow import parser
from growlang.syntax.layout import BAD, read_tokens

TYPES = (
    *("comment", "string", "number", "keyword", "operator", "namespace", "class", "function"),
    *("parameter", "variable", "property", "enumMember", "event"),
)
"""The types of semantic tokens that this server gives, of those that the protocol names."""
MODIFIERS = ("declaration", "readonly", "defaultLibrary")
KINDS = {
    **dict.fromkeys(("param", "data"), "variable"),
    "import": "namespace",
    "block": "function",
    "parameter": "parameter",
    "model": "class",
    **dict.fromkeys(("input", "condition"), "property"),
    **dict.fromkeys(("recipe", "phase"), "event"),
}
"""The type of what is declared."""
BUILT_IN = {
    "op": "function",
    "argument": "parameter",
    "setting": "property",
    "choice": "enumMember",
    "field": "property",
}
"""The type of what the language has itself."""
OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "COMPARISON", "EQUAL", "VBAR", "AT"}
WORDS = {"TRUE": "keyword", "FALSE": "keyword", "STRING": "string", "NUMBER": "number"}


class Colour(NamedTuple):
    """A word with its type and modifiers; it stands on one row."""

    span: Span
    type: str
    modifiers: tuple[str, ...] = ()


def colours(project: Project, source: Source) -> list[Colour]:
    """The colours of a text in Grow, in its order, also where it does not parse."""
    name = str(source.path)
    named = {(n.span.row, n.span.column): n for n in source.names.all()}
    found = [Colour(c.span, "comment") for c in comments(source.text, name)]
    for token in read_tokens(parser().parse_interactive(source.text), source.text)[:-1]:
        row, column = token.line or 1, token.column or 1
        known = named.get((row, column))
        span = Span(name, row, column, row, column + len(token))
        if known and token.type != "STRING" and (colour := _named(project, source, known, span)):
            found.append(colour)
        elif kind := _spelt(token):
            found.append(Colour(span, kind))
    return sorted(found)


def encoded(found: Sequence[Colour], columns: Sequence[tuple[int, int]]) -> list[int]:
    """Colours as the protocol has them: five numbers each, by the distance from the one before.

    `columns` are those of their starts and ends as the client counts them, from 0.
    """
    data: list[int] = []
    last = (1, 0)
    for colour, (start, end) in zip(found, columns, strict=True):
        row = colour.span.row
        bits = sum(1 << MODIFIERS.index(name) for name in colour.modifiers)
        distance = start - (last[1] if row == last[0] else 0)
        data += [row - last[0], distance, end - start, TYPES.index(colour.type), bits]
        last = (row, start)
    return data


def _named(project: Project, source: Source, known: Declaration | Use, span: Span) -> Colour | None:
    """The colour of a word that names something."""
    if isinstance(known, Use) and known.kind in BUILT_IN:
        return Colour(span, BUILT_IN[known.kind], ("defaultLibrary",))
    declared = project.declaration(source.path, known) if isinstance(known, Use) else known
    if declared is None or declared.kind == "slot":
        keyword = declared or known.kind in ("component", "kept")
        return Colour(span, "keyword") if keyword else None
    said = {
        "declaration": declared is known,
        "readonly": declared.kind == "param",
        "defaultLibrary": declared.name in BINDINGS,
    }
    return Colour(span, KINDS[declared.kind], tuple(name for name, is_so in said.items() if is_so))


def _spelt(token: Token) -> str | None:
    """The type of a word or a sign by itself."""
    if token.type in WORDS:
        return WORDS[token.type]
    if token.type in OPERATORS:
        return "operator"
    word = token.type not in ("NAME", BAD) and token[0].isalpha()
    return "keyword" if word else None
