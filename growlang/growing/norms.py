"""What the norms of a grown net say of exactness. Stdlib only.

A GroupNorm computes what it did where each of its groups holds the channels of one old group,
equally often, or new channels alone. An RMSNorm does where all channels are copied equally often
and the others are zero, with the stream scaled; a LayerNorm where the others are the mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from math import gcd, isclose, sqrt
from typing import NamedTuple

from growlang.growing.matching import Match
from growlang.growing.space_growth import Along, Growth
from growlang.growing.spaces import Place, Spaces
from growlang.growth.axis_map import NEW
from growlang.growth.verdict import Obstacle
from growlang.net import Node
from growlang.net.axes import Axes, Role, Space

MOST = 32
"""Groups of a GroupNorm where its width alone decides: these, or what they have in common."""


class Norm(NamedTuple):
    """A norm of a grown node, and the parent's."""

    node: Node
    name: str
    """Its layer or, where time scales it, its branch; empty for the op itself."""
    place: Place
    parts: tuple[int, ...]
    kind: str
    """`layer`, `rms` or `group`; `qk` of the RMSNorm of queries and keys."""
    groups: int
    """Groups of the parent's."""
    number: str
    """The number of the op that keeps its groups; empty where it keeps none."""
    is_gated: bool
    """Whether what is added to the stream has gates, as time gives them."""

    @property
    def title(self) -> str:
        """Where it is, for messages."""
        return f"{self.node.path}.{self.name}" if self.name else self.node.path

    def along(self, growths: Mapping[int, Growth]) -> Along:
        """The growth of what it normalises."""
        return Along(tuple(growths[part] for part in self.parts))


def norms(match: Match) -> list[Norm]:
    """The norms of all grown nodes, over spaces that a value has."""
    found: list[Norm] = []
    gated = gated_spaces(match.child)
    layers: dict[tuple[int, str], str] = {}
    for path, pair in match.pairs.items():
        axes, old = match.child.axes.get(path), match.parent.axes.get(pair.parent.path)
        if axes is None or old is None or pair.is_drawn:
            continue
        theirs = match.parent.named[pair.parent.path]
        for name, space in match.child.named[path].items():
            before = theirs.get(name)
            if space.norm is None or before is None or before.norm is None:
                continue
            place = Place(path, name)
            if (id(axes), name) not in layers:
                layers[id(axes), name] = _layer(axes, space)
            layer = layers[id(axes), name]
            found.append(
                Norm(
                    pair.child,
                    layer,
                    place,
                    match.child.local[place],
                    "qk" if _is_of_heads(axes, space) else space.norm.kind,
                    before.norm.groups,
                    f"{layer}.groups".lstrip("."),
                    not gated.isdisjoint(match.child.local[place]),
                )
            )
    return found


def gated_spaces(spaces: Spaces) -> set[int]:
    """The spaces to which a branch is added that time gates."""
    return {
        number
        for path, axes in spaces.axes.items()
        for layer in axes.layers
        for segment in layer.weight.axes[0]
        if segment.role is Role.GATE
        for space in segment.factors
        if isinstance(space, Space)
        for number in spaces.local[Place(path, space.name)]
    }


