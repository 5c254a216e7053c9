"""What a grown op may be declared with: the arguments that growth changes, and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Literal

from growlang.diagnostics.literals import argument, literal
from growlang.growing.matching import Match, Pair
from growlang.growing.resizing import Resizing, sides
from growlang.growing.spaces import Spaces
from growlang.growth.verdict import Obstacle
from growlang.net import Scope, Shape
from growlang.net.axes import Space
from growlang.ops import op_in
from growlang.ops.base import Op, OpError, Resized
from growlang.ops.conditions import Condition
from growlang.ops.prefix import Prepend

Decided = Literal["sizes", "sides", "tokens", "function"]
"""What of an op an argument decides: how many places its spaces have, how many lie along axes
without a space and how many positions its result has, how many tokens a condition has, or what is
computed."""
Known = dict[tuple[object, ...], Decided]
"""What arguments decide, of nodes that are declared alike, such as the repeats of a block."""


def argument_obstacles(
    pair: Pair, match: Match, how: Resizing, extends: bool, known: Known
) -> Iterator[Obstacle]:
    """What a node is declared with that growth does not lead to.

    `extends` tells whether a rule speaks of more tokens and conditions.
    """
    new, old, path = pair.child.args, pair.parent.args, pair.child.path
    op = op_in(pair.child)
    if op.resized == "positions":
        yield from _positions(pair, how)
    yield from _rotations(pair)
    for name in dict.fromkeys((*old, *new)):
        now, was = new.get(name), old.get(name)
        if now == was or name in op.training_arguments:
            continue
        if name == op.conditions_argument and isinstance(op, Prepend):
            why = f"`prepend` is {literal(now)} here and {literal(was)} in the parent"
            yield Obstacle("impossible", path, why, _restored(name, was))
            continue
        if name == op.conditions_argument:
            yield from _conditions(path, name, now, was, extends)
            yield from _added_as_is(pair, match, now, was)
            continue
        if name == op.names_argument:
            yield from _names(path, name, now, was)
            continue
        if name in op.sublayer_arguments and _of_old(pair, now) == _of_old(pair, was):
            continue
        declared = (id(node.declaration or node) for node in pair[:2])
        key = name, *declared, *_read(pair, match)
        if key not in known:
            known[key] = _decided(pair, match, name)
        decided = known[key]
        if decided == "tokens":
            yield from _tokens(path, name, now, was, extends)
        elif decided == "sides" and op.resized and _resizes(op.resized, name, now, was):
            yield from _filters(path, name, now, was, op.resized, how)
        elif decided == "sides" and op.resized != "positions":
            why = f"`{name}` is {argument(now)} here and {argument(was)} in the parent"
            why += f", and no rule resizes `{pair.child.op}`"
            yield Obstacle("impossible", path, why, _restored(name, was))
        elif decided == "function" and not _is_tabled(pair, name):
            why = f"`{name}` is {argument(now)} here and {argument(was)} in the parent"
            yield Obstacle("inexact", path, why, _restored(name, was))


def _of_old(pair: Pair, named: object) -> list[str]:
    """Of such names those whose sublayers the parent has too."""
    known = op_in(pair.parent).attended or ()
    return [name for name in named or () if name in known] if isinstance(named, list) else []


def _resizes(what: Resized, name: str, *values: object) -> bool:
    """Whether `resize` puts the filters that an argument decides on another grid."""
    numbers = all(isinstance(value, int) for value in values)
    return numbers and (what == "kernel" or (what != "positions" and name != "kernel"))


def _restored(name: str, was: object) -> str:
    """The edit that gives an argument the parent's value."""
    return f"remove `{name}`" if was is None else f"write `{name} = {argument(was)}`"


def _read(pair: Pair, match: Match) -> tuple[Shape, Shape]:
    """The shapes of what the child's node reads, and the parent's."""
    new, old = pair.child.inputs[0], pair.parent.inputs[0]
    return match.child.net.shapes[new], match.parent.net.shapes[old]


