"""Builds a `Document` while Lark parses: a method for each rule of the grammar."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, NamedTuple

from lark import Token, Tree
from lark.tree import Meta

from growlang.diagnostics import Findings, Span, TooMany
from growlang.syntax import document as d

SUFFIXES = {"k": 3, "M": 6, "B": 9, "%": -2}
LARGEST = 10**18
"""Largest number that a spec may hold or compute."""


def number(text: str) -> int | float:
    """Value of a number's text: `2M` is 2000000, `5%` is 0.05, `1e-4` stays a float.

    Raises OverflowError above LARGEST.
    """
    digits = text.replace("_", "")
    suffix = SUFFIXES.get(digits[-1])
    if float(digits if suffix is None else digits[:-1]) * 10.0 ** (suffix or 0) > LARGEST:
        raise OverflowError(text)
    if suffix is None:
        return float(digits) if re.search(r"[.eE]", digits) else int(digits)
    scaled = Decimal(digits[:-1]).scaleb(suffix)
    return int(scaled) if scaled == scaled.to_integral_value() else float(scaled)


class Node(Tree[Any]):
    """A node of Lark's tree. What is below it is built already: Lark's nodes take much memory."""

    def __init__(self, data: str, children: list[Any], meta: Meta | None = None) -> None:
        builder = _BUILDER.get()
        if builder is not None:
            at = len(children) if data[:2] == "__" else 0
            while at and isinstance(children[at - 1], Node):
                at -= 1
            new = [builder.built(c) if isinstance(c, Node) else c for c in children[at:]]
            if at:  # a repetition goes on: copying what is built each time would be quadratic
                children[at:] = new
            else:
                children = new
        super().__init__(data, children, meta)


def build(
    parse: Callable[[], Tree[Any]], text: str, filename: str, findings: Findings
) -> d.Document:
    """The document of a text that `parse` parses with nodes of this kind."""
    builder = _Builder(text, filename, findings)
    before = _BUILDER.set(builder)
    try:
        found: d.Document = builder.built(parse())
    finally:
        _BUILDER.reset(before)
    return found


def comments(text: str, filename: str) -> tuple[d.Comment, ...]:
    """The comments of a text, in order."""
    found = []
    for row, line in enumerate(text.split("\n"), 1):
        for match in re.finditer(r'"(?:\\.|[^"\\])*"|#.*', line):
            if match[0].startswith("#"):
                start = match.start() + 1
                span = Span(filename, row, start, row, start + len(match[0]))
                found.append(d.Comment(match[0], span))
    return tuple(found)


ESCAPES = {"n": "\n", "t": "\t"}


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), text[1:-1])


def _span(at: Meta | Token, filename: str) -> Span:
    if isinstance(at, Meta) and at.empty:
        return Span(filename, 1, 1, 1, 1)
    return Span(filename, at.line or 1, at.column or 1, at.end_line or 1, at.end_column or 1)


class _Bound(NamedTuple):
    kind: str
    binding: d.Binding


class _Sides(NamedTuple):
    encode: d.Pipe
    decode: d.Pipe


class _Builder:
    """Turns nodes of Lark's tree into those of a `Document`; a method for each rule."""

    def __init__(self, text: str, filename: str, findings: Findings) -> None:
        self.text, self.filename, self.findings = text, filename, findings

    def built(self, node: Tree[Any]) -> Any:
        """A node as the document has it."""
        operator = OPERATORS.get(node.data)
        if operator is not None:
            operands: list[Any] = node.children
            return d.Operation(operator, tuple(operands), self._span(node.meta))
        return getattr(self, node.data)(node.meta, node.children)

    def _span(self, at: Meta | Token) -> Span:
        return _span(at, self.filename)

    def _number(self, token: Token) -> int | float:
        try:
            return number(token)
        except OverflowError:
            self._refuse(token, f"the number is above {LARGEST:.0e}", "write a smaller one")
            return 0

    def _index(self, token: Token) -> int:
        value = self._number(token)
        if isinstance(value, int):
            return value
        self._refuse(token, f"`{token}` is not an index", "indices are integers")
        return 0

    def _refuse(self, token: Token, message: str, help: str) -> None:
        with suppress(TooMany):
            self.findings.add("G003", message, self._span(token), help=help)

    def start(self, meta: Meta, c: list[Any]) -> d.Document:
        edition, *statements = c

        def of(kind: type) -> tuple[Any, ...]:
            return tuple(s for s in statements if isinstance(s, kind))

        return d.Document(
            filename=self.filename,
            text=self.text,
            edition=edition.value,
            params=tuple(s.binding for s in of(_Bound) if s.kind == "param"),
            imports=of(d.Import),
            blocks=of(d.Block),
            models=of(d.Model),
            data=tuple(s.binding for s in of(_Bound) if s.kind == "data"),
            recipes=of(d.Recipe),
            sections=of(d.Section),
            comments=comments(self.text, self.filename),
            span=edition.span,
        )

    def edition(self, meta: Meta, c: list[Any]) -> d.Constant:
        return d.Constant(self._number(c[0]), self._span(meta))

    def import_(self, meta: Meta, c: list[Any]) -> d.Import:
        return d.Import(_unquote(c[0]), str(c[1]), self._span(meta), self._span(c[1]))

    def param(self, meta: Meta, c: list[Any]) -> _Bound:
        return _Bound("param", self.binding(meta, c))

    def data(self, meta: Meta, c: list[Any]) -> _Bound:
        return _Bound("data", self.binding(meta, c))

    def binding(self, meta: Meta, c: list[Any]) -> d.Binding:
        return d.Binding(str(c[0]), c[1], self._span(meta), self._span(c[0]))

    option = binding

    def block(self, meta: Meta, c: list[Any]) -> d.Block:
        given = c[1] or ()
        parameters, places = tuple(p for p, _ in given), tuple(place for _, place in given)
        return d.Block(str(c[0]), parameters, c[2], self._span(meta), self._span(c[0]), places)

    def parameters(self, meta: Meta, c: list[Any]) -> tuple[Any, ...]:
        return tuple(c)

    def parameter(self, meta: Meta, c: list[Any]) -> tuple[tuple[str, d.Expression | None], Span]:
        return (str(c[0]), c[1]), self._span(c[0])

    def model(self, meta: Meta, c: list[Any]) -> d.Model:
        name, grows, *statements = c
        return d.Model(str(name), grows, tuple(statements), self._span(meta), self._span(name))

    def grows(self, meta: Meta, c: list[Any]) -> d.Grows:
        return d.Grows(_unquote(c[0]), c[1] or (), self._span(meta), self._span(c[0]))

    def keep(self, meta: Meta, c: list[Any]) -> d.Verb:
        return d.Verb("keep", c[0], self._span(meta))

    def drop(self, meta: Meta, c: list[Any]) -> d.Verb:
        return d.Verb("drop", c[0], self._span(meta))

    def retain(self, meta: Meta, c: list[Any]) -> d.Verb:
        return d.Verb("retain", c[0], self._span(meta))

    def moved(self, meta: Meta, c: list[Any]) -> d.Moved:
        return d.Moved(c[0], c[1], self._span(meta))

    def grow(self, meta: Meta, c: list[Any]) -> d.GrowBy:
        return d.GrowBy(c[0], tuple(c[1:]), self._span(meta))

    def rule(self, meta: Meta, c: list[Any]) -> d.Call:
        if isinstance(c[0], d.Call):
            return c[0]
        return d.Call(str(c[0]), (), self._span(meta), self._span(meta))

    def init(self, meta: Meta, c: list[Any]) -> d.Init:
        value, like = c[1]
        return d.Init(c[0], value, like, self._span(meta))

    def places(self, meta: Meta, c: list[Any]) -> tuple[d.Selector, ...]:
        return tuple(c)

    def init_named(self, meta: Meta, c: list[Any]) -> tuple[str, None]:
        return str(c[0]), None

    def init_like(self, meta: Meta, c: list[Any]) -> tuple[str, d.Selector]:
        return "like", c[0]

    def stem(self, meta: Meta, c: list[Any]) -> d.Slot:
        return d.Slot("stem", None, c[1] or (), c[2], None, self._span(meta))

    def head(self, meta: Meta, c: list[Any]) -> d.Slot:
        return d.Slot("head", None, c[1] or (), c[2], None, self._span(meta))

    def core(self, meta: Meta, c: list[Any]) -> d.Slot:
        return d.Slot("core", c[1], c[2] or (), c[3], None, self._span(meta))

    def stage(self, meta: Meta, c: list[Any]) -> d.Slot:
        encode, decode = c[3] if isinstance(c[3], _Sides) else (c[3], None)
        return d.Slot("stage", c[1], c[2] or (), encode, decode, self._span(meta))

    def sides(self, meta: Meta, c: list[Any]) -> _Sides:
        return _Sides(c[1], c[3])

    def options(self, meta: Meta, c: list[Any]) -> tuple[Any, ...]:
        return tuple(c)

    def pipe(self, meta: Meta, c: list[Any]) -> d.Pipe:
        return tuple(c)

    def item(self, meta: Meta, c: list[Any]) -> d.Item:
        return d.Item(c[0], c[1], self._span(meta))

    group = item

    def call(self, meta: Meta, c: list[Any]) -> d.Call:
        return d.Call(c[0].path, c[1] or (), self._span(meta), c[0].span)

    pipe_call = call

    def arguments(self, meta: Meta, c: list[Any]) -> tuple[Any, ...]:
        return tuple(a for a in c if a is not None)

    def named(self, meta: Meta, c: list[Any]) -> d.Argument:
        return d.Argument(str(c[0]), c[1], self._span(meta))

    def positional(self, meta: Meta, c: list[Any]) -> d.Argument:
        return d.Argument("", c[0], self._span(meta))

    def list_(self, meta: Meta, c: list[Any]) -> d.ListOf:
        return d.ListOf(c[0] or (), self._span(meta))

    def selectors(self, meta: Meta, c: list[Any]) -> d.Selection:
        *included, excluded = c if not isinstance(c[-1], d.Selector) else [*c, ()]
        return d.Selection(tuple(included), excluded or (), self._span(meta))

    def except_(self, meta: Meta, c: list[Any]) -> tuple[Any, ...]:
        return tuple(c[1:])

    def selector(self, meta: Meta, c: list[Any]) -> d.Selector:
        return d.Selector(tuple(c), self._span(meta))

    def step(self, meta: Meta, c: list[Any]) -> d.Step:
        return d.Step(str(c[0]), c[1])

    def index_one(self, meta: Meta, c: list[Any]) -> tuple[int, int]:
        return self._index(c[0]), self._index(c[0])

    def index_range(self, meta: Meta, c: list[Any]) -> tuple[int, int]:
        return self._index(c[0]), self._index(c[1])

    def index_all(self, meta: Meta, c: list[Any]) -> str:
        return "*"

    def train(self, meta: Meta, c: list[Any]) -> d.Recipe:
        name, *rest = c
        return d.Recipe(
            name=str(name) if name else "main",
            settings=tuple(s for s in rest if isinstance(s, d.Binding)),
            phases=tuple(s for s in rest if isinstance(s, d.Phase)),
            span=self._span(meta),
            name_span=self._span(name if name else meta),
        )

    def phase(self, meta: Meta, c: list[Any]) -> d.Phase:
        name, duration, *rest = c
        statements = tuple(s for s in rest if s is not None)
        return d.Phase(str(name), duration, statements, self._span(meta), self._span(name))

    def freeze(self, meta: Meta, c: list[Any]) -> d.Freeze:
        return d.Freeze(c[0], self._span(meta))

    def release(self, meta: Meta, c: list[Any]) -> d.Release:
        return d.Release(c[0], self._span(meta))

    def lr_scale(self, meta: Meta, c: list[Any]) -> d.LrScale:
        return d.LrScale(c[0], c[1], self._span(meta))

    def sample(self, meta: Meta, c: list[Any]) -> d.Section:
        return d.Section("sample", tuple(c), self._span(meta))

    def evaluate(self, meta: Meta, c: list[Any]) -> d.Section:
        return d.Section("evaluate", tuple(c), self._span(meta))

    def number(self, meta: Meta, c: list[Any]) -> d.Constant:
        return d.Constant(self._number(c[0]), self._span(meta))

    def string(self, meta: Meta, c: list[Any]) -> d.Constant:
        return d.Constant(_unquote(c[0]), self._span(meta))

    def true(self, meta: Meta, c: list[Any]) -> d.Constant:
        return d.Constant(True, self._span(meta))

    def false(self, meta: Meta, c: list[Any]) -> d.Constant:
        return d.Constant(False, self._span(meta))

    def dotted(self, meta: Meta, c: list[Any]) -> d.Name:
        return d.Name(".".join(map(str, c)), self._span(meta))

    def name(self, meta: Meta, c: list[Any]) -> Token:
        token: Token = c[0]
        return token

    dotted_head = dotted_name = step_name = name

    def compare(self, meta: Meta, c: list[Any]) -> d.Operation:
        return d.Operation(str(c[1]), (c[0], c[2]), self._span(meta))


_BUILDER: ContextVar[_Builder | None] = ContextVar("builder", default=None)
"""What builds the document of the parse that is running; without one, nodes stay Lark's."""
OPERATORS = {
    "or_": "or",
    "and_": "and",
    "not_": "not",
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "negative": "-",
}
