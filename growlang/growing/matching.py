"""Which space of a parent each space of its child is. Stdlib only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from growlang.growing.spaces import Place, Spaces, Value
from growlang.growth.verdict import Obstacle
from growlang.net import Node
from growlang.net.axes import Axis, Space


class Pair(NamedTuple):
    """A node of a child and the parent's node whose tensors it grows from."""

    child: Node
    parent: Node
    is_copy: bool = False
    """Whether it is a new block that begins as a copy of another: its inputs are elsewhere."""
    is_silent: bool = False
    """Whether the copy's last maps are zero, so that it adds nothing."""
    is_drawn: bool = False
    """Whether the new block is initialised, as if it were of another net."""


@dataclass(frozen=True)
class Match:
    """The spaces of a child by those of its parent."""

    child: Spaces
    parent: Spaces
    pairs: Mapping[str, Pair]
    """By the path of the child's node."""
    of: Mapping[int, int]
    """The parent's space of each of the child's that has one."""
    added: frozenset[int]
    """The child's spaces that are new parts of what a grown op reads."""
    obstacles: tuple[Obstacle, ...]


def match(child: Spaces, parent: Spaces, pairs: Mapping[str, Pair]) -> Match:
    """Match the spaces of the nodes that have a counterpart, by their places and results."""
    found = _Found(child, parent)
    for pair in pairs.values():
        if not pair.is_drawn:
            found.take(pair)
    return Match(
        child,
        parent,
        pairs,
        found.of,
        frozenset(found.added - found.of.keys()),
        tuple(found.obstacles),
    )


@dataclass
class _Found:
    child: Spaces
    parent: Spaces
    of: dict[int, int] = field(default_factory=dict)
    added: set[int] = field(default_factory=set)
    obstacles: list[Obstacle] = field(default_factory=list)

    def take(self, pair: Pair) -> None:
        new, old = self.child.axes.get(pair.child.path), self.parent.axes.get(pair.parent.path)
        if new is None or old is None:
            path, op = pair.child.path, pair.child.op
            self.obstacles.append(
                Obstacle(
                    "impossible",
                    path,
                    f"the op `{op}` declares no axes, so that nothing tells how it grows",
                    f"`keep` or `drop` it, or give `{op}` the method `axes`",
                )
            )
            return
        outside = set[str]()
        if pair.is_copy:
            outside = {name for axis in (*new.inputs[:1], new.output) for name in _spaces(axis)}
        ours, theirs = (
            s.named[p.path] for s, p in ((self.child, pair.child), (self.parent, pair.parent))
        )
        names = [n for n in ours if n in theirs and not (pair.is_copy and n in outside)]
        for name in names:
            self._same(
                self.child.local[Place(pair.child.path, name)],
                self.parent.local[Place(pair.parent.path, name)],
                f"{pair.child.path}.{name}",
            )
        if pair.is_copy:
            self._passed(pair)
        else:
            results = self.child.values[pair.child.path], self.parent.values[pair.parent.path]
            self._same(*results, f"the result of {pair.child.path}")

    def _passed(self, pair: Pair) -> None:
        """The result of a new block, which adds to its input, is what its input is."""
        x, out = self.child.values[pair.child.inputs[0]], self.child.values[pair.child.path]
        for a, b in zip(out, x, strict=False):
            if b in self.of:
                self.of.setdefault(a, self.of[b])

    def _same(self, new: Value, old: Value, place: str) -> None:
        if len(new) < len(old):
            self.obstacles.append(
                Obstacle("impossible", place, "it no longer reads all that the parent's read")
            )
            return
        self.added.update(new[len(old) :])
        for a, b in zip(new, old, strict=False):
            if self.of.setdefault(a, b) != b:
                self.obstacles.append(
                    Obstacle(
                        "impossible",
                        place,
                        "channels that were apart in the parent would be the same here, as where "
                        "a residual op loses its 1 x 1 skip",
                        "keep the widths of its input and of its result apart",
                    )
                )


def _spaces(axis: Axis) -> list[str]:
    return [f.name for segment in axis for f in segment.factors if isinstance(f, Space)]
