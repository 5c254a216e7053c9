"""Curves of two runs, drawn in characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from growlang_runtime.report.history import Curve

WIDTH, HEIGHT = 60, 12
"""Columns and rows of a drawing, without its scales."""
MARKS = ("a", "b")
BOTH = "*"


def drawn(curves: Sequence[Curve], width: int = WIDTH, height: int = HEIGHT) -> list[str]:
    """The curves over the steps, in one drawing: `a`, `b`, and `*` where they meet.

    The losses of a column's steps are averaged. The scale of losses is logarithmic. None of the
    curves is drawn where a loss is not above 0.
    """
    points = [point for curve in curves for point in curve]
    if not points or min(point.loss for point in points) <= 0:
        return []
    first, last = (pick(point.step for point in points) for pick in (min, max))
    columns = [_columns(curve, first, last, width) for curve in curves]
    levels = [level for column in columns for level in column.values()]
    low, high = min(levels), max(levels)
    rows = [[" "] * width for _ in range(height)]
    for mark, column in zip(MARKS, columns, strict=False):
        for x, level in column.items():
            y = round((high - level) / ((high - low) or 1) * (height - 1))
            rows[y][x] = mark if rows[y][x] in (" ", mark) else BOTH
    named = {0: f"{math.exp(high):.4g}", height - 1: f"{math.exp(low):.4g}"}
    side = max(map(len, named.values()))
    lines = [f"{named.get(i, ''):>{side}} |{''.join(row)}".rstrip() for i, row in enumerate(rows)]
    steps = f"{first:,}".ljust(width - len(f"{last:,}")) + f"{last:,}"
    return [*lines, f"{'':>{side}} +{'-' * width}", f"{'':>{side}}  {steps}"]


def _columns(curve: Curve, first: int, last: int, width: int) -> dict[int, float]:
    """The logarithm of the mean loss in each column that has a step."""
    sums: dict[int, list[float]] = {}
    for point in curve:
        x = (point.step - first) * (width - 1) // max(1, last - first)
        sums.setdefault(x, []).append(point.loss)
    return {x: math.log(sum(found) / len(found)) for x, found in sums.items()}
