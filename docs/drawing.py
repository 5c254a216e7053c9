"""A U that grows, drawn from two compiled specs: what is dropped, what is copied, what is new."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import NamedTuple

import growlang
from growlang.net import Net
from growlang.tables.parts import short

ROW, BAR, INSET = 44, 118, 40
"""Height of a row, width of a side's bar, and how far each row lies further inward, in pixels."""
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #57606a; }
.name { font-weight: 600; fill: #1f2328; }
.on { fill: #fff; font-weight: 600; }
.kept { fill: #3f51b5; } .new { fill: #2e8b57; }
.dropped { fill: none; stroke: #8c959f; stroke-width: 1.5; stroke-dasharray: 5 4; }
.flow { fill: none; stroke: #8c959f; stroke-width: 1.5; }
.copy { fill: none; stroke: #3f51b5; stroke-width: 2.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #9aa4af; } .name { fill: #e6edf3; }
  .kept { fill: #5c6bc0; } .new { fill: #3aa76d; } .copy { stroke: #7986cb; }
}
"""


class Level(NamedTuple):
    """A row of the U: a component's two sides, or the core at the bottom."""

    label: str
    name: str
    kind: str


def growing_u(parent: Path, child: Path) -> str:
    """The drawing as SVG, of a child whose core is kept and whose ends are new."""
    old, new = growlang.load(parent), growlang.load(child)
    copied = _copied(new)
    sizes = {tensor.name: prod(tensor.shape) for tensor in new.net.tensors()}
    kept = sum(size for name, size in sizes.items() if name in copied)
    fresh = sum(sizes.values()) - kept
    before, after = list(_levels(old.net, "dropped")), list(_levels(new.net, "new"))
    depth = len(after)
    left, right = 10, 380
    full = 2 * BAR + 2 * INSET * (depth - 1)
    width = right + full + 70
    parts = [
        *_u(before, left, 70 + ROW * (depth - len(before)), 1),
        *_u(after, right, 70, INSET),
        _text(left, 30, f"{old.name}, {old.net.image.dims[1]} px", "name"),
        _text(right, 30, f"{new.name}, {new.net.image.dims[1]} px", "name"),
    ]
    bottom = 70 + ROW * (depth - 1) + 14
    start, end = left + 2 * BAR + 40, right + INSET * (depth - 1) - 6
    parts += [
        f'<path class="copy" d="M{start} {bottom} H{end}" marker-end="url(#tip)"/>',
        _text(start + 6, bottom - 9, f"copied bit for bit: {short(kept)} parameters", ""),
        _text(right + full // 2, 89, f"new: {short(fresh)} parameters", "", middle=True),
    ]
    height = bottom + 34
    tip = (
        '<marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="6" markerHeight="6" '
        'orient="auto"><path d="M0 0 8 4 0 8z" class="kept"/></marker>'
    )
    title = f"{old.name} grows into {new.name}: its core is copied, its ends are new"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<title>{title}</title><style>{STYLE}</style><defs>{tip}</defs>{''.join(parts)}</svg>\n"
    )


def _copied(child: growlang.Checked) -> frozenset[str]:
    assert child.mapping is not None
    return frozenset(e.name for e in child.mapping.of_child if e.category == "copied")


def _levels(net: Net, kind: str) -> Iterator[Level]:
    """From the ends down to the core."""
    yield Level(f"{net.image.dims[1]}", "stem, head", kind)
    for component in net.components:
        if component.name.is_stage:
            yield Level(f"{component.output.dims[1]}", component.name.selector, kind)
    first = net.of("core")[0].inputs[0]
    yield Level(f"{net.shapes[first].dims[1]}", "core", "kept")


def _u(levels: list[Level], x: int, y: int, inset: int) -> Iterator[str]:
    """Bars of both sides, row by row, joined by lines."""
    depth = len(levels)
    full = 2 * BAR + 2 * inset * (depth - 1)
    for row, (label, name, kind) in enumerate(levels):
        top, shift = y + ROW * row, inset * row
        a, b = x + shift, x + full - shift - BAR
        yield _text(x + full + 14, top + 19, f"{label} px" if row == 0 else label, "")
        if row == depth - 1:
            yield _bar(a, top, b + BAR - a, kind)
            yield _text(a + (b + BAR - a) // 2, top + 19, name, "on", middle=True)
            continue
        first, _, second = name.partition(", ")
        for side, at in ((first, a), (second or first, b)):
            yield _bar(at, top, BAR, kind)
            said = "on" if kind == "new" else ""
            yield _text(at + BAR // 2, top + 19, side, said, middle=True)
        for down, up in ((a + BAR // 2, 0), (b + BAR // 2, 1)):
            head, tail = (top + 28, top + ROW) if not up else (top + ROW, top + 28)
            yield f'<path class="flow" d="M{down + (1 - 2 * up) * inset // 2} {head} V{tail}"/>'


def _bar(x: int, y: int, width: int, kind: str) -> str:
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="28" rx="5"/>'


def _text(x: int, y: int, text: str, kind: str, middle: bool = False) -> str:
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text class="{kind}" x="{x}" y="{y}"{anchor}>{text}</text>'
