"""The tensors of a grown node: of each its transform. Stdlib only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from growlang.growing import space_growth as sg
from growlang.growing.axes_growth import Dim, Segments, dim, expand
from growlang.growing.choice import Manner
from growlang.growing.matching import Match, Pair
from growlang.growing.resizing import Resizing, int_factor
from growlang.growing.roles import Of
from growlang.growing.space_growth import Along, Growth
from growlang.growing.spaces import Place
from growlang.growth.constants import Eye, Noise, SinCos
from growlang.growth.transforms import Compute, Copy, Expand, Initialise, Move, Transform
from growlang.net.axes import Axes, Axis, Layer, Parameter, Role, Space, length
from growlang.ops import op_in
from growlang.ops.base import Resized


class GrownTensor(NamedTuple):
    """What becomes of a tensor of a grown node."""

    name: str
    transform: Transform


class Sides(NamedTuple):
    """A node with its parent's: what their axes declare, and the growth of every space."""

    pair: Pair
    new: Axes
    old: Axes
    local: Mapping[str, Along]
    """The growth of each space of the node that has one."""
    normalised: bool
    """Whether what it reads is a norm's."""
    resized: Resized | None
    """What `resize` puts on another grid."""


Templates = dict[tuple[object, ...], tuple[GrownTensor, ...]]
"""What becomes of the tensors of nodes that are declared and grow alike, by their own names."""


def tensors_of(
    match: Match,
    pair: Pair,
    growths: Mapping[int, Growth],
    manner: Manner,
    resizing: Resizing,
    known: Templates,
) -> Iterator[GrownTensor]:
    """The transforms of the tensors of a node that grows from one of the parent's.

    `known` holds those of nodes that are alike, such as the repeats of a block.
    """
    path, old = pair.child.path, pair.parent.path
    if pair.is_drawn:
        yield from (GrownTensor(t.name, Initialise(t.init)) for t in pair.child.tensors)
        return
    sides = _sides(match, pair, growths)
    is_position = sides.resized == "positions"
    key = (
        (id(sides.new), id(sides.old), *sides.local.items(), sides.normalised, pair[2:])
        + (manner, resizing, pair.child.op)
        + ((path,) if is_position else ())
    )
    if key not in known:
        known[key] = tuple(_templates(sides, manner, resizing))
    for name, transform in known[key]:
        placed = transform
        if isinstance(transform, Expand):
            placed = transform._replace(source=f"{old}.{transform.source}")
        elif isinstance(transform, Copy) and path != old:
            placed = Move(f"{old}.{name}")
        yield GrownTensor(f"{path}.{name}", placed)


def _templates(sides: Sides, manner: Manner, resizing: Resizing) -> Iterator[GrownTensor]:
    """The transforms of a node's tensors, whose names are its own."""
    before = {p.name: p for layer in sides.old.layers for p in layer.parameters}
    for layer in sides.new.layers:
        for parameter in layer.parameters:
            name = parameter.name
            if sides.pair.is_silent and (silent := _silent(sides, layer, parameter)):
                yield GrownTensor(name, silent)
            elif name in before:
                old = before[name]
                yield GrownTensor(name, _expanded(sides, layer, parameter, old, manner, resizing))
            else:
                yield GrownTensor(name, _new(sides, layer, parameter))


def _sides(match: Match, pair: Pair, growths: Mapping[int, Growth]) -> Sides:
    path = pair.child.path
    new, old = match.child.axes[path], match.parent.axes[pair.parent.path]
    local = {}
    for name in match.child.named[path]:
        parts = match.child.local[Place(path, name)]
        if all(part in growths for part in parts):
            local[name] = Along(tuple([growths[part] for part in parts]))
    resized = op_in(pair.child).resized
    return Sides(pair, new, old, local, pair.child.inputs[0] in match.child.normalised, resized)


