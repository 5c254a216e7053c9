"""Reads values of the YAML syntax: the shapes of nodes, bindings, expressions and calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from growlang.diagnostics import Findings, Span
from growlang.spec.words import meant
from growlang.syntax import document as d
from growlang.yaml.embedded import Embedded
from growlang.yaml.fields import Field
from growlang.yaml.nodes import List, Map, Node, Refused, Scalar

T = TypeVar("T")
_KEY_AND_VALUE = re.compile(r"([a-z_][a-z0-9_]*)\s*[:=]\s*(\S+)\s*")


def _colon(node: Node) -> str:
    """The mend of a key and a value that have no colon and space between them."""
    found = isinstance(node, Scalar) and _KEY_AND_VALUE.match(str(node.value))
    return f"write a colon and a space between them: `{found[1]}: {found[2]}`" if found else ""


class Values:
    """Makes expressions of nodes. A mistake is recorded and raises `Refused`."""

    def __init__(self, text: str, filename: str, findings: Findings) -> None:
        self.text, self.filename, self.findings = text, filename, findings
        self.embedded = Embedded(filename, findings)

    # --- shapes ----------------------------------------------------------------------------------

    def refuse(self, span: Span, message: str, help: str = "", code: str = "G001") -> Refused:
        """Record a finding; raise what is returned where nothing can go on."""
        self.findings.add(code, message, span, help=help)
        return Refused()

    def mapping(self, node: Node, what: str, keys: tuple[str, ...] = (), need: str = "") -> Map:
        """The node as a mapping that has no other than these keys."""
        if not isinstance(node, Map):
            help = _colon(node) or f"write `{need or 'name'}: ...`"
            raise self.refuse(node.span, f"{what} must be a mapping", help)
        for key, span in node.keys.items():
            if keys and key not in keys:
                help, _ = meant(span, key, keys, f"its keys: {', '.join(keys)}", "name")
                self.refuse(span, f"{what} has no key `{key}`", help, "G107")
        if need and need not in node.items:
            raise self.refuse(
                node.span, f"{what} is missing `{need}`", f"add `{need}: ...`", "G202"
            )
        return node

    def sequence(self, node: Node, what: str) -> tuple[Node, ...]:
        """The items of a node that is a list."""
        if not isinstance(node, List):
            raise self.refuse(
                node.span, f"{what} must be a list", "write `[...]`, or `- ` before each"
            )
        return node.items

    def string(self, node: Node, what: str) -> str:
        """The text of a node that is a string."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            raise self.refuse(node.span, f"{what} must be a string")
        return node.value

    def name(self, text: str, span: Span) -> str:
        """The text, if it is a name of the language."""
        if not self.embedded.is_name(text):
            self.refuse(
                span, f"invalid name `{text}`", "names are lower case: `[a-z_][a-z0-9_]*`", "G003"
            )
        return text

    def each(self, nodes: Iterable[Node], make: Callable[[Node], Any]) -> tuple[Any, ...]:
        """What `make` makes of each node, without those that are refused."""
        found = []
        for node in nodes:
            try:
                found.append(make(node))
            except Refused:
                continue
        return tuple(found)

    def attempt(self, make: Callable[[], T], otherwise: T) -> T:
        """What `make` makes; `otherwise` where that is refused, so that the rest is read too."""
        try:
            return make()
        except Refused:
            return otherwise

    # --- bindings and expressions ---

    def bindings(
        self, node: Node | None, what: str, field: Callable[[str], Field]
    ) -> tuple[d.Binding, ...]:
        """A mapping as bindings."""
        if node is None:
            return ()
        table = self.mapping(node, what)
        return tuple(self.some_bindings(table, table.items, field))

    def some_bindings(
        self, table: Map, names: Iterable[str], field: Callable[[str], Field]
    ) -> Iterator[d.Binding]:
        """These keys of a mapping as bindings, without those that are refused."""
        for name in names:
            key = table.keys[name]
            try:
                value = self.value(table.items[name], field(name))
            except Refused:
                continue
            yield d.Binding(self.name(name, key), value, key.to(value.span), key)

    def value(self, node: Node, field: Field = Field()) -> d.Expression:  # noqa: B008
        """An expression; a string is a name where the field takes names."""
        span = node.span
        match node:
            case Scalar(None) if field.nothing:
                return d.Name("none", span)
            case Scalar(None):
                raise self.refuse(span, "missing value", "write one, or remove the key")
            case Scalar(str(text)) if text.startswith("="):
                return self.embedded.expression(text, node)
            case Scalar(str(text)) if field.names:
                return self.embedded.dotted(text, node)
            case Scalar(bool(value) | str(value)):
                return d.Constant(value, span)
            case Scalar(int(number) | float(number)):
                positive = d.Constant(abs(number), span)
                return d.Operation("-", (positive,), span) if number < 0 else positive
            case List(items):
                values = [self.value(i, field) for i in items]
                return d.ListOf(tuple(d.Argument("", v, v.span) for v in values), span)
            case Map(items, keys) if len(items) == 1:
                name, inner = next(iter(items.items()))
                if isinstance(inner, Map) or (isinstance(inner, Scalar) and inner.value is None):
                    return self.call(name, keys[name], inner, field)
        assert isinstance(node, Map)
        return d.ListOf(self.arguments(node, lambda _: field), span)

    def call(self, name: str, key: Span, node: Node, field: Field) -> d.Call:
        """`name: {argument: value}` as a call."""
        self.embedded.dotted(name, Scalar(name, key, 0))
        arguments: tuple[d.Argument, ...] = ()
        order = field.order(name)
        if isinstance(node, Scalar) and node.value is not None and order:
            help = f"arguments must be named: `{name}: {{{order[0]}: {node.value}}}`"
            raise self.refuse(node.span, f"`{name}` must be a mapping", help)
        if not (isinstance(node, Scalar) and node.value is None):
            table = self.mapping(node, f"`{name}`")
            arguments = self.arguments(table, lambda n: field.argument(name, n))
        return d.Call(name, arguments, key.to(node.span), key)

    def arguments(self, table: Map, field: Callable[[str], Field]) -> tuple[d.Argument, ...]:
        """A mapping as arguments by name."""
        bound = self.some_bindings(table, table.items, field)
        return tuple(d.Argument(b.name, b.value, b.span) for b in bound)
