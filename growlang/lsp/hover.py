"""What is said about the thing under a point, in Markdown."""

from __future__ import annotations

import re
from pathlib import Path

from growlang.lsp.analysis import Analysis, Point, covers
from growlang.lsp.context import context, word_at
from growlang.lsp.known import (
    arguments,
    described,
    help_of,
    parameters_around,
    signature_of,
)
from growlang.net import Node

ENDS = ("stem", "core", "head")


def hover(analysis: Analysis, point: Point) -> str:
    """Help on the op, argument, place or name at a point; empty where there is none.

    Shapes and counts are those of the last version of the text that had no errors.
    """
    word = word_at(analysis.text, point)
    if not word:
        return ""
    where = context(analysis.text, point)
    if where.quiet:
        return ""
    outer = signature_of(where.call) if where.call else None
    if outer and word in arguments(outer) and _named(analysis, point):
        return f"`{word}`: {arguments(outer)[word].description}"
    if word in ENDS or word == "stage":
        return _place(analysis, point)
    if word in (around := parameters_around(analysis.document, point)):
        return f"`{word}`: a parameter of `{around[word].name}`"
    if name := _bound(analysis, word):
        return name
    signature = signature_of(word)
    if signature:
        return "\n\n".join(filter(None, (_computed(analysis, point), help_of(signature))))
    return _block(analysis, word, point) or _component(analysis, word)


def _named(analysis: Analysis, point: Point) -> bool:
    """Whether the word at a point is followed by `=`."""
    line = analysis.text.split("\n")[point.row - 1]
    return re.match(r"[a-z0-9_]*\s*=(?!=)", line[point.column - 1 :]) is not None


def _nodes(analysis: Analysis, point: Point) -> list[Node]:
    """The nodes of the innermost call around a point."""
    if analysis.checked is None:
        return []
    found = [
        n
        for n in analysis.checked.net.nodes
        if n.span and Path(n.span.filename) == analysis.path and covers(n.span, point)
    ]
    spans = {n.span for n in found if n.span}
    if not spans:
        return []
    inner = min(spans, key=lambda s: (s.end_row - s.row, s.end_column - s.column))
    return [n for n in found if n.span == inner]


def _computed(analysis: Analysis, point: Point) -> str:
    """Output shapes and parameters of the ops that a call stands for."""
    nodes = _nodes(analysis, point)
    if not nodes:
        return ""
    shapes = list(dict.fromkeys(f"{n.output} {n.output.kind}" for n in nodes))
    total = sum(n.parameters for n in nodes)
    many = f"{len(nodes)} ops, " if len(nodes) > 1 else ""
    return f"**{' | '.join(shapes)}**, {many}{total:,} parameters"


def _place(analysis: Analysis, point: Point) -> str:
    """What the slot around a point puts out, and its parameters."""
    if analysis.checked is None:
        return ""
    net = analysis.checked.net
    for component in net.components:
        span = component.span
        if span and Path(span.filename) == analysis.path and covers(span, point):
            return described(net, component)
    return ""


def _component(analysis: Analysis, word: str) -> str:
    net = analysis.checked.net if analysis.checked else None
    found = [c for c in net.components if c.name == word] if net else []
    return described(net, found[0]) if net and found else ""


def _bound(analysis: Analysis, word: str) -> str:
    if analysis.checked is None:
        return ""
    bound = analysis.checked.resolved.scope.lookup(word)
    if bound is None:
        return ""
    file = Path(bound.span.filename)
    place = f"line {bound.span.row}" if file == analysis.path else f"{file.name}:{bound.span.row}"
    return f"`{word}` = `{bound.value}` ({place})"


def _block(analysis: Analysis, word: str, point: Point) -> str:
    blocks = analysis.checked.resolved.blocks if analysis.checked else {}
    if word not in blocks:
        return ""
    parameters = ", ".join(
        n if default is None else f"{n} = ..." for n, default in blocks[word].block.parameters
    )
    text = f"```grow\nblock {word}({parameters})\n```"
    return "\n\n".join(filter(None, (_computed(analysis, point), text)))
