"""Names in scope, and the values of expressions."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from growlang.diagnostics import Findings, Note, Span
from growlang.diagnostics.literals import literal
from growlang.diagnostics.spelling import suggestion
from growlang.spec.words import belongs, meant
from growlang.syntax import document as d
from growlang.syntax.building import LARGEST


class Hole:
    """Stands for a value that is unknown because of an error that was reported."""


HOLE: Final = Hole()


class Predicate(list[Any]):
    """An expression over a row of data, which the runtime evaluates: `[">=", a, b]`."""


class Bound(NamedTuple):
    """A value and the place that fixed it."""

    value: Any
    span: Span
    notes: tuple[Note, ...] = ()
    """Where the names in the expression got their own values; for arguments of blocks."""


@dataclass
class Names:
    """Names that an expression sees: params, evaluated when first used, and given values.

    `outer` is where a name is looked up next: the parent file's scope, or the file around a block.
    """

    findings: Findings
    params: Mapping[str, d.Binding] = field(default_factory=dict)
    values: dict[str, Bound] = field(default_factory=dict)
    outer: Names | None = None
    rows: bool = False
    """Whether `row.NAME` stands for the metadata of an image."""
    unread: set[str] = field(default_factory=set)
    """Names of imports that were refused, so that nothing is said about what they hold."""
    _open: list[str] = field(default_factory=list)

    def lookup(self, name: str) -> Bound | None:
        """The value of a name, or None where nothing binds it."""
        if name in self.values:
            return self.values[name]
        if name not in self.params:
            if self.is_unread(name):
                return Bound(HOLE, Span("", 1, 1, 1, 1))
            return self.outer.lookup(name) if self.outer else None
        binding = self.params[name]
        if name in self._open:
            circle = " -> ".join([*self._open[self._open.index(name) :], name])
            self.findings.add(
                "G104",
                f"circular params: {circle}",
                binding.span,
                help="break the cycle",
            )
            return Bound(HOLE, binding.span)
        self._open.append(name)
        self.values[name] = Bound(evaluate(binding.value, self), binding.value.span)
        self._open.pop()
        return self.values[name]

    def is_unread(self, name: str) -> bool:
        """Whether a dotted name stands in an import that was refused."""
        if "." not in name:
            return False
        unread = name.partition(".")[0] in self.unread
        return unread or (self.outer is not None and self.outer.is_unread(name))

    def leads_back(self, name: str) -> bool:
        """Whether the value of a param needs one that is being evaluated: a circle."""

        def uses(name: str) -> Iterable[str]:
            return names_in(self.params[name].value) if name in self.params else ()

        back = leads_to(name, self._open, uses)
        return back or (self.outer is not None and self.outer.leads_back(name))

    def names(self) -> set[str]:
        """Every name in scope."""
        outer = self.outer.names() if self.outer else set()
        return {*self.params, *self.values} | outer


ROW_FIELDS = ("width", "height", "caption")
ROW_JSON = "row.json"
"""Begins the fields of a sample's JSON file: `row.json.score`, or `row.json("Score")`."""

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def evaluate(expression: d.Expression, scope: Names) -> Any:
    """The value of an expression; `HOLE`, with a finding, where it has none.

    A whole number is an int however it is written: `1e3`, `1000.0` and `1k` are the same.
    With `scope.rows`, what depends on `row` is returned as a `Predicate`.
    """
    match expression:
        case d.Constant(value):
            return _whole(value)
        case d.Name(path, span):
            return _name(path, span, scope)
        case d.ListOf(items):
            return [evaluate(item.value, scope) for item in items]
        case d.Operation(sign, operands, span):
            return _apply(sign, [evaluate(o, scope) for o in operands], span, scope)
        case d.Call("row.json", (d.Argument("", d.Constant(str(field))),)) if scope.rows and field:
            return Predicate(["row", f"json.{field}"])
        case d.Call(name, arguments, span):
            if name not in ("min", "max"):
                _refuse_function(expression, scope)
                return HOLE
            return _apply(name, [evaluate(a.value, scope) for a in arguments], span, scope)


