"""What a grown op may be declared with: the arguments that growth changes, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from growlang.diagnostics.literals import literal
from growlang.growing.matching import Match, Pair
from growlang.growing.resizing import Resizing, sides
from growlang.growing.spaces import Spaces
from growlang.growth.verdict import Obstacle

SIZES = frozenset(
    (
        "width",
        "heads",
        "head_width",
        "mlp",
        "vocabulary",
        "n",
        "tokens",
        "skip",
        "height",
        "dropout",
    )
)
"""What spaces, rows and training alone depend on."""
GRIDS = frozenset(("factor", "kernel"))
"""What `resize` changes, of these ops."""
RESIZED = ("patch", "unpatch", "conv", "residual")


def argument_obstacles(pair: Pair, resizing: Resizing, extends: bool) -> Iterator[Obstacle]:
    """What a node is declared with that growth does not lead to.

    `extends` tells whether a rule speaks of more tokens and conditions.
    """
    new, old, path = pair.child.args, pair.parent.args, pair.child.path
    if pair.child.op == "position":
        yield from _positions(pair, resizing)
    yield from _tokens(pair, extends)
    for name in dict.fromkeys((*old, *new)):
        now, was = new.get(name), old.get(name)
        if now == was or name in SIZES or name == "from":
            continue
        if name == "names":
            yield from _names(path, now, was)
        elif name in GRIDS and pair.child.op in RESIZED:
            yield from _filters(path, name, now, was, resizing)
        elif name in GRIDS:
            why = f"`{name}` is {literal(now)} here and {literal(was)} in the parent, and no rule "
            why += f"resizes `{pair.child.op}`"
            yield Obstacle("impossible", path, why, f"write `{name} = {literal(was)}`")
        elif name == "attend" and isinstance(now, Sequence) and isinstance(was, Sequence):
            added = [place for place in now if place not in (*was, "self")]
            if added and not extends:
                why = f"it attends to {literal(added)} too, which the parent's does not"
                yield Obstacle("impossible", path, why, "add `extend(exact)`")
            elif [place for place in now if place in was] != list(was):
                why = f"it attends in another order: {literal(now)}, not {literal(was)}"
                kept = [*was, *(place for place in now if place not in was)]
                yield Obstacle("inexact", path, why, f"write `attend = {literal(kept)}`")
        elif not (name == "kind" and (was, now) == ("sincos", "learned")):
            why = f"`{name}` is {literal(now)} here and {literal(was)} in the parent"
            yield Obstacle("inexact", path, why, f"write `{name} = {literal(was)}`")


def _filters(
    path: str, name: str, now: object, was: object, resizing: Resizing
) -> Iterator[Obstacle]:
    """What is to be said of filters of another size than the parent's."""
    assert isinstance(now, int) and isinstance(was, int)
    if resizing.how is None:
        why = f"`{name}` is {now} here and {was} in the parent"
        yield Obstacle("impossible", path, why, "add `resize(nearest)`")
    elif name == "kernel" and now < was:
        why = f"its filters would shrink from {was} x {was} to {now} x {now} pixels"
        yield Obstacle("impossible", path, why, f"write at least `kernel = {was}`")
    elif name == "factor":
        why = "it computes of a larger image what it did of the means of its pixels"
        if resizing.how != "nearest" or now % was:
            why = f"its filters are interpolated from {was} x {was} to {now} x {now} pixels"
        yield Obstacle("incomparable", path, why)


def _names(path: str, now: object, was: object) -> Iterator[Obstacle]:
    """What is to be said of classes of which the first are not the parent's."""
    if not isinstance(now, Sequence) or not isinstance(was, Sequence):
        return
    if [*now[: len(was)]] != [*was]:
        why = f"its classes are {literal(now)} here and {literal(was)} in the parent"
        kept = [*was, *(name for name in now if name not in was)]
        help = f"write `names = {json.dumps(kept, ensure_ascii=False)}`: a class keeps its number"
        yield Obstacle("impossible", path, why, help)


def _tokens(pair: Pair, extends: bool) -> Iterator[Obstacle]:
    """What is to be said of another number of a condition's tokens."""
    now, was = pair.child.args.get("tokens"), pair.parent.args.get("tokens")
    if now == was or not isinstance(now, int) or not isinstance(was, int):
        return
    path = pair.child.path
    if now < was:
        why = f"its texts would be cut to {now} tokens, and the parent's are of {was}"
        yield Obstacle("impossible", path, why, f"write at least `tokens = {was}`")
    elif not extends:
        why = f"it has {now} tokens here, and {was} in the parent"
        yield Obstacle("impossible", path, why, "add `extend(exact)`")


def _positions(pair: Pair, resizing: Resizing) -> Iterator[Obstacle]:
    """What is to be said of other positions than the parent's."""
    now, was = pair.child.output.positions, pair.parent.output.positions
    if now == was:
        return
    if resizing.how is None and pair.child.tensors:
        why = f"it has {now} positions here, and {was} in the parent"
        yield Obstacle("impossible", pair.child.path, why, "add `resize(bilinear)`")
        return
    why = f"its {was} positions become {now}: the parent computes nothing of as many to compare to"
    yield Obstacle("incomparable", pair.child.path, why)


def drawn_skip(pair: Pair, child: Spaces) -> Iterator[Obstacle]:
    """What a new block does to its input where it is initialised as its op is."""
    axes = child.axes.get(pair.child.path)
    if axes and any(layer.place == "skip" for layer in axes.layers):
        why = "a new block passes its input through a 1 x 1 skip, which is drawn"
        yield Obstacle("inexact", pair.child.path, why, "write `init = zero`", "deepen")


def unresizable(pair: Pair, match: Match) -> Iterator[Obstacle]:
    """What a node's tensors have of sides without a space, where no rule resizes its op."""
    path, op = pair.child.path, pair.child.op
    new, old = match.child.axes.get(path), match.parent.axes.get(pair.parent.path)
    if new is None or old is None or op in (*RESIZED, "position"):
        return
    before = {parameter.name: sides(parameter) for parameter in old.parameters}
    for parameter in new.parameters:
        was, now = before.get(parameter.name), sides(parameter)
        if was is not None and was != now:
            why = f"`{parameter.name}` has other sides than the parent's: {now}, not {was}"
            yield Obstacle("impossible", path, f"{why}, and no rule resizes `{op}`")
            return


def lost(pair: Pair, match: Match) -> Iterator[Obstacle]:
    """The layers of the parent's node that the child's does not have."""
    path = pair.child.path
    new, old = match.child.axes.get(path), match.parent.axes.get(pair.parent.path)
    if new is None or old is None or any(o.place.endswith(path) for o in match.obstacles):
        return
    names = {layer.name for layer in new.layers} | {layer.branch for layer in new.layers}
    gone = (one for one in old.layers if one.name not in names)
    for name in dict.fromkeys(one.name if one.branch in names else one.branch for one in gone):
        why = f"it has no `{name}`, which the parent's has"
        attend = pair.parent.args.get("attend")
        kept = f"`attend = {literal(attend)}`" if str(name).startswith("attend.") else ""
        mend = f"write {kept}" if kept else "keep what makes it: its widths and its norm"
        yield Obstacle("impossible", pair.child.path, why, mend)