def group_counts(norm: Norm, old: int, new: int) -> list[int]:
    """How many groups a GroupNorm may have, the best first: its group's size is kept if it fits."""
    counts = []
    if new % (old // norm.groups) == 0:
        counts.append(new // (old // norm.groups))
    counts.append(gcd(MOST, new))
    if new % norm.groups == 0:
        counts.append(norm.groups)
    return list(dict.fromkeys(counts))


@lru_cache(maxsize=8192)
def group_obstacle(along: Along, before: int, after: int) -> str:
    """Why a GroupNorm of `after` groups does not compute what one of `before` did; empty if so."""
    indices, old_size, size = along.indices, along.old // before, along.new // after
    for group in range(after):
        sources = indices[group * size : (group + 1) * size]
        if set(sources) == {NEW}:
            continue
        counts = Counter(sources)
        old = sorted({i // old_size for i in counts if i != NEW})
        if len(old) > 1:
            return f"its group {group} of {after} would mix old groups {old[0]} and {old[1]}"
        if NEW in counts:
            return f"its group {group} of {after} would mix old and new channels"
        if len(counts) != old_size or len(set(counts.values())) > 1:
            part = f"{len(counts)} of the {old_size} channels of old group {old[0]}"
            return f"its group {group} of {after} would have {part}, or not equally often"
    return ""


@lru_cache(maxsize=8192)
def token_obstacle(kind: str, along: Along, is_gated: bool) -> str:
    """Why a LayerNorm or RMSNorm does not compute what it did; empty where it does."""
    counts = Counter(along.indices)
    new = counts.pop(NEW, 0)
    times = set(counts.values())
    if len(counts) != along.old or len(times) > 1:
        return f"{along.old} channels would not be copied equally often in {along.new}"
    if not new:
        return "" if len(along.scales) == 1 else "its parts would have other scales"
    if kind == "qk":
        return ""  # new channels of a head are zero, and its queries and keys scaled themselves
    how = {part.how for part in along.parts if NEW in part.index.indices}
    if how == {"tile"} and is_gated:
        return (
            f"{along.new} is no multiple of {along.old}, and new channels cannot stay the mean of "
            "the others, which a LayerNorm makes zero, where time gates each by itself"
        )
    wanted = {"rms": {"pad"}, "layer": {"tile"}}[kind]
    if how != wanted:
        return {
            "rms": "its new channels would not be zero",
            "layer": "its new channels would not be the mean of the others",
        }[kind]
    scale = sqrt(along.new / (times.pop() * along.old))
    if not all(isclose(part.scale, scale) for part in along.parts):
        return f"new channels change its mean square: the stream has to be scaled by {scale:.4g}"
    return ""


def obstacle_of(norm: Norm, growths: Mapping[int, Growth], after: int) -> Obstacle | None:
    """What a norm, with so many groups, has against a growth."""
    along = norm.along(growths)
    if along.is_same and (norm.kind != "group" or after == norm.groups):
        return None
    if norm.kind == "group":
        why = group_obstacle(along, norm.groups, after)
        size = along.old // norm.groups
        mend = "choose a whole multiple of the width, or write `widen(copy)`, without a promise"
        if all(part.old % size == 0 for part in along.parts) and size > 1:
            mend = f"choose a multiple of {size}, so that whole groups are added: each has {size}"
        where = f"GroupNorm over {along.old} -> {along.new} channels"
    else:
        why = token_obstacle(norm.kind, along, norm.is_gated)
        kind = "LayerNorm" if norm.kind == "layer" else "RMSNorm"
        where = f"{kind} over {along.old} -> {along.new} channels"
        mend = ""
        if norm.kind == "layer":
            mend = f"write a multiple of {along.old}, such as {2 * along.old}"
            if "norm" in norm.node.args:
                mend += ", or train the parent with `norm = rms`"
    return Obstacle("inexact", f"{norm.title} ({where})", why, mend) if why else None


def _is_of_heads(axes: Axes, space: Space) -> bool:
    """Whether a space is that of a head's channels, of which queries and keys are normalised."""
    roles = {s.role for one in axes.parameters for s in one.axes[0] if space in s.factors}
    return Role.QUERY_NORM in roles


def _layer(axes: Axes, space: Space) -> str:
    """The layer that is the norm of a space; the branch of its modulation where it has none."""
    for layer in axes.layers:
        for segment in layer.weight.axes[0]:
            if space in segment.factors:
                if segment.role in (Role.NORM_SCALE, Role.TIED_SCALE, Role.QUERY_NORM):
                    return layer.name
                if segment.role is Role.SCALE and layer.branch:
                    return layer.branch
    return ""