def _decided(pair: Pair, match: Match, name: str) -> Decided:
    """What an argument decides: what is other where it alone is the parent's, or the child's.

    Where neither can be (8 heads do not divide the parent's width), a number decides sizes.
    """
    node = pair.child
    op, other = op_in(node), op_in(pair.parent)
    if op.is_layout:
        return "sizes"
    now, was = node.args.get(name), pair.parent.args.get(name)
    if not _are_counts(now, was):
        return "function"
    if op.resized == "positions":
        return "sides"  # the grid of its tokens
    after, before = _read(pair, match)
    found: Decided = "sizes"
    for of, x, declared, value in (
        (node, after, op, was),
        (pair.parent, before, other, now),
    ):
        try:
            changed = type(declared).model_validate({**declared.arguments(), name: value})
            changed.output(x, of.scope)
        except (ValueError, OpError):
            continue
        found = _difference(declared, changed, x, of.scope)
        if found != "function":
            break
    return found


def _are_counts(now: object, was: object) -> bool:
    """Whether both are numbers, or calls of one thing whose arguments are: `swiglu(8 / 3)`."""
    if isinstance(now, dict) and isinstance(was, dict) and now.keys() == was.keys():
        return all(_are_counts(now[name], was[name]) for name in now)
    return all(isinstance(v, int | float | None) and not isinstance(v, bool) for v in (now, was))


def _difference(one: Op, other: Op, x: Shape, scope: Scope) -> Decided:
    positions = [op.output(x, scope).positions for op in (one, other)]
    if positions[0] != positions[1]:
        return "tokens" if isinstance(one, Condition) else "sides"
    new, old = one.axes(x, scope), other.axes(x, scope)
    if new is None or old is None:
        return "function"
    ours, theirs = ({p.name: sides(p) for p in axes.parameters} for axes in (new, old))
    if any(ours[name] != theirs[name] for name in ours.keys() & theirs.keys()):
        return "sides"
    spaces = new.spaces, old.spaces
    same = all(spaces[0][n].size == spaces[1][n].size for n in spaces[0].keys() & spaces[1].keys())
    return "function" if same else "sizes"


def _is_tabled(pair: Pair, name: str) -> bool:
    """Whether positions were sines and are now learned, which begin as these."""
    kinds = pair.parent.args.get(name), pair.child.args.get(name)
    return op_in(pair.child).resized == "positions" and kinds == ("sincos", "learned")


def _conditions(
    path: str, name: str, now: object, was: object, extends: bool
) -> Iterator[Obstacle]:
    """What is to be said of other conditions than those that the parent's attends to."""
    assert isinstance(now, Sequence) and isinstance(was, Sequence)
    added = [place for place in now if place not in (*was, "self")]
    if added and not extends:
        why = f"it attends to {literal(added)} too, which the parent's does not"
        yield Obstacle("impossible", path, why, "add `extend(exact)`")
    elif [place for place in now if place in was] != list(was):
        why = f"it attends in another order: {literal(now)}, not {literal(was)}"
        kept = [*was, *(place for place in now if place not in was)]
        yield Obstacle("inexact", path, why, f"write `{name} = {literal(kept)}`")


def _added_as_is(pair: Pair, match: Match, now: object, was: object) -> Iterator[Obstacle]:
    """What is to be said of new conditions that are added to the result without a map."""
    axes = match.child.axes.get(pair.child.path)
    if axes is None or not isinstance(now, Sequence) or not isinstance(was, Sequence):
        return
    result = {f for segment in axes.output for f in segment.factors if isinstance(f, Space)}
    if result & {f for segment in axes.inputs[0] for f in segment.factors if isinstance(f, Space)}:
        return  # a stream, in which sublayers attend to conditions
    places = pair.child.inputs[1:]
    for value, channels in zip(places, axes.inputs[1:], strict=True):
        added = {f for segment in channels for f in segment.factors if isinstance(f, Space)}
        name = value.removesuffix(".embedding")
        if added & result and name in now and name not in was:
            why = f"`{name}` is new and added as it is, since it has the width of the result"
            yield Obstacle(
                "inexact", pair.child.path, why, f"give `{name}` another width: its map begins at 0"
            )


