"""The syntax tree of a spec, before any name is looked up.

Every node carries the span of its text. Spans do not take part in comparison, so two trees are
equal when they say the same. Both syntaxes of the language produce this one tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from growlang.diagnostics import Span

Number = int | float


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a string or a truth value."""

    value: Number | str | bool
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name, such as `width` or `image.size`."""

    path: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a call or an item of a list; `name` is empty where it is positional."""

    name: str
    value: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A call, such as `webdataset("a.tar", image = "jpg")`; `span` is that of the whole call."""

    name: str
    arguments: tuple[Argument, ...]
    span: Span = field(compare=False)
    name_span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list in brackets."""

    items: tuple[Argument, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """A unary or binary operation; `operator` is its sign or word."""

    operator: str
    operands: tuple[Expression, ...]
    span: Span = field(compare=False)


Expression = Constant | Name | Call | ListOf | Operation


@dataclass(frozen=True, slots=True)
class Binding:
    """`name = value`."""

    name: str
    value: Expression
    span: Span = field(compare=False)
    name_span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a selector: `transformer`, `stage[256]`, `transformer[0..11]`, `stage[*]`."""

    name: str
    index: tuple[int, int] | Literal["*"] | None = None

    def __str__(self) -> str:
        if self.index is None:
            return self.name
        if self.index == "*":
            return f"{self.name}[*]"
        low, high = self.index
        return f"{self.name}[{low}]" if low == high else f"{self.name}[{low}..{high}]"


@dataclass(frozen=True, slots=True)
class Selector:
    """A place, or a set of places, in a model."""

    steps: tuple[Step, ...]
    span: Span = field(compare=False)

    def __str__(self) -> str:
        return ".".join(map(str, self.steps))


@dataclass(frozen=True, slots=True)
class Selection:
    """Selectors, less those behind `except`."""

    included: tuple[Selector, ...]
    excluded: tuple[Selector, ...]
    span: Span = field(compare=False)

    def __str__(self) -> str:
        included = ", ".join(map(str, self.included))
        return (
            f"{included} except {', '.join(map(str, self.excluded))}" if self.excluded else included
        )


@dataclass(frozen=True, slots=True)
class Item:
    """An element of a pipe: a call of an op or a block, or a group, repeated."""

    body: Call | tuple[Item, ...]
    repeat: Expression | None
    span: Span = field(compare=False)


Pipe = tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """`stem`, `core`, `head` or `stage`. `decode` is None unless both sides are written out."""

    kind: str
    at: Expression | None
    options: tuple[Binding, ...]
    pipe: Pipe
    decode: Pipe | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Verb:
    """`keep` or `drop`."""

    verb: str
    selection: Selection
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Moved:
    """`moved OLD -> NEW`."""

    old: Selector
    new: Selector
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class GrowBy:
    """`grow SEL by RULE, ...`."""

    selection: Selection
    rules: tuple[Call, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Init:
    """`init SEL = VALUE`; `like` is set for `init SEL = like SEL`."""

    selector: Selector
    value: str
    like: Selector | None
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Grows:
    """The parent: a file, and values for its params."""

    file: str
    params: tuple[Argument, ...]
    span: Span = field(compare=False)
    file_span: Span = field(compare=False)


ModelStatement = Binding | Slot | Verb | Moved | GrowBy | Init


@dataclass(frozen=True, slots=True)
class Model:
    """`model NAME [grows FILE] { ... }`."""

    name: str
    grows: Grows | None
    statements: tuple[ModelStatement, ...]
    span: Span = field(compare=False)
    name_span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Import:
    """`import FILE as NAME`."""

    file: str
    name: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Block:
    """`block NAME(parameters) { pipe }`; a parameter without a default has value None."""

    name: str
    parameters: tuple[tuple[str, Expression | None], ...]
    pipe: Pipe
    span: Span = field(compare=False)
    name_span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Freeze:
    """`freeze SELECTORS`."""

    selection: Selection
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class LrScale:
    """`lr_scale SELECTOR = factor`."""

    selector: Selector
    factor: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Phase:
    """`phase NAME for DURATION { ... }`."""

    name: str
    duration: Expression
    statements: tuple[Binding | Freeze | LrScale, ...]
    span: Span = field(compare=False)
    name_span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Recipe:
    """`train [NAME] { settings phases }`."""

    name: str
    settings: tuple[Binding, ...]
    phases: tuple[Phase, ...]
    span: Span = field(compare=False)
    name_span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Section:
    """`sample` or `evaluate`."""

    kind: str
    settings: tuple[Binding, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, with its `#`."""

    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Document:
    """One file of the language. `text` and `comments` do not take part in comparison."""

    filename: str
    text: str = field(compare=False)
    edition: int
    params: tuple[Binding, ...] = ()
    imports: tuple[Import, ...] = ()
    blocks: tuple[Block, ...] = ()
    models: tuple[Model, ...] = ()
    data: tuple[Binding, ...] = ()
    recipes: tuple[Recipe, ...] = ()
    sections: tuple[Section, ...] = ()
    comments: tuple[Comment, ...] = field(default=(), compare=False)
    span: Span = field(default=Span("", 1, 1, 1, 1), compare=False)
