"""What a growth would leave without a gradient for ever. Stdlib only.

A part learns if one factor of a product is zero, and never if both are. A head that becomes wider
by no whole number of copies has zeros in its new queries and keys under QK-norm, which would change
the norm otherwise: they part only if what reads the stream, or a condition, brings something new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from growlang.growing.matching import Match
from growlang.growing.space_growth import Along, Growth
from growlang.growing.spaces import Place
from growlang.growth.axis_map import NEW
from growlang.growth.verdict import Obstacle
from growlang.net.axes import Axes, Role, Space
from growlang.ops.heads import count

DRAWN = frozenset(("pad", "tile", "draw"))
"""The growths of a stream whose readers are drawn."""


def dead(match: Match, growths: Mapping[int, Growth]) -> Iterator[Obstacle]:
    """The sublayers whose heads would be padded for nothing."""
    for path, pair in match.pairs.items():
        axes = match.child.axes.get(path)
        if axes is None or pair.is_copy or pair.is_drawn:
            continue
        for branch, (heads, head) in _normalised_heads(axes).items():
            if (along := _along(match, growths, path, head)) is None or not _is_padded(along):
                continue
            read = (_along(match, growths, path, space) for space in _read(axes, branch))
            if not any(part.how in DRAWN for one in read if one for part in one.parts):
                n, m = along.old, along.new
                why = (
                    f"heads of {n} channels would become {m} by zeros in queries and keys alike, "
                    "and a product of two zeros never learns"
                )
                total = heads * head.size
                mend = f"choose heads of {n} or {2 * n} channels"
                if total % n == 0:
                    width = f", head_width = {n}" if pair.child.args.get("head_width") else ""
                    same = f"`heads = {total // n}{width}`"
                    mend = f"write {same}, so that each keeps its {n} channels"
                yield Obstacle("dead", f"{path}.{branch}", why, mend)


def _normalised_heads(axes: Axes) -> dict[str, tuple[int, Space]]:
    """The number of heads and the channels of each, where queries and keys are normalised."""
    found = {}
    for layer in axes.layers:
        for segment in layer.weight.axes[0]:
            match segment.factors:
                case (*_, Space(norm=norm) as head) if segment.role is Role.QUERY:
                    if norm is not None:
                        found[str(layer.branch)] = count(segment.factors), head
    return found


def _read(axes: Axes, branch: str) -> Iterator[Space]:
    """What the queries and keys of a sublayer are made of."""
    for layer in axes.layers:
        rows = layer.weight.axes[0]
        if layer.branch != branch or not {s.role for s in rows} & {Role.QUERY, Role.KEY}:
            continue
        for segment in layer.weight.axes[1]:
            yield from (space for space in segment.factors if isinstance(space, Space))


def _along(match: Match, growths: Mapping[int, Growth], path: str, space: Space) -> Along | None:
    parts = match.child.local[Place(path, space.name)]
    known = all(part in growths for part in parts)
    return Along(tuple(growths[part] for part in parts)) if known else None


def _is_padded(along: Along) -> bool:
    """Whether old heads have new channels."""
    return along.old > 0 and NEW in along.indices