def _expanded(
    sides: Sides,
    layer: Layer,
    parameter: Parameter,
    old: Parameter,
    manner: Manner,
    resizing: Resizing,
) -> Transform:
    """The parent's tensor with the axes that grow; its own name stands for the source's."""
    resample = resizing.resample(sides.resized, parameter, old)
    dims = tuple(
        dim(_segments(sides, layer, new, before, resizing, bool(resample)))
        for new, before in zip(parameter.axes, old.axes, strict=True)
    )
    if sides.pair.is_copy and [d.old for d in dims] != [length(axis) for axis in old.axes]:
        return Initialise(parameter.init)  # what it would copy reads something else
    if all(along.is_same for along in dims) and not resample and not sides.pair.is_copy:
        return Copy()
    made = expand(
        old.name,
        dims,
        parameter.init,
        moments=not (sides.pair.is_copy or resample),
        noise=manner.noise if layer.kind == "map" else 0.0,
        resample=resample,
        reset=manner.break_ == "moments",
    )
    if manner.break_ != "none" and parameter is layer.weight and _is_unread(sides, layer):
        made = made._replace(constants=(*made.constants, Noise(0, sg.UNEVEN)))
    return made


def _is_unread(sides: Sides, layer: Layer) -> bool:
    """Whether the last map of a silent block, which is zero, alone reads what a layer writes.

    Copies of it would stay equal for ever: no share of what reads them tells them apart.
    """
    if not sides.pair.is_silent or layer.kind != "map" or layer.place == "last":
        return False
    last = [one for one in sides.new.layers if one.place == "last" and not _is_gated(sides)]
    read = {s for one in last for s in _spaces(one.weight.axes[1])}
    written = (s for s in layer.weight.axes[0] if s.role in (Role.WRITES, Role.VALUE))
    spaces = read & set(_spaces(tuple(written)))
    return any(p.how == "repeat" for name in spaces for p in sides.local[name].parts)


def _is_gated(sides: Sides) -> bool:
    """Whether gates of its own close its branches; to those of a table a shared map is added."""
    maps = (one for one in sides.new.layers if one.kind == "map")
    return any(s.role is Role.GATE for one in maps for s in one.weight.axes[0])


def _spaces(axis: Axis) -> list[str]:
    return [f.name for segment in axis for f in segment.factors if isinstance(f, Space)]


def _segments(
    sides: Sides, layer: Layer, new: Axis, old: Axis, resizing: Resizing, resampled: bool
) -> Segments:
    found = []
    for after, before in zip(new, old, strict=True):
        factors = []
        spaces = [f for f in after.factors if isinstance(f, Space)]
        for one, other in zip(after.factors, before.factors, strict=True):
            if isinstance(one, Space):
                along = sides.local[one.name]
                is_gate = after.role is Role.GATE and layer.kind == "map"
                if sides.pair.is_silent and is_gate:
                    along = Along((sg.closed(along.old, along.new),))
                elif sides.pair.is_silent and layer.place == "last" and after.role is Role.WRITES:
                    along = Along(tuple(map(sg.written, along.parts)))
                factors.append(along)
            else:
                assert isinstance(other, int)
                factors.append(int_factor(sides.resized, other, one, resizing, resampled))
        found.append((_of(sides, layer, after.role, spaces), tuple(factors)))
    return tuple(found)


def _of(sides: Sides, layer: Layer, role: Role, spaces: list[Space]) -> Of:
    if role is Role.KERNEL and sides.resized == "patches":
        role = Role.READS  # every pixel of a patch has a filter of its own
    grouped = any(s.norm and s.norm.kind == "group" for s in spaces)
    if role is Role.SCALE and _is_scaled_by_norm(sides.new, layer.branch, spaces):
        grouped = True  # the norm's own scale undoes that of the stream
    if role in (Role.QUERY, Role.KEY, Role.QUERY_NORM, Role.KEY_NORM):
        return Of(role, qk_norm=any(s.norm for s in spaces))
    if role is Role.READS and sides.normalised and any(s.name == "x" for s in spaces):
        role = Role.NORMALISED
    kept = role is Role.READS and layer.kind == "table"
    return Of(role, grouped=grouped, kept=kept)


