"""Pipes as nodes: ops one after the other, groups and blocks, and the conversions between them."""

from __future__ import annotations

from math import isqrt

from growlang.build import prefix
from growlang.build.graph import UNKNOWN, Place, Site, Wire, add, apply, join
from growlang.build.shared_modulation import modulating
from growlang.build.skips import UNITS, is_unit
from growlang.diagnostics import KeyPath, Note
from growlang.net import CORE, Kind, Shape, tokens
from growlang.net import Rope as Rotation
from growlang.ops import Op, OpError, op_of
from growlang.ops.layout import Add, Concat, Grid, Merge, Tokens
from growlang.spec.model import Group, Item, Pipe, ops_of
from growlang.spec.positions import Rope

ENDLESS = 1 << 60
KINDS = {
    "grid": "a grid",
    "tokens": "embedded tokens",
    "ids": "token ids",
    "any": "a grid or embedded tokens",
    "vector": "logits of classes",
}
"""The kinds of values in the words of messages."""


def chain(site: Site, pipe: Pipe, wire: Wire, place: Place, at: KeyPath) -> Wire:
    """Build the ops of a pipe, one after the other, and return what comes out."""
    if place.joins in UNITS and (place.pushes or place.pops or place.pairs):
        return _units(site, pipe, wire, place, at)
    for index, item in enumerate(pipe):
        path = (*at, index)
        match item:
            case None:
                wire = UNKNOWN
            case Item(op=op, repeat=repeat):
                for _ in range(repeat):
                    wire = _op(site, op, wire, place, path)
            case Group(group=group, repeat=repeat, block=block):
                for _ in range(repeat):
                    inner = place
                    if block:
                        inner = place._replace(prefix=site.graph.path(place.prefix, block))
                    wire = chain(site, group, wire, inner, path)
    return wire


def _units(site: Site, pipe: Pipe, wire: Wire, place: Place, at: KeyPath) -> Wire:
    """Build a pipe whose units give skips and take them: ops, or groups as a whole."""
    inner = place._replace(pushes=False, pops=False, pairs=None)
    number, skips = 0, site.graph.skips
    first, last = place.pairs or (ENDLESS * place.pushes, ENDLESS * (not place.pops))
    for index, item in enumerate(pipe):
        for _ in range(item.repeat if item else 1):
            unit = is_unit(item, place.joins)
            if unit and number >= last and skips:
                wire = _with_skip(site, wire, skips.pop(), place)
            wire = _one(site, item, wire, inner, (*at, index))
            if unit and number < first:
                skips.append(wire)
            number += unit
    return wire


def _one(site: Site, item: Group | Item | None, wire: Wire, place: Place, at: KeyPath) -> Wire:
    """Build one repeat of an item."""
    match item:
        case Item(op=op):
            return _op(site, op, wire, place, at)
        case Group(group=group, block=block):
            if block:
                place = place._replace(prefix=site.graph.path(place.prefix, block))
            return chain(site, group, wire, place, at)
    return UNKNOWN


def _op(site: Site, op: Op, wire: Wire, place: Place, at: KeyPath) -> Wire:
    path, skips = site.graph.path(place.prefix, op.call), site.graph.skips
    if wire.shape is not None:
        wire = _taken(site, op, wire, wire.shape.kind, place, at)
    if place.component == "core" and op.input_kind == "tokens":
        wire = _with_position(site, wire)
        wire = prefix.prepended(site, wire)
        site.graph.on_tokens += 1
        site = _rotating(site, wire.shape)
    if place.pops and op.takes_skips and skips:
        wire = _with_skip(site, wire, skips.pop(), place)
    if wire.shape is not None and op.takes_front and not prefix.is_read(site):
        return prefix.refuse_none_in_front(site, op, at)
    timed = modulating(site, op, place, at)
    wire = apply(timed, op, wire, place.component, path, at) if timed else UNKNOWN
    if place.pushes and op.takes_skips:
        skips.append(wire)
    return wire