def _filters(
    path: str, name: str, now: object, was: object, what: Resized, resizing: Resizing
) -> Iterator[Obstacle]:
    """What is to be said of filters of another size than the parent's."""
    assert isinstance(now, int) and isinstance(was, int)
    if resizing.how is None:
        why = f"`{name}` is {now} here and {was} in the parent"
        yield Obstacle("impossible", path, why, "add `resize(nearest)`")
    elif what == "kernel" and now < was:
        why = f"its filters would shrink from {was} x {was} to {now} x {now} pixels"
        yield Obstacle("impossible", path, why, f"write at least `{name} = {was}`")
    elif what != "kernel":
        why = "it computes of a larger image what it did of the means of its pixels"
        if resizing.how != "nearest" or now % was:
            why = f"its filters are interpolated from {was} x {was} to {now} x {now} pixels"
        yield Obstacle("incomparable", path, why)


def _names(path: str, name: str, now: object, was: object) -> Iterator[Obstacle]:
    """What is to be said of classes of which the first are not the parent's."""
    if not isinstance(now, Sequence) or not isinstance(was, Sequence):
        return
    if [*now[: len(was)]] != [*was]:
        why = f"its classes are {literal(now)} here and {literal(was)} in the parent"
        kept = [*was, *(one for one in now if one not in was)]
        help = f"write `{name} = {json.dumps(kept, ensure_ascii=False)}`: a class keeps its number"
        yield Obstacle("impossible", path, why, help)


def _tokens(path: str, name: str, now: object, was: object, extends: bool) -> Iterator[Obstacle]:
    """What is to be said of another number of a condition's tokens."""
    assert isinstance(now, int) and isinstance(was, int)
    if now < was:
        why = f"its texts would be cut to {now} tokens, and the parent's are of {was}"
        yield Obstacle("impossible", path, why, f"write at least `{name} = {was}`")
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
    by = f" by `{resizing.word}` interpolation" if pair.child.tensors else ""
    why = f"its {was} positions become {now}{by}: the parent computes nothing of as many to "
    why += "compare to"
    yield Obstacle("incomparable", pair.child.path, why)


def _rotations(pair: Pair) -> Iterator[Obstacle]:
    """What is to be said of queries and keys that are rotated otherwise than the parent's."""
    now, was = pair.child.scope.rope, pair.parent.scope.rope
    if now == was:
        return
    if now is None or was is None:
        why = f"its core has {'no' if now is None else 'a'} rotation of positions"
        why += ", which the parent's has" if was else ", which the parent's does not have"
        mend = "write `position = rope(...)`, as the parent does" if was else "remove it"
    elif (now.theta, len(now.sides)) != (was.theta, len(was.sides)):
        how, before = (
            f"rope(axes = {len(rope.sides)}, theta = {rope.theta:g})" for rope in (now, was)
        )
        why, mend = f"`position` is {how} here and {before} in the parent", f"write `{before}`"
    elif now.sides != was.sides:
        why = f"its positions are {now.sides}, and the parent computes nothing of as many"
        yield Obstacle("incomparable", pair.child.path, why)
        return
    else:
        why, mend = "other tokens than the parent's are not rotated", "prepend what the parent does"
    yield Obstacle("inexact", pair.child.path, why, mend)


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
    if new is None or old is None or op_in(pair.child).resized:
        return
    before = {parameter.name: sides(parameter) for parameter in old.parameters}
    parts = {parameter.name: [*map(len, parameter.axes)] for parameter in old.parameters}
    for parameter in new.parameters:
        if [*map(len, parameter.axes)] != parts.get(parameter.name, [*map(len, parameter.axes)]):
            why = f"`{parameter.name}` is made of other parts than the parent's"
            yield Obstacle("impossible", path, f"{why}: one map serves all of its sublayers")
            return
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
        mend = "keep what makes it: its widths and its norm"
        before = op_in(pair.parent)
        argument = before.conditions_argument
        attending = tuple(branch for branch, attended in before.branches.items() if attended)
        if argument and str(name).startswith(attending):
            mend = f"write `{argument} = {literal(pair.parent.args.get(argument))}`"
        yield Obstacle("impossible", pair.child.path, why, mend)
