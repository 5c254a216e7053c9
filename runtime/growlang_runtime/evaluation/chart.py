"""A picture of evaluations as SVG: a panel for each metric, curves over guidance, or bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from growlang_runtime.evaluation.result import Evaluations, number

WIDTH, HEIGHT, GAP, LEFT, TOP = 300, 200, 40, 64, 36
"""Of a panel in pixels, the space around panels, and the place of the first."""
ACROSS = 3
"""Panels in a row."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, which the colour-blind tell apart."""


class Series(NamedTuple):
    """The values of one run: over guidance, or one bar."""

    run: str
    colour: str
    points: tuple[tuple[float, float], ...]


def chart(found: Evaluations) -> str:
    """The picture. A run is one colour; the floor, real images against real ones, is dashed."""
    runs = list(dict.fromkeys(row.run for row in found.rows))
    names = found.names
    columns = min(ACROSS, len(names)) or 1
    rows = -(-len(names) // columns)
    width = columns * (WIDTH + LEFT + GAP // 2) + GAP // 2
    legend = TOP + rows * (HEIGHT + TOP + GAP)
    height = legend + 20 * len(runs) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for place, name in enumerate(names):
        x = LEFT + place % columns * (WIDTH + LEFT + GAP // 2)
        y = TOP + place // columns * (HEIGHT + TOP + GAP)
        parts += _panel(found, runs, name, (x, y))
    for place, run in enumerate(runs):
        y, colour = legend + 20 * place, COLOURS[place % len(COLOURS)]
        parts.append(f'<rect x="{LEFT}" y="{y}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + 18}" y="{y + 11}">{escape(run)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    found: Evaluations, runs: Sequence[str], name: str, at: tuple[int, int]
) -> Iterator[str]:
    """The values of one metric, with its scale and its floor."""
    series = [_series(found, run, name, COLOURS[i % len(COLOURS)]) for i, run in enumerate(runs)]
    results = [r for row in found.rows for r in row.results if r.name == name]
    floors = [r.floor for r in results if r.floor is not None]
    levels = [y for one in series for _, y in one.points] + floors
    bars = len({x for one in series for x, _ in one.points}) == 1
    low, high = min([0.0, *levels] if bars else levels), max([0.0, *levels] if bars else levels)
    margin = (high - low) * 0.08 or abs(high) * 0.08 or 1.0
    low, high = (low if bars and low == 0 else low - margin), high + margin
    left, top = at

    def y_of(value: float) -> float:
        return round(top + HEIGHT - (value - low) / (high - low) * HEIGHT, 1)

    better = results[0].better if results else ""
    yield f'<text x="{left}" y="{top - 10}" font-weight="bold">{escape(name)}'
    yield f'<tspan font-weight="normal" fill="#666"> ({better} is better)</tspan></text>'
    yield f'<path d="M{left} {top}V{top + HEIGHT}H{left + WIDTH}" fill="none" stroke="#888"/>'
    for value in (low + margin, high - margin):
        shown = number(0.0 if abs(value) < margin * 1e-6 else value)
        yield f'<text x="{left - 6}" y="{y_of(value) + 4}" text-anchor="end">{shown}</text>'
    if floors:
        y = y_of(sum(floors) / len(floors))
        yield f'<path d="M{left} {y}H{left + WIDTH}" stroke="#666" stroke-dasharray="5 4"/>'
        yield f'<text x="{left + WIDTH}" y="{y - 4}" text-anchor="end" fill="#666">floor</text>'
    yield from _bars(series, at, y_of(max(low, 0.0)), y_of) if bars else _lines(series, at, y_of)


def _series(found: Evaluations, run: str, name: str, colour: str) -> Series:
    points = [
        (row.guidance or 0.0, row.values[name])
        for row in found.rows
        if row.run == run and name in row.values
    ]
    return Series(run, colour, tuple(sorted(points)))


def _bars(
    series: Sequence[Series], at: tuple[int, int], base: float, y_of: object
) -> Iterator[str]:
    assert callable(y_of)
    shown = [one for one in series if one.points]
    step = WIDTH / max(1, len(shown))
    for place, one in enumerate(shown):
        value = one.points[0][1]
        y = y_of(value)
        x, across = round(at[0] + (place + 0.2) * step, 1), round(0.6 * step, 1)
        yield (
            f'<rect x="{x}" y="{min(y, base)}" width="{across}" '
            f'height="{round(abs(base - y), 1)}" fill="{one.colour}"/>'
        )
        middle = round(x + across / 2, 1)
        yield f'<text x="{middle}" y="{y - 4}" text-anchor="middle">{number(value)}</text>'


def _lines(series: Sequence[Series], at: tuple[int, int], y_of: object) -> Iterator[str]:
    assert callable(y_of)
    scales = sorted({x for one in series for x, _ in one.points})
    span = (scales[-1] - scales[0]) or 1.0
    left, bottom = at[0], at[1] + HEIGHT

    def x_of(value: float) -> float:
        return round(left + 10 + (value - scales[0]) / span * (WIDTH - 20), 1)

    for scale in scales:
        yield f'<text x="{x_of(scale)}" y="{bottom + 16}" text-anchor="middle">{scale:g}</text>'
    yield f'<text x="{left + WIDTH / 2}" y="{bottom + 32}" text-anchor="middle">guidance</text>'
    for one in series:
        places = [(x_of(x), y_of(y)) for x, y in one.points]
        path = "L".join(f"{x} {y}" for x, y in places)
        yield f'<path d="M{path}" fill="none" stroke="{one.colour}" stroke-width="2"/>'
        yield from (f'<circle cx="{x}" cy="{y}" r="3" fill="{one.colour}"/>' for x, y in places)