def _is_scaled_by_norm(axes: Axes, branch: str, spaces: list[Space]) -> bool:
    """Whether the norm of a branch has a scale of its own for these spaces.

    Of what scales several branches, whether the norms of all do that a branch begins with.
    """
    scaled = _branches(axes, 0, Role.NORM_SCALE, spaces)
    if branch:
        return bool(scaled & {"", branch})
    reading = _branches(axes, 1, Role.NORMALISED, spaces)
    return bool(scaled) and ("" in reading | scaled or reading <= scaled)


def _branches(axes: Axes, along: int, role: Role, spaces: list[Space]) -> set[str]:
    """The branches of the weights that have a role of these spaces along an axis."""
    return {
        layer.branch
        for layer in axes.layers
        for segment in (layer.weight.axes[along] if along < len(layer.weight.axes) else ())
        if segment.role is role and set(segment.factors) & set(spaces)
    }


def _silent(sides: Sides, layer: Layer, parameter: Parameter) -> Transform | None:
    """How a tensor of a new block begins that must add nothing; None where it copies another's."""
    if layer.place == "skip":
        return _passing(sides, parameter)
    roles = {segment.role for segment in parameter.axes[0]}
    if Role.GATE in roles:
        return None  # its rows of gates alone are zero
    if layer.place == "last" and not _is_gated(sides):
        return Initialise("zeros")
    return None


def _passing(sides: Sides, parameter: Parameter) -> Transform:
    """A skip that leaves its input as it is: the identity of the first part, nothing of the rest.

    Where spaces grow it is (s_out E_out) (A_in / s_in)^T.
    """
    if len(parameter.axes) == 1:
        return Initialise("zeros")
    (rows,), (columns,) = parameter.axes[0], parameter.axes[1]
    out, read = sides.local[_name(rows.factors)], sides.local[_name(columns.factors)]
    first = Along(read.parts[:1])
    parts = (first, *(Along((sg.added(part.new),)) for part in read.parts[1:]))
    return _eye(out, parts, len(parameter.axes), first.old)


def _eye(out: Along, read: tuple[Along, ...], axes: int, n: int) -> Compute:
    """A constant map that takes values of one space to those of another that grew from the same."""
    rows = dim(((Of(Role.WRITES), (out,)),))
    columns = dim(tuple((Of(Role.READS), (part,)) for part in read))
    kernel = dim(((Of(Role.KERNEL), (Along((sg.same(1),)),)),))
    dims = (rows, columns, *[kernel] * (axes - 2))
    weight = tuple(along.weight for along in dims)
    return Compute(Eye(n), tuple(along.entries for along in dims), weight if any(weight) else ())


def _name(factors: tuple[Space | int, ...]) -> str:
    (space,) = factors
    assert isinstance(space, Space)
    return space.name


def _passed_on(sides: Sides, layer: Layer) -> bool:
    """Whether it is the map of a branch that in the parent gave its input as it is."""
    had = {one.branch for one in sides.old.layers if one.place == "last"}
    direct = op_in(sides.pair.parent).branches.keys() - had
    return layer.place == "last" and layer.kind == "map" and layer.branch in direct


def _new(sides: Sides, layer: Layer, parameter: Parameter) -> Transform:
    """A tensor that the parent's node does not have: of a skip, a position or a new sublayer."""
    passes = layer.place == "skip" or _passed_on(sides, layer)
    if passes and len(parameter.axes) > 1:
        out, read = (sides.local[_name(axis[0].factors)] for axis in parameter.axes[:2])
        return _eye(out, (read,), len(parameter.axes), read.old)
    if passes:
        return Initialise("zeros")
    node = sides.pair.parent
    if sides.resized == "positions" and node.args.get("kind") == "sincos":
        length, stream = node.output.positions, sides.local["x"]
        columns = dim(((Of(Role.WRITES), (stream,)),))
        rows: Dim = dim(((Of(Role.POSITION), (Along((sg.same(length),)),)),))
        value = SinCos(length, stream.old, node.args.get("height"), node.args.get("width"))
        weight = (rows.weight, columns.weight)
        return Compute(value, (rows.entries, columns.entries), weight if any(weight) else ())
    return Initialise(parameter.init)