def _taken(site: Site, op: Op, wire: Wire, kind: Kind, place: Place, at: KeyPath) -> Wire:
    """The value as the kind that an op takes; a finding where it cannot become that."""
    if op.input_kind == kind or (op.input_kind == "any" and kind not in ("ids", "vector")):
        return wire
    if kind == "vector":
        help = "remove it, or put it before the op that gives the logits, at the end of the head"
    elif op.input_kind == "ids":
        help = "it belongs once at the start of the stem, in a model with `tokens = tokens(...)`"
    elif kind == "ids":
        help = "put `embed(width)` before it"
    elif op.input_kind == "grid" and site.model.tokens:
        help = "a model of tokens has no grid: use ops such as transformer, linear and norm"
    elif site.graph.in_front and (place.component == "core" or prefix.is_read(site)):
        return prefix.refuse_grid(site, op, at)
    else:
        return convert(site, wire, op.input_kind, place)
    message = f"`{op.call}` takes {KINDS[op.input_kind]}, but its input is {KINDS[kind]}"
    site.refusals.op(OpError(message, code="G212", help=help), at)
    return UNKNOWN


def _with_skip(site: Site, wire: Wire, skip: Wire, place: Place) -> Wire:
    """A value joined to a skip: with its channels appended, mapped back, or added."""
    if wire.shape is not None and place.joins == "long":
        skip = convert(site, skip, wire.shape.kind, place)
    elif place.joins in ("group", "add"):
        wire, skip = convert(site, wire, "grid", place), convert(site, skip, "grid", place)
    if wire.shape is None or skip.shape is None:
        return UNKNOWN
    if place.joins == "long" and wire.shape.positions != skip.shape.positions:
        return prefix.refuse_skip(site)
    width, call = skip.shape.width, {"add": Add.call, "long": Merge.call}.get(place.joins)
    path = site.graph.path(place.prefix, call or Concat.call)
    if place.joins == "add" and width != wire.shape.width:
        site.refusals.mismatch(
            "G205",
            f"a skip of `{place.component.slot}` has width {width}, and what takes it has "
            f"{wire.shape.width}, but `skips = add` adds them",
            place.component,
            notes=[Note("skips set here", site.span("skips"))],
            help="write `skips = block`, which appends it",
        )
        return UNKNOWN
    if place.joins == "add":
        return join(site, Add(), wire, skip, place.component, path)
    if place.joins == "long":
        op, given = Merge(skip=width), (wire.name, skip.name)
        add(site, op, given, wire.shape, wire.shape, place.component, path)
        return Wire(path, wire.shape, wire.is_sure)
    return join(site, Concat(skip=width), wire, skip, place.component, path)


def _with_position(site: Site, wire: Wire) -> Wire:
    """The core's tokens with their position, before the first of its ops on tokens."""
    shape, core = wire.shape, site.model.core
    if shape is None:
        return wire
    if site.graph.has_position:
        return wire
    positioned = any(op.has_positions for op in ops_of(core.pipe))
    kind = core.position or ("none" if positioned else "learned")
    if isinstance(kind, Rope):
        kind = kind.added
    if kind == "none":
        return wire
    extent = {}
    if kind in ("sincos", "sincos_xy") and site.model.image:
        extent = _grid_of(site, shape)
    site.graph.has_position = True
    op = op_of("position").model_validate({"kind": kind, **extent})
    return apply(site, op, wire, CORE, CORE, ("core",))


def _rotating(site: Site, shape: Shape | None) -> Site:
    """The site whose scope has how self-attention in the core rotates queries and keys."""
    rope = site.model.core.position
    if not isinstance(rope, Rope) or shape is None:
        return site
    axes = rope.axes or (2 if site.model.image else 1)
    front = site.graph.in_front
    turned = tokens(shape.positions - front, shape.width)
    sides: tuple[int, ...] = (turned.positions,)
    if axes == 2 and site.model.image:
        sides = tuple(_grid_of(site, turned).values())
    return site._replace(scope=site.scope._replace(rope=Rotation(rope.theta, sides, front)))


def convert(site: Site, wire: Wire, kind: str, place: Place) -> Wire:
    """The same values as a grid or as tokens."""
    shape = wire.shape
    if shape is None or shape.kind == kind:
        return wire
    op: Op = Tokens() if kind == "tokens" else Grid(**_grid_of(site, shape))
    return apply(site, op, wire, place.component, site.graph.path(place.prefix, kind))


def _grid_of(site: Site, shape: Shape) -> dict[str, int]:
    """The sides of the grid that tokens were made of: grids keep the image's proportions."""
    height, width = site.extent
    rows = isqrt(shape.positions * height // width)
    return {"height": rows, "width": shape.positions // rows}
