"""Reads the Grow syntax: text to `Document`."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from lark import Lark, Token, Transformer, Tree, UnexpectedInput, v_args
from lark.tree import Meta

from growlang.diagnostics import Findings, Span
from growlang.syntax import document as d

GRAMMAR = Path(__file__).with_name("grow.lark")
SUFFIXES = {"k": 3, "M": 6, "B": 9, "%": -2}
EDITION = 1
LARGEST = 10**18
"""Largest number that a spec may hold or compute."""
DEPTH_LIMIT = 100
"""Deepest nesting of the syntax tree."""


def read(text: str, filename: str, findings: Findings) -> d.Document | None:
    """The document that `text` spells; None, with a finding, where it does not parse."""
    found = read_partly(text, filename, findings)
    return None if found is None or found.cut else found


def read_partly(text: str, filename: str, findings: Findings) -> d.Document | None:
    """As `read`, but of a text that does not parse, the document of the statements that do."""
    if not text.isascii() and misleading(text, filename, findings):
        return None
    try:
        return _document(parser().parse(text), text, filename, findings)
    except UnexpectedInput:
        from growlang.syntax.recovery import recover

        tree, cut = recover(text, filename, parser(), findings)
        found = _document(tree, text, filename, findings) if tree else None
        return found._replace(cut=cut) if found else None


def _document(tree: Tree[Token], text: str, filename: str, findings: Findings) -> d.Document | None:
    if deep := _below(tree, DEPTH_LIMIT):
        message = f"brackets or operators are nested more than {DEPTH_LIMIT} deep"
        findings.add("G001", message, _span(deep.meta, filename), help="name a part with `param`")
        return None
    before = len(findings)
    found: d.Document = _Builder(text, filename, findings).transform(tree)
    if len(findings) > before:
        return None
    if found.edition != EDITION:
        findings.add(
            "G002",
            f"edition {found.edition} of the language is not known",
            found.span,
            help=f"write `grow {EDITION}`; a newer growlang may know a newer edition",
        )
    return found


DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that change the order in which a line is shown (CVE-2021-42574)."""


def misleading(text: str, filename: str, findings: Findings) -> bool:
    """Refuse marks that let a line read otherwise than it is."""
    before = len(findings)
    for row, line in enumerate(text.split("\n"), 1):
        for match in DIRECTIONS.finditer(line):
            column = match.start() + 1
            findings.add(
                "G003",
                f"U+{ord(match[0]):04X} makes the line read otherwise than it is",
                Span(filename, row, column, row, column + 1),
                help="remove this direction mark",
            )
    return len(findings) > before


@cache
def parser() -> Lark:
    """The LALR(1) parser, its tables read from the user's cache where there are any."""
    options: dict[str, Any] = {"parser": "lalr", "lexer": "basic", "propagate_positions": True}
    text = GRAMMAR.read_text(encoding="utf-8")
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "growlang"
        folder.mkdir(parents=True, exist_ok=True)
        # A file for each grammar: versions of growlang keep out of each other's way.
        name = f"grow-{crc32(text.encode()):08x}.lark.cache"
        return Lark(text, cache=str(folder / name), **options)
    except (OSError, RuntimeError):
        return Lark(text, **options)


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


def _below(tree: Tree[Token], depth: int) -> Tree[Token] | None:
    """The first node that lies deeper than `depth`, if there is one."""
    level = [tree]
    for _ in range(depth):
        level = [c for node in level for c in node.children if isinstance(c, Tree)]
        if not level:
            return None
    return level[0]


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


@v_args(meta=True)
class _Builder(Transformer[Token, Any]):
    """Turns Lark's tree into a `Document`."""

    def __init__(self, text: str, filename: str, findings: Findings) -> None:
        super().__init__()
        self.text, self.filename, self.findings = text, filename, findings

    def _span(self, at: Meta | Token) -> Span:
        return _span(at, self.filename)

    def _number(self, token: Token) -> int | float:
        try:
            return number(token)
        except OverflowError:
            message = f"the number is above {LARGEST:.0e}"
            self.findings.add("G003", message, self._span(token), help="write a smaller one")
            return 0

    def _index(self, token: Token) -> int:
        value = self._number(token)
        if isinstance(value, int):
            return value
        message = f"`{token}` is not an index"
        self.findings.add("G003", message, self._span(token), help="indices are whole numbers")
        return 0

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
        return d.Import(_unquote(c[0]), str(c[1]), self._span(meta))

    def param(self, meta: Meta, c: list[Any]) -> _Bound:
        return _Bound("param", self.binding(meta, c))

    def data(self, meta: Meta, c: list[Any]) -> _Bound:
        return _Bound("data", self.binding(meta, c))

    def binding(self, meta: Meta, c: list[Any]) -> d.Binding:
        return d.Binding(str(c[0]), c[1], self._span(meta), self._span(c[0]))

    option = binding

    def block(self, meta: Meta, c: list[Any]) -> d.Block:
        return d.Block(str(c[0]), c[1] or (), c[2], self._span(meta), self._span(c[0]))

    def parameters(self, meta: Meta, c: list[Any]) -> tuple[Any, ...]:
        return tuple(c)

    def parameter(self, meta: Meta, c: list[Any]) -> tuple[str, d.Expression | None]:
        return str(c[0]), c[1]

    def model(self, meta: Meta, c: list[Any]) -> d.Model:
        name, grows, *statements = c
        return d.Model(str(name), grows, tuple(statements), self._span(meta), self._span(name))

    def grows(self, meta: Meta, c: list[Any]) -> d.Grows:
        return d.Grows(_unquote(c[0]), c[1] or (), self._span(meta), self._span(c[0]))

    def keep(self, meta: Meta, c: list[Any]) -> d.Verb:
        return d.Verb("keep", c[0], self._span(meta))

    def drop(self, meta: Meta, c: list[Any]) -> d.Verb:
        return d.Verb("drop", c[0], self._span(meta))

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

    def __default__(self, data: Any, children: list[Any], meta: Meta) -> Any:
        operator = OPERATORS.get(str(data))
        if operator is None:
            return Tree(data, children, meta)
        return d.Operation(operator, tuple(children), self._span(meta))


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
