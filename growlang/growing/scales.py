"""The scale of a padded stream: where it reaches, and what norms need for it. Stdlib only.

Padding changes the mean square of a stream, which an RMSNorm divides by: its values are scaled so
that it stays. Linear maps and norms of tokens undo the scale by their own factors. A GroupNorm
undoes it by itself, but for its eps, which the node then has times the square of the scale; so all
that the GroupNorms of one node read has one scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from growlang.growing import space_growth as sg
from growlang.growing.matching import Match
from growlang.growing.space_growth import Growth
from growlang.growing.spaces import Place
from growlang.growth.verdict import Obstacle
from growlang.net.axes import Axes, Role, Symmetry


class Scaled(NamedTuple):
    """The growths with their scales, and the eps of the nodes that need another."""

    growths: Mapping[int, Growth]
    eps: Mapping[str, float]
    """By the path of the node."""
    obstacles: tuple[Obstacle, ...]


def scaled(match: Match, growths: Mapping[int, Growth]) -> Scaled:
    """Spread the scales of padded streams to what their GroupNorms read beside them."""
    found = dict(growths)
    eps: dict[str, float] = {}
    obstacles: list[Obstacle] = []
    waiting = [number for number, growth in found.items() if growth.scale != 1]
    while waiting:
        number = waiting.pop()
        scale = found[number].scale
        for member in match.child.members.get(number, []):
            path, space = member.node.path, member.space
            if path not in match.pairs:
                continue
            if space.norm is None and space.symmetry is not Symmetry.SCALED:
                why = (
                    f"the stream has to be scaled by {scale:.4g}, and it lies behind an activation"
                )
                obstacles.append(Obstacle("inexact", str(member.place), why))
            if _is_modulated_as_it_is(match.child.axes[path]):
                why = (
                    f"the stream has to be scaled by {scale:.4g}, and the time embedding scales it"
                )
                obstacles.append(Obstacle("inexact", path, why))
            if _writes_normalised(match, path):
                why = f"the stream has to be scaled by {scale:.4g}, but what a norm makes is not"
                obstacles.append(Obstacle("inexact", path, why))
            if space.norm is None or space.norm.kind != "group":
                continue
            eps[path] = match.pairs[path].parent.scope.eps * scale**2
            for other in _grouped(match, path):
                if other not in found:
                    continue
                if found[other].scale == 1:
                    found[other] = sg.scaled(found[other], scale)
                    waiting.append(other)
                elif found[other].scale != scale:
                    why = (
                        f"its norms read streams scaled by {found[other].scale:.4g} and {scale:.4g}"
                    )
                    obstacles.append(Obstacle("eps", path, f"{why}, and have one eps"))
    return Scaled(found, eps, tuple(dict.fromkeys(obstacles)))


def _grouped(match: Match, path: str) -> list[int]:
    """The spaces that the GroupNorms of a node read."""
    return [
        number
        for space in match.child.named[path].values()
        if space.norm and space.norm.kind == "group"
        for number in match.child.local[Place(path, space.name)]
    ]


def _is_modulated_as_it_is(axes: Axes) -> bool:
    """Whether what scales a norm is a value with a table added, which no map writes for it."""
    for layer in axes.layers:
        roles = {segment.role for segment in layer.weight.axes[0]}
        if layer.kind == "table" and Role.SCALE in roles and Role.GATE not in roles:
            return True
    return False


def _writes_normalised(match: Match, path: str) -> bool:
    """Whether a node adds to a value that is a norm's."""
    node = match.pairs[path].child
    axes = match.child.axes[path]
    if node.inputs[0] not in match.child.normalised:
        return False
    roles = {s.role for p in axes.parameters for s in p.axes[0]}
    return match.child.values[path] == match.child.values[node.inputs[0]] and Role.WRITES in roles
