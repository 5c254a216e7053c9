"""Reads the Grow syntax: text to `Document`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any
from zlib import crc32

from lark import Lark, Token, Tree, UnexpectedInput

from growlang.diagnostics import Diagnostic, Findings, Span, stage
from growlang.syntax import document as d
from growlang.syntax.building import Node, build

GRAMMAR = Path(__file__).with_name("grow.lark")
EDITION = 1
DEPTH_LIMIT = 100
"""Deepest nesting of the syntax tree."""


@stage
def read(findings: Findings, text: str, filename: str) -> d.Document | None:
    """The document that `text` spells; None, with a finding, where it does not parse."""
    found = findings.of(read_partly(text, filename))
    return None if found is None or found.cut else found


@stage
def read_partly(findings: Findings, text: str, filename: str) -> d.Document | None:
    """As `read`, but of a text that does not parse, the document of the statements that do."""
    if marks := misleading(text, filename):
        findings.extend(marks)
        return None
    try:
        whole = partial(parser().parse, text)
        crowded = nested(text, filename, DEPTH_LIMIT)
        return findings.of(_document(whole, text, filename, crowded))
    except UnexpectedInput:
        from growlang.syntax.parser import parse_tokens
        from growlang.syntax.recovery import recover
    _, kept, cut = recover(text, filename, parser(), findings)
    try:
        rest = partial(parse_tokens, parser(), kept)
        found = findings.of(_document(rest, text, filename))
    except UnexpectedInput:
        return None
    return found._replace(cut=cut) if found else None


@stage
def _document(
    findings: Findings,
    parse: Callable[[], Tree[Token]],
    text: str,
    filename: str,
    crowded: Span | None = None,
) -> d.Document | None:
    """The document that a parse builds. Raises UnexpectedInput where the text does not parse.

    `crowded` is a place with too many brackets around it.
    """
    found = build(parse, text, filename, findings)
    if deep := below(found, DEPTH_LIMIT) or crowded:
        message = f"brackets or operators are nested more than {DEPTH_LIMIT} deep"
        findings.add("G001", message, deep, help="name a part with `param`")
    if findings.items:
        return None
    if found.edition != EDITION:
        findings.add(
            "G002",
            f"unknown edition {found.edition}",
            found.span,
            help=f"write `grow {EDITION}`; a newer growlang may know a newer edition",
        )
    return found


DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that change the order in which a line is shown (CVE-2021-42574)."""


def misleading(text: str, filename: str) -> list[Diagnostic]:
    """Refuse marks that let a line read otherwise than it is."""
    return [
        Diagnostic(
            "G003",
            f"U+{ord(match[0]):04X} changes the reading direction of the line",
            Span(filename, row, match.start() + 1, row, match.start() + 2),
            "remove this direction mark",
        )
        for row, line in enumerate([] if text.isascii() else text.split("\n"), 1)
        for match in DIRECTIONS.finditer(line)
    ]


@cache
def parser() -> Lark:
    """The LALR(1) parser, its tables read from the user's cache where there are any."""
    options: dict[str, Any] = {"parser": "lalr", "lexer": "basic", "propagate_positions": True}
    options["tree_class"] = Node
    text = GRAMMAR.read_text(encoding="utf-8")
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "growlang"
        folder.mkdir(parents=True, exist_ok=True)
        # A file for each grammar: versions of growlang keep out of each other's way.
        name = f"grow-{crc32(text.encode()):08x}.lark.cache"
        return Lark(text, cache=str(folder / name), **options)
    except (OSError, RuntimeError):
        return Lark(text, **options)


def below(document: d.Document, depth: int) -> Span | None:
    """The place of a node that lies deeper than `depth`, if there is one."""
    level: list[Any] = [document]
    for _ in range(depth):
        level = [child for node in level for child in _nodes(node)]
        if not level:
            return None
    return next((node.span for node in level if hasattr(node, "span")), document.span)


BRACKETS = re.compile(r'"[^"\n]*"|#[^\n]*|[(\[{]|[)\]}]')
"""Strings and comments, whose brackets do not count, and brackets."""


def nested(text: str, filename: str, depth: int) -> Span | None:
    """The place of a bracket inside of `depth` others; the tree drops those around a value."""
    level = 0
    for match in BRACKETS.finditer(text):
        if match[0] in "([{":
            level += 1
        elif match[0] in ")]}":
            level -= 1
        if level > depth:
            row = text.count("\n", 0, match.start()) + 1
            column = match.start() - text.rfind("\n", 0, match.start())
            return Span(filename, row, column, row, column + 1)
    return None


def _nodes(node: tuple[Any, ...]) -> Iterator[Any]:
    """The nodes below one, those in plain tuples too."""
    for child in node:
        if type(child) is tuple:
            yield from _nodes(child)
        elif isinstance(child, tuple) and type(child) is not Span:
            yield child
