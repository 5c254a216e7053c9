"""Where the nodes of a net stand in its drawing: rows by resolution, boxes, repeated blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from growlang.net import CORE, HEAD, STEM, ComponentName, Net, Node
from growlang.net.component_name import PREFIX, RETAINED
from growlang.ops import op_in

Side = Literal["encode", "decode", "whole"]
"""Which arm of the U a box stands in; `whole` is as wide as both."""
CONDITIONS, ENDS = "conditions", "ends"
LONGEST_PERIOD = 8
"""Most nodes that repeat together."""


class Box(NamedTuple):
    """The nodes of a component in one arm of the U."""

    row: str
    side: Side
    component: ComponentName
    nodes: tuple[Node, ...]


class Row(NamedTuple):
    """A row of the drawing, in which both nets have what is at one resolution."""

    id: str
    label: str
    title: str


def shown(net: Net) -> tuple[Node, ...]:
    """The nodes that are drawn: not those that the compiler places, which have no tensors."""
    return tuple(node for node in net.nodes if not _is_placed(node))


def _is_placed(node: Node) -> bool:
    op = op_in(node)
    return op.called_as == "internal" and not op.has_tensors


def boxes(net: Net) -> tuple[Box, ...]:
    """The boxes of a net in the order of its data; conditions without nodes have empty ones."""
    found: dict[ComponentName, dict[Side, list[Node]]] = {c.name: {} for c in net.components}
    for node in shown(net):
        found[node.component].setdefault(_side(node, net), []).append(node)
    return tuple(
        Box(_row(name, net), side, name, tuple(nodes))
        for name, sides in found.items()
        for side, nodes in (sides or {"whole": []}).items()
    )


def _side(node: Node, net: Net) -> Side:
    """The arm of the U that a node is in, which its place in the net says."""
    name = node.component
    if net.of_tokens or not (name in (STEM, HEAD) or name.is_stage or name.is_retained):
        return "whole"
    inside = node.path.removeprefix(name).split(".")
    down = name == STEM or "encode" in inside or (name.is_retained and STEM in inside)
    return "encode" if down else "decode"


def _row(name: ComponentName, net: Net) -> str:
    if name == CORE or name.is_stage or name.is_retained:
        return str(name)
    if name in (STEM, HEAD):
        return str(name) if net.of_tokens else ENDS
    return CONDITIONS


def rows(nets: Sequence[Net]) -> list[Row]:
    """The rows of one net, or of two: what both have stands side by side."""
    found = {box.row for net in nets for box in boxes(net)}
    stages, retained = (
        sorted((r for r in found if r.startswith(p)), key=lambda r: -int(r.rpartition(".")[2]))
        for p in (PREFIX, RETAINED)
    )
    order = [CONDITIONS, ENDS, *retained, STEM, *stages, CORE, HEAD]
    return [Row(row, *_titles(row, nets)) for row in order if row in found]


def _titles(row: str, nets: Sequence[Net]) -> tuple[str, str]:
    """The label of a row, and what it is in full."""
    at = row.rpartition(".")[2]
    if row.startswith(PREFIX):
        return at, f"stage at {at} x {at}"
    if row.startswith(RETAINED):
        return f"{at} px", f"retained ends, which made images of {at} px"
    if row == ENDS:
        sizes = [str(net.image.dims[-1]) for net in nets if not net.of_tokens]
        return (
            f"{' → '.join(dict.fromkeys(sizes))} px",
            "the image, and the ends that read and make it",
        )
    if row == CORE:
        places = dict.fromkeys(_resolution(net) for net in nets)
        return " → ".join(places), f"core at {' → '.join(places)}"
    return row, row


def _resolution(net: Net) -> str:
    """What the core reads: the rows of a grid, or the length of a sequence."""
    first = next((n for n in net.nodes if n.component == CORE), None)
    shape = net.shapes[first.inputs[0]] if first else net.result
    return str(shape.dims[1]) if shape.kind == "grid" else f"{shape.positions:,} tokens"


class Group(NamedTuple):
    """Nodes that follow each other: `period` kinds of them, `times` times."""

    first: int
    period: int
    times: int


def groups(keys: Sequence[object]) -> Iterator[Group]:
    """The repeats in a sequence, the longest first at each place; what does not repeat is alone.

    `a b a b c` is a group of period 2, two times, and one of period 1, once.
    """
    at = 0
    while at < len(keys):
        best = Group(at, 1, 1)
        for period in range(1, LONGEST_PERIOD + 1):
            times = _repeats(keys, at, period)
            if times > 1 and period * times > best.period * best.times:
                best = Group(at, period, times)
        yield best
        at += best.period * best.times


def _repeats(keys: Sequence[object], at: int, period: int) -> int:
    """How often the `period` keys at a place stand there one after the other."""
    unit, count = keys[at : at + period], 1
    while keys[at + count * period : at + (count + 1) * period] == unit and len(unit) == period:
        count += 1
    return count