def _name(path: str, span: Span, scope: Names) -> Any:
    if scope.rows and path.startswith("row."):
        if path[4:] in ROW_FIELDS or path.startswith(f"{ROW_JSON}."):
            return Predicate(["row", path[4:]])
        known = ", ".join(ROW_FIELDS)
        scope.findings.add(
            "G101",
            f"a row has no `{path[4:]}`"
            if path != ROW_JSON
            else f"`{ROW_JSON}` is a whole file, not a field",
            span,
            help=f"a row has {known}, and the fields of its JSON file, such as `row.json.score`",
        )
        return HOLE
    bound = scope.lookup(path)
    if bound is None:
        scope.findings.add(
            "G101",
            f"`{path}` is not defined",
            span,
            help=suggestion(path, scope.names(), scope.leads_back) or _declare(path, scope),
        )
        return HOLE
    return bound.value


def is_path(name: str) -> bool:
    """Whether a name can stand as it is: others are written `row.json("NAME")`."""
    return re.fullmatch(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*", name) is not None


def _refuse_function(call: d.Call, scope: Names) -> None:
    """A finding about a call where a value is computed: only `min` and `max` are functions."""
    help, edits = meant(
        call.name_span, call.name, ("min", "max"), "the functions are min and max", "call"
    )
    message = f"`{call.name}` is not a function"
    scope.findings.add("G106", message, call.name_span, help=help, edits=edits)


OTHER_WORDS = {
    **dict.fromkeys(("yes", "on"), "write `true`"),
    **dict.fromkeys(("no", "off"), "write `false`"),
    **dict.fromkeys(("none", "null", "nil"), "leave it out to have the default"),
}
"""What is meant by words of other languages where a value stands."""


def _declare(path: str, scope: Names) -> str:
    """How to bind a name: a dotted one belongs to an import."""
    library, dot, _ = path.rpartition(".")
    if path in OTHER_WORDS:
        return OTHER_WORDS[path]
    if not dot:
        place, declare = belongs(path, "word"), f"declare it: `param {path} = ...`"
        return place if place and path == "self" else "; ".join(filter(None, [declare, place]))
    inside = sorted(n for n in scope.names() if n.startswith(f"{library}."))
    return f"it holds {', '.join(inside)}" if inside else f"nothing is imported as `{library}`"


def _apply(sign: str, values: list[Any], span: Span, scope: Names) -> Any:
    if any(v is HOLE for v in values):
        return HOLE
    if any(isinstance(v, Predicate) for v in values):
        return Predicate([sign, *values])
    try:
        value = _whole(_calculate(sign, values))
        if abs(value) > LARGEST:
            raise OverflowError
        return value
    except (TypeError, ZeroDivisionError, OverflowError) as error:
        shown = _shown(sign, values)
        reason = next((r for kind, r in REASONS if isinstance(error, kind)), "it is undefined")
        scope.findings.add("G201", f"`{shown}`: {reason}", span)
        return HOLE


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(sign: str, values: list[Any]) -> str:
    if sign in ("min", "max"):
        return f"{sign}({', '.join(map(str, values))})"
    return f" {sign} ".join(map(str, values)) if values[1:] else f"{sign} {values[0]}"


REASONS = (
    (ZeroDivisionError, "division by zero"),
    (OverflowError, f"it is above {LARGEST:.0e}"),
    (TypeError, "arithmetic needs numbers; `and`, `or` and `not` need booleans"),
)


def _calculate(sign: str, values: list[Any]) -> Any:
    logical = sign in ("and", "or", "not")
    allowed = bool if logical else int | float
    if not values or any(
        not isinstance(v, allowed) or isinstance(v, bool) != logical for v in values
    ):
        raise TypeError
    match sign, values:
        case "and", [a, b]:
            return a and b
        case "or", [a, b]:
            return a or b
        case "not", [a]:
            return not a
        case "min", _:
            return min(values)
        case "max", _:
            return max(values)
        case "-", [a]:
            return -a
        case "/", [int(a), int(b)] if b and a % b == 0:  # exact above 2^53 too
            return a // b
        case "/", [a, b]:
            return a / b
        case _, [a, b]:
            return (_ARITHMETIC.get(sign) or _COMPARISONS[sign])(a, b)
    raise TypeError


def leads_to(name: str, goals: Collection[str], uses: Callable[[str], Iterable[str]]) -> bool:
    """Whether what a name stands for uses one of `goals`, itself or through other names."""
    todo, seen = [name], {name}
    while todo:
        name = todo.pop()
        if name in goals:
            return True
        todo += (new := set(uses(name)) - seen)
        seen |= new
    return False


def names_in(tree: object) -> Iterator[str]:
    """The first part of every name and call in a tree."""
    todo = [tree]
    while todo:
        part = todo.pop()
        match part:
            case Span() | str() | int() | float() | None:
                continue
            case d.Name(path):
                yield path.partition(".")[0]
            case d.Call(name, arguments):
                yield name.partition(".")[0]
                if name == "mix":
                    yield from (a.name for a in arguments)
                todo += arguments
            case tuple():
                todo += part


def count_of(what: str, expression: d.Expression, scope: Names) -> int:
    """The value of an expression, an integer of at least 1; 0, with a finding, where it is none."""
    value = evaluate(expression, scope)
    if type(value) is int and value >= 1:
        return value
    if value is not HOLE:
        scope.findings.add(
            "G201",
            f"{what} must be an integer of at least 1, not `{literal(value)}`",
            expression.span,
            notes=origins(expression, scope),
        )
    return 0


def origins(expression: d.Expression, scope: Names) -> list[Note]:
    """Where the names in an expression got their values."""
    match expression:
        case d.Name(path):
            bound = scope.lookup(path)
            if bound is None or bound.value is HOLE:
                return []
            return [Note(f"`{path}` is {literal(bound.value)} here", bound.span), *bound.notes]
        case d.Operation(_, operands):
            found = (note for o in operands for note in origins(o, scope))
            return list(dict.fromkeys(found))
        case d.Call(_, arguments) | d.ListOf(arguments):
            found = (note for a in arguments for note in origins(a.value, scope))
            return list(dict.fromkeys(found))
        case _:
            return []


def bind_names(
    document: d.Document, scope: Names, findings: Findings, given: Mapping[str, Bound]
) -> None:
    """Refuse double params, blocks, data and recipes, and values for params that are not there."""
    for kind, found in (
        ("import", [(i.name, i.span) for i in document.imports]),
        ("param", [(b.name, b.name_span) for b in document.params]),
        ("data", [(b.name, b.name_span) for b in document.data]),
        ("block", [(b.name, b.name_span) for b in document.blocks]),
        ("recipe", [(r.name, r.name_span) for r in document.recipes]),
        ("section", [(s.kind, s.span) for s in document.sections]),
        ("model", [("model", m.name_span) for m in document.models]),
    ):
        refuse_double(kind, found, findings)
    for name, value in given.items():
        if name not in scope.params:
            params = f"its params: {', '.join(scope.params) or 'none'}"
            findings.add(
                "G203",
                f"`{document.filename}` has no param `{name}`",
                value.span,
                help=suggestion(name, scope.params) or params,
            )


def refuse_double(kind: str, found: list[tuple[str, Span]], findings: Findings) -> bool:
    """A finding for each name that stands a second time; whether there is one."""
    first: dict[str, Span] = {}
    for name, span in found:
        if name in first:
            message = (
                "a file holds one model" if kind == "model" else f"{kind} `{name}` is defined twice"
            )
            findings.add(
                "G102",
                message,
                span,
                help="remove or rename one",
                notes=[Note("the first is here", first[name])],
            )
        first.setdefault(name, span)
    return len(first) < len(found)
