"""Cuts a text that parses into tokens and statements, each with the comments beside it.

The formatter moves these tokens; since it neither makes nor loses any, it cannot change a spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from growlang.diagnostics import Span
from growlang.syntax import document as d

_TOKEN = re.compile(
    r'"(?:\\.|[^"\\\n])*"|#[^\n]*|[0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9]{1,3})?[kMB%]?'
    r"|[a-z_][a-z0-9_]*|->|\.\.|[<>=!]=|\n|\S"
)
_TIGHT_AFTER = ("(", "[", ".", "..")
_TIGHT_BEFORE = (")", "]", ",", ".", "..")


class Remark(NamedTuple):
    """A comment on a line of its own; `blank` where an empty line comes before it."""

    text: str
    blank: bool


@dataclass(slots=True, eq=False)
class Token:
    """A word or sign, its place, and the comments around it."""

    text: str
    row: int
    column: int
    blank: bool
    """Whether an empty line comes before it, or between it and the comments before it."""
    before: list[Remark]
    after: str = ""
    """The comment behind it on its line."""
    space: int = 1
    """Spaces before it on a line."""
    open_list: bool = False
    """Whether it opens a list that may end with a comma."""


@dataclass(slots=True, eq=False)
class Bracket:
    """What stands between two brackets, cut at its commas or at the `|` of a group."""

    open: Token
    parts: list[list[Node]]
    separators: list[Token]
    close: Token


Node = Token | Bracket


@dataclass(slots=True, eq=False)
class Statement:
    """A statement: the nodes before its brace, and the statements between its braces."""

    kind: str
    nodes: list[Node]
    first: Token
    cell: Token | None = None
    """The token that stands in a column with those of its neighbours: `=`, `for`, a pipe."""
    open: Token | None = None
    body: list[Statement] = field(default_factory=list)
    close: Token | None = None
    spread: bool = False
    """Whether its author broke the line behind its brace."""


class _Mark(NamedTuple):
    kind: str
    cell: int


def tokens(text: str) -> list[Token]:
    """The tokens of a text, the last one empty, with the comments beside them."""
    found: list[Token] = []
    remarks: list[Remark] = []
    row, line_start, newlines, last = 1, 0, 2, None
    for match in _TOKEN.finditer(text):
        word = match[0]
        if word == "\n":
            row, line_start, newlines = row + 1, match.end(), newlines + 1
        elif word[0] == "#":
            if newlines == 0 and last is not None:
                last.after = word.rstrip()
            else:
                remarks.append(Remark(word.rstrip(), newlines > 1))
            newlines = 0
        else:
            last = Token(word, row, match.start() - line_start + 1, newlines > 1, remarks)
            found.append(last)
            remarks, newlines = [], 0
    found.append(Token("", row, 0, newlines > 1, remarks))
    _settle(found)
    return found


def _settle(found: list[Token]) -> None:
    """Move the comments around `,` and `{` behind them, and those around `|` before it."""
    for index in range(1, len(found) - 1):
        before, token, behind = found[index - 1 : index + 2]
        if token.text in (",", "{") and (before.after or token.before):
            moved = [*token.before, *([Remark(token.after, False)] if token.after else [])]
            behind.before = [r._replace(blank=False) for r in moved] + behind.before
            token.after, before.after, token.before = before.after, "", []
        elif token.text == "|" and token.after:
            if before.after or token.before:
                token.before = [*token.before, Remark(token.after, False)]
            else:
                before.after = token.after
            token.after = ""


def statements(document: d.Document) -> tuple[list[Statement], list[Remark]]:
    """The statements of a document, and the comments behind the last one."""
    found = tokens(document.text)
    places = {(t.row, t.column): i for i, t in enumerate(found)}
    _space(found, document, places)
    marks = dict(_marks(document, places))
    return _build(found, 0, len(found) - 1, marks), found[-1].before


# --- the document's part: what the tokens mean ---------------------------------------------------


def _start(span: Span) -> tuple[int, int]:
    return span.row, span.column


def _marks(document: d.Document, places: dict[tuple[int, int], int]) -> Iterator[tuple[int, _Mark]]:
    """The index of each statement's first token, its kind, and the index of its column."""

    def mark(span: Span, kind: str, cell: int = 0) -> tuple[int, _Mark]:
        return places[_start(span)], _Mark(kind, cell)

    def bound(binding: d.Binding, kind: str) -> tuple[int, _Mark]:
        return mark(binding.span, kind, places[_start(binding.name_span)] + 1)

    yield mark(document.span, "edition")
    for statement in document.imports:
        yield mark(statement.span, "import")
    for binding in document.params:
        yield bound(binding, "param")
    for binding in document.data:
        yield bound(binding, "data")
    for block in document.blocks:
        yield mark(block.span, "block")
        yield mark(block.pipe[0].span, "pipe")
    todo: list[Any] = []
    for model in document.models:
        yield mark(model.span, "model")
        todo += model.statements
    for recipe in document.recipes:
        yield mark(recipe.span, "train")
        todo += recipe.settings
        for phase in recipe.phases:
            yield mark(phase.span, "phase", places[_start(phase.name_span)] + 1)
            todo += phase.statements
    for section in document.sections:
        yield mark(section.span, "section")
        todo += section.settings
    for statement in todo:
        match statement:
            case d.Binding():
                yield bound(statement, "binding")
            case d.Slot(decode=None):
                yield mark(statement.span, "slot", places[_start(statement.pipe[0].span)])
            case d.Slot(pipe=pipe, decode=decode):
                assert decode is not None
                yield mark(statement.span, "sides")
                yield places[_start(pipe[0].span)] - 1, _Mark("side", 0)
                yield places[_start(decode[0].span)] - 1, _Mark("side", 0)
            case _:
                yield mark(statement.span, "other")


