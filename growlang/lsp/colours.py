"""The colours of a text: what each of its words is, as the language's own parser says."""

from __future__ import annotations

from typing import NamedTuple

from lark import Token

from growlang.diagnostics import Span
from growlang.lsp.names import Declaration, Use
from growlang.lsp.project import Project, Source
from growlang.model import BINDINGS
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
    "slot": "keyword",
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
    named: dict[tuple[int, int], Declaration | Use] = {
        (n.span.row, n.span.column): n for n in (*source.names.used, *source.names.declared)
    }
    found = [Colour(c.span, "comment") for c in comments(source.text, name)]
    for token in read_tokens(parser().parse_interactive(source.text), source.text)[:-1]:
        row, column = token.line or 1, token.column or 1
        known = named.get((row, column))
        kind = None if token.type == "STRING" else _named(project, source, known)
        kind = kind or _spelt(token)
        if kind:
            span = Span(name, row, column, row, column + len(token))
            found.append(Colour(span, kind, _modifiers(known, kind)))
    return sorted(found)


def _named(project: Project, source: Source, known: Declaration | Use | None) -> str | None:
    """The type of a word that names something."""
    if isinstance(known, Declaration):
        return KINDS[known.kind]
    if known is None:
        return None
    if known.kind in BUILT_IN:
        return BUILT_IN[known.kind]
    declared = project.declaration(source.path, known)
    if declared:
        return KINDS[declared.kind]
    return "keyword" if known.kind in ("component", "kept") else None


def _modifiers(known: Declaration | Use | None, kind: str) -> tuple[str, ...]:
    if isinstance(known, Declaration) and kind != "keyword":
        built_in = ("defaultLibrary",) if known.name in BINDINGS else ()
        return ("declaration", *(("readonly",) if known.kind == "param" else ()), *built_in)
    built_in = isinstance(known, Use) and known.kind in ("op", "setting", "choice")
    return ("defaultLibrary",) if built_in else ()


def _spelt(token: Token) -> str | None:
    """The type of a word or a sign by itself."""
    if token.type in WORDS:
        return WORDS[token.type]
    if token.type in OPERATORS:
        return "operator"
    word = token.type not in ("NAME", BAD) and token[0].isalpha()
    return "keyword" if word else None
