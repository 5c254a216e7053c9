"""Which lines of metrics a page shows where there are too many: real ones, with the extremes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import isfinite
from typing import Any

Row = dict[str, Any]
WINDOW = 25
"""A mean is over a window of one part in `WINDOW` of all lines."""


def thinned(rows: Sequence[Row], most: int, by: Sequence[str] = ("loss", "grad_norm")) -> list[int]:
    """The indices of at most about `most` rows, in their order.

    Rows are dealt into buckets of neighbours, of which those with the least and the greatest value
    of each name stay, so that a peak of a single step is never lost; so do the first and the last.
    """
    if len(rows) <= most:
        return list(range(len(rows)))
    buckets = max(1, most // (2 * len(by)))
    kept = {0, len(rows) - 1}
    for number in range(buckets):
        bucket = range(number * len(rows) // buckets, (number + 1) * len(rows) // buckets)
        kept.update(_extremes(rows, bucket, by))
    return sorted(kept)


def _extremes(rows: Sequence[Row], bucket: range, by: Sequence[str]) -> Iterator[int]:
    for name in by:
        known = [i for i in bucket if number(rows[i].get(name)) is not None]
        if known:
            yield min(known, key=lambda i: float(rows[i][name]))
            yield max(known, key=lambda i: float(rows[i][name]))


def means(values: Sequence[float | None]) -> list[float | None]:
    """The mean around each value, over a window that narrows at both ends; None is passed over.

    All of them are None where there are too few values to be averaged.
    """
    half = len(values) // WINDOW // 2
    if half < 1:
        return [None] * len(values)
    sums = [0.0, *accumulate(value or 0.0 for value in values)]
    counts = [0, *accumulate(value is not None for value in values)]
    found: list[float | None] = []
    for i in range(len(values)):
        reach = min(half, i, len(values) - 1 - i)
        low, high = i - reach, i + reach + 1
        count = counts[high] - counts[low]
        found.append((sums[high] - sums[low]) / count if count else None)
    return found


def number(value: object) -> float | None:
    """A finite number, or None."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if known else None  # type: ignore[arg-type]


def rounded(value: float | None) -> float | int | None:
    """A number with six significant digits, which a page shows."""
    if value is None:
        return None
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
