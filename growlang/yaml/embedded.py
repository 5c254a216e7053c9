"""Reads pieces of Grow that stand in strings: expressions behind `=`, selectors, rules.

Each piece is parsed as the end of a statement; what is found, trees and findings, is then moved to
the place of the string.
"""

from __future__ import annotations

import re
from typing import Any

from growlang.diagnostics import Findings, Span
from growlang.syntax import document as d
from growlang.syntax import grow
from growlang.syntax.building import comments
from growlang.yaml.nodes import Refused, Scalar

_DOTTED = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
_SLOTS = ("stem", "stage", "core", "head", "encode", "decode")
_WORDS = frozenset({"except", "and", "or", "not", "true", "false"})
_NOT_NAMES = frozenset({*_SLOTS, *_WORDS})


class Embedded:
    """The reader of pieces in one file."""

    def __init__(self, filename: str, findings: Findings) -> None:
        self.filename, self.findings = filename, findings

    def is_name(self, text: str) -> bool:
        """Whether a text may name a param, a condition, a recipe, ..."""
        plain = _DOTTED.fullmatch(text) is not None and "." not in text
        return plain and text not in _NOT_NAMES

    def dotted(self, text: str, node: Scalar) -> d.Name:
        """A dotted name."""
        first, *rest = text.split(".")
        if not _DOTTED.fullmatch(text) or first in _NOT_NAMES or not _WORDS.isdisjoint(rest):
            self.findings.add(
                "G003",
                f"invalid name `{text}`",
                node.span,
                help="an expression starts with `=`: `= 2 * width`",
            )
            raise Refused
        return d.Name(text, node.span)

    def expression(self, text: str, node: Scalar) -> d.Expression:
        """An expression, behind its `=`."""
        document = self._piece("grow 1 param x ", text, node)
        if len(document.params) != 1:
            self._more(node)
        return document.params[0].value

    def call(self, text: str, node: Any) -> d.Call:
        """A call, behind its `=`."""
        found = self.expression(text, node) if text.startswith("=") else None
        if isinstance(found, d.Name):
            return d.Call(found.path, (), found.span, found.span)
        if not isinstance(found, d.Call):
            self.findings.add(
                "G001", "expected a call", node.span, help="such as `= lib.block(64)`"
            )
            raise Refused
        return found

    def selection(self, text: str, node: Any) -> d.Selection:
        """Selectors, and those behind `except`."""
        statement = self._statement("grow 1 model m { keep ", text, node)
        assert isinstance(statement, d.Verb)
        return statement.selection

    def selector(self, text: str, node: Any) -> d.Selector:
        """One selector."""
        selection = self.selection(text, node)
        if selection.excluded or len(selection.included) != 1:
            self._more(node)
        return selection.included[0]

    def rule(self, text: str, node: Any) -> d.Call:
        """A rule of growth."""
        statement = self._statement("grow 1 model m { grow all by ", text, node)
        if not isinstance(statement, d.GrowBy) or len(statement.rules) != 1:
            self._more(node)
        assert isinstance(statement, d.GrowBy)
        return statement.rules[0]

    def init(self, text: str, node: Any) -> tuple[str, d.Selector | None]:
        """What a place begins as: a word, or `like SELECTOR`."""
        statement = self._statement("grow 1 model m { init all = ", text, node)
        assert isinstance(statement, d.Init)
        return statement.value, statement.like

    def _statement(self, before: str, text: str, node: Any) -> Any:
        document = self._piece(before, text, node, " }")
        if len(document.models) != 1 or len(document.models[0].statements) != 1:
            self._more(node)
        return document.models[0].statements[0]

    def _more(self, node: Any) -> None:
        self.findings.add("G001", "expected one value", node.span, help="write only one")
        raise Refused

    def _piece(self, before: str, text: str, node: Any, after: str = "") -> d.Document:
        if comments(text, self.filename):
            message = "comment inside an expression"
            help = "put it after the expression, or on a line above"
            self.findings.add("G001", message, node.span, help=help)
            raise Refused
        reading = grow.read(before + text.replace("\n", " ") + after, self.filename)
        shift = _Shift(node, len(before), len(before) + len(text))
        for item in reading.findings:
            notes = [n._replace(span=shift.span(n.span)) for n in item.notes]
            self.findings.add(
                item.code,
                item.message.replace("the file ends", "the text ends"),
                shift.span(item.span),
                help=item.help,
                notes=notes,
            )
        if reading.result is None or not reading.is_sound:
            raise Refused
        document = reading.result
        found: d.Document = shift.tree(document)
        others = (document.imports, document.blocks, document.data, document.recipes)
        if any(others) or document.sections or (document.models and document.params):
            self._more(node)
        return found


class _Shift:
    """Moves spans of a parsed piece to the place of its string."""

    def __init__(self, node: Any, start: int, end: int) -> None:
        self.place: Span = node.span
        self.start, self.end, self.inset = start, end, node.inset or 0
        self.whole = node.inset is None

    def span(self, span: Span) -> Span:
        if self.whole or span.column <= self.start:
            return self.place
        first = min(span.column, self.end + 1) - self.start - 1
        last = min(span.end_column, self.end + 1) - self.start - 1
        column = self.place.column + self.inset
        return self.place._replace(column=column + first, end_column=column + max(last, first + 1))

    def tree(self, node: Any) -> Any:
        if isinstance(node, Span):
            return self.span(node)
        if not isinstance(node, tuple):
            return node
        children = [self.tree(child) for child in node]
        return type(node)(*children) if hasattr(node, "_fields") else tuple(children)
