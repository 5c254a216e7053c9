"""The syntax tree of a spec, before any name is looked up.

Every node carries the span of its text. Both syntaxes of the language produce this one tree. The
nodes are named tuples, whose classes are made several times faster than those of dataclasses:
`growlang check` makes them anew in every run. For the same reason the modules of named tuples and
of pydantic models have no postponed annotations: each would be compiled one by one.
"""

from typing import Any, Literal, NamedTuple

from growlang.diagnostics import Span

Number = int | float


class Constant(NamedTuple):
    """A number, a string or a truth value."""

    value: Number | str | bool
    span: Span


class Name(NamedTuple):
    """A dotted name, such as `width` or `image.size`."""

    path: str
    span: Span


class Argument(NamedTuple):
    """An argument of a call or an item of a list; `name` is empty where it is positional."""

    name: str
    value: "Expression"
    span: Span


class Call(NamedTuple):
    """A call, such as `webdataset("a.tar", image = "jpg")`; `span` is that of the whole call."""

    name: str
    arguments: tuple[Argument, ...]
    span: Span
    name_span: Span


class ListOf(NamedTuple):
    """A list in brackets."""

    items: tuple[Argument, ...]
    span: Span


class Operation(NamedTuple):
    """A unary or binary operation; `operator` is its sign or word."""

    operator: str
    operands: tuple["Expression", ...]
    span: Span


Expression = Constant | Name | Call | ListOf | Operation


class Binding(NamedTuple):
    """`name = value`."""

    name: str
    value: Expression
    span: Span
    name_span: Span


class Step(NamedTuple):
    """One step of a selector: `transformer`, `stage[256]`, `transformer[0..11]`, `stage[*]`."""

    name: str
    at: tuple[int, int] | Literal["*"] | None = None
    """Indices, inclusive; `*` for all; None where none are written."""

    def __str__(self) -> str:
        if self.at is None:
            return self.name
        if self.at == "*":
            return f"{self.name}[*]"
        low, high = self.at
        return f"{self.name}[{low}]" if low == high else f"{self.name}[{low}..{high}]"


class Selector(NamedTuple):
    """A place, or a set of places, in a model."""

    steps: tuple[Step, ...]
    span: Span

    def __str__(self) -> str:
        return ".".join(map(str, self.steps))


class Selection(NamedTuple):
    """Selectors, less those behind `except`."""

    included: tuple[Selector, ...]
    excluded: tuple[Selector, ...]
    span: Span

    def __str__(self) -> str:
        included = ", ".join(map(str, self.included))
        return (
            f"{included} except {', '.join(map(str, self.excluded))}" if self.excluded else included
        )


class Item(NamedTuple):
    """An element of a pipe: a call of an op or a block, or a group, repeated."""

    body: Call | tuple["Item", ...]
    repeat: Expression | None
    span: Span


Pipe = tuple[Item, ...]


class Slot(NamedTuple):
    """`stem`, `core`, `head` or `stage`. `decode` is None unless both sides are written out."""

    kind: str
    at: Expression | None
    options: tuple[Binding, ...]
    pipe: Pipe
    decode: Pipe | None
    span: Span


class Verb(NamedTuple):
    """`keep`, `drop` or `retain`."""

    verb: str
    selection: Selection
    span: Span


class Moved(NamedTuple):
    """`moved OLD -> NEW`."""

    old: Selector
    new: Selector
    span: Span


class GrowBy(NamedTuple):
    """`grow SEL by RULE, ...`."""

    selection: Selection
    rules: tuple[Call, ...]
    span: Span


class Init(NamedTuple):
    """`init SEL, ... = VALUE`; `like` is set for `init SEL, ... = like SEL`."""

    selectors: tuple[Selector, ...]
    value: str
    like: Selector | None
    span: Span


class Grows(NamedTuple):
    """The parent: a file, and values for its params."""

    file: str
    params: tuple[Argument, ...]
    span: Span
    file_span: Span


ModelStatement = Binding | Slot | Verb | Moved | GrowBy | Init


class Model(NamedTuple):
    """`model NAME [grows FILE] { ... }`."""

    name: str
    grows: Grows | None
    statements: tuple[ModelStatement, ...]
    span: Span
    name_span: Span


class Import(NamedTuple):
    """`import FILE as NAME`."""

    file: str
    name: str
    span: Span
    name_span: Span


class Block(NamedTuple):
    """`block NAME(parameters) { pipe }`; a parameter without a default has value None."""

    name: str
    parameters: tuple[tuple[str, Expression | None], ...]
    pipe: Pipe
    span: Span
    name_span: Span
    parameter_spans: tuple[Span, ...]
    """The places of the parameters' names."""


class Freeze(NamedTuple):
    """`freeze SELECTORS`."""

    selection: Selection
    span: Span


class Release(NamedTuple):
    """`train SELECTORS` in a phase."""

    selection: Selection
    span: Span


class LrScale(NamedTuple):
    """`lr_scale SELECTOR = factor`."""

    selector: Selector
    factor: Expression
    span: Span


class Phase(NamedTuple):
    """`phase NAME for DURATION { ... }`."""

    name: str
    duration: Expression
    statements: tuple[Binding | Freeze | Release | LrScale, ...]
    span: Span
    name_span: Span


class Recipe(NamedTuple):
    """`train [NAME] { settings phases }`."""

    name: str
    settings: tuple[Binding, ...]
    phases: tuple[Phase, ...]
    span: Span
    name_span: Span


class Section(NamedTuple):
    """`sample` or `evaluate`."""

    kind: str
    settings: tuple[Binding, ...]
    span: Span


class Comment(NamedTuple):
    """A comment, with its `#`."""

    text: str
    span: Span


class Cut(NamedTuple):
    """What was left out of the document of a text that does not parse."""

    names: frozenset[str]
    """Every word in what was left out."""
    sections: frozenset[str]
    """The keywords of the outermost statements that are not whole; empty where that is unknown."""

    def may_lack(self, section: str) -> bool:
        """Whether statements may be missing from those of a keyword, such as `model`."""
        return section in self.sections or "" in self.sections


class Document(NamedTuple):
    """One file of the language."""

    filename: str
    text: str
    edition: int
    params: tuple[Binding, ...] = ()
    imports: tuple[Import, ...] = ()
    blocks: tuple[Block, ...] = ()
    models: tuple[Model, ...] = ()
    data: tuple[Binding, ...] = ()
    recipes: tuple[Recipe, ...] = ()
    sections: tuple[Section, ...] = ()
    comments: tuple[Comment, ...] = ()
    span: Span = Span("", 1, 1, 1, 1)
    cut: Cut | None = None
    """Set where the text does not parse, and this holds the statements that do."""


def without_spans(node: Any) -> Any:
    """The tree as nested tuples without spans, comments and text, to compare two documents."""
    if not isinstance(node, tuple):
        return type(node).__name__, node
    names = getattr(node, "_fields", None)
    if names is None:
        return tuple(without_spans(child) for child in node)
    fields = (
        (name, without_spans(value))
        for name, value in zip(names, node, strict=True)
        if name not in PLACES
    )
    return type(node).__name__, *fields


PLACES = frozenset(
    {"span", "name_span", "file_span", "parameter_spans", "filename", "text", "comments"}
)