def _space(found: list[Token], document: d.Document, places: dict[tuple[int, int], int]) -> None:
    """Set the space before each token, and which brackets are lists of arguments."""
    for node in _walk(document):
        match node:
            case d.Call():
                index = places[_start(node.name_span)] + node.name.count(".") * 2 + 1
                if found[index].text == "(":
                    found[index].space, found[index].open_list = 0, True
            case d.Block():
                found[places[_start(node.name_span)] + 1].space = 0
            case d.ListOf():
                found[places[_start(node.span)]].open_list = True
            case d.Operation("-", (_,)):
                index = places[_start(node.span)]
                while found[index].text != "-":
                    index += 1
                found[index + 1].space = 0
    for before, token in pairwise(found):
        index_open = token.text == "[" and not token.open_list
        if before.text in _TIGHT_AFTER or token.text in _TIGHT_BEFORE or index_open:
            token.space = 0


def _walk(document: d.Document) -> Iterator[Any]:
    """Every node of the tree that has tokens of its own."""
    todo: list[Any] = [document]
    while todo:
        node = todo.pop()
        kind = type(node)
        if kind is tuple:
            todo += node
        elif kind not in _LEAVES and isinstance(node, tuple):
            yield node
            todo += node


_LEAVES = frozenset({Span, d.Constant, d.Name, d.Selector, d.Selection, d.Comment, d.Import})


# --- the tokens' part: how they nest -------------------------------------------------------------


def _build(found: list[Token], at: int, end: int, marks: dict[int, _Mark]) -> list[Statement]:
    """The statements of found[at:end]."""
    built = []
    while at < end:
        mark = marks[at]
        stop = at + 1
        while stop < end and stop not in marks and found[stop].text not in ("{", "}"):
            stop += 1
        nodes, _ = _nest(found, at, stop)
        statement = Statement(mark.kind, nodes, found[at])
        if mark.cell:
            statement.cell = found[mark.cell]
        built.append(statement)
        at = stop
        if stop < end and found[stop].text == "{":
            close = _closing(found, stop)
            statement.open, statement.close = found[stop], found[close]
            statement.body = _build(found, stop + 1, close, marks)
            statement.spread = found[stop + 1].row > found[stop].row
            at = close + 1
    return built


def _closing(found: list[Token], at: int) -> int:
    depth = 0
    for index in range(at, len(found)):
        depth += {"{": 1, "}": -1}.get(found[index].text, 0)
        if depth == 0:
            return index
    raise AssertionError("a text that parses has its braces in pairs")


def _nest(found: list[Token], at: int, end: int) -> tuple[list[Node], int]:
    """The nodes of found[at:end] up to a bracket that closes, and where it stands."""
    nodes: list[Node] = []
    while at < end and found[at].text not in (")", "]"):
        if found[at].text in ("(", "["):
            bracket, at = _bracket(found, at, end)
            nodes.append(bracket)
        else:
            nodes.append(found[at])
            at += 1
    return nodes, at


def _bracket(found: list[Token], at: int, end: int) -> tuple[Bracket, int]:
    nodes, close = _nest(found, at + 1, end)
    parts: list[list[Node]] = [[]]
    separators: list[Token] = []
    for node in nodes:
        if isinstance(node, Token) and node.text in (",", "|"):
            separators.append(node)
            parts.append([])
        else:
            parts[-1].append(node)
    if not parts[-1]:
        parts.pop()
    return Bracket(found[at], parts, separators, found[close]), close + 1
