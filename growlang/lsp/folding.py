"""What an editor may fold: statements and brackets on several rows, and runs of comments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from growlang.diagnostics import Span
from growlang.lsp.project import Source
from growlang.lsp.tolerant import MADE_UP
from growlang.syntax import document as d

CLOSING = (")", "]", "}")


class Fold(NamedTuple):
    """Rows that fold below the first one; `kind` is region, comment or imports."""

    first: int
    last: int
    kind: str = "region"


def folds(source: Source) -> list[Fold]:
    """The rows that fold, the outermost of those that begin on the same row."""
    lines = source.text.split("\n")
    found = [fold for tree in source.trees for fold in _of_tree(tree, lines)]
    found += _runs(
        [c.span for c in source.reading.document.comments if _alone(c, lines)], "comment"
    )
    found += _runs([i.span for tree in source.trees for i in tree.imports], "imports")
    widest: dict[int, Fold] = {}
    for fold in sorted(found):
        widest[fold.first] = fold
    return list(widest.values())


def _of_tree(tree: d.Document, lines: list[str]) -> Iterator[Fold]:
    """Every node of a tree that stands on several rows; a last row of brackets stays open."""
    todo: list[Any] = [*tree.params, *tree.blocks, *tree.models, *tree.data]
    todo += [*tree.recipes, *tree.sections]
    while todo:
        node = todo.pop()
        if not isinstance(node, tuple) or isinstance(node, Span):
            continue
        todo += node
        span = getattr(node, "span", None)
        made_up = getattr(node, "name", "") == MADE_UP
        if span is not None and not made_up and span.row > 1 and span.end_row > span.row:
            closes = lines[span.end_row - 1].lstrip().startswith(CLOSING)
            last = span.end_row - closes
            if last > span.row:
                yield Fold(span.row, last)


def _alone(comment: d.Comment, lines: list[str]) -> bool:
    return not lines[comment.span.row - 1][: comment.span.column - 1].strip()


def _runs(spans: list[Span], kind: str) -> Iterator[Fold]:
    """Neighbouring rows with something of a kind."""
    rows = sorted({row for span in spans for row in range(span.row, span.end_row + 1)})
    first = 0
    for i, row in enumerate(rows):
        if i and row != rows[i - 1] + 1:
            first = i
        if i > first and (i + 1 == len(rows) or rows[i + 1] != row + 1):
            yield Fold(rows[first], row, kind)
