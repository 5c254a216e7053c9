"""Pipes as nodes: ops one after the other, groups and blocks, and the conversions between them."""

from __future__ import annotations

from math import isqrt

from growlang.build.graph import UNKNOWN, Place, Site, Wire, apply, join
from growlang.diagnostics import KeyPath
from growlang.net import CORE, Kind, Shape
from growlang.ops import Op, OpError, op_of
from growlang.ops.ends import Concat, Grid, Tokens
from growlang.spec.model import Group, Item, Pipe, ops_of

KINDS = {
    "grid": "a grid",
    "tokens": "embedded tokens",
    "ids": "token ids",
    "any": "a grid or embedded tokens",
}
"""The kinds of values in the words of messages."""


def chain(site: Site, pipe: Pipe, wire: Wire, place: Place, at: KeyPath) -> Wire:
    """Build the ops of a pipe, one after the other, and return what comes out."""
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


def _op(site: Site, op: Op, wire: Wire, place: Place, at: KeyPath) -> Wire:
    path, skips = site.graph.path(place.prefix, op.call), site.graph.skips
    if wire.shape is not None:
        wire = _taken(site, op, wire, wire.shape.kind, place, at)
    if place.component == "core" and op.input_kind == "tokens":
        wire = _with_position(site, wire)
    if place.pops and op.takes_skips and skips:
        wire = _with_skip(site, wire, skips.pop(), place)
    wire = apply(site, op, wire, place.component, path, at)
    if place.pushes and op.takes_skips:
        skips.append(wire)
    return wire


def _taken(site: Site, op: Op, wire: Wire, kind: Kind, place: Place, at: KeyPath) -> Wire:
    """The value as the kind that an op takes; a finding where it cannot become that."""
    if op.input_kind == kind or (op.input_kind == "any" and kind != "ids"):
        return wire
    if op.input_kind == "ids":
        help = "it belongs once at the start of the stem, in a model with `tokens = tokens(...)`"
    elif kind == "ids":
        help = "put `embed(width)` before it"
    elif op.input_kind == "grid" and site.model.tokens:
        help = "a model of tokens has no grid: use ops such as transformer, linear and norm"
    else:
        return convert(site, wire, op.input_kind, place)
    message = f"`{op.call}` takes {KINDS[op.input_kind]}, but its input is {KINDS[kind]}"
    site.refusals.op(OpError(message, code="G212", help=help), at)
    return UNKNOWN


def _with_skip(site: Site, wire: Wire, skip: Wire, place: Place) -> Wire:
    """A value with the channels of a skip appended."""
    if wire.shape is None or skip.shape is None:
        return UNKNOWN
    path = site.graph.path(place.prefix, Concat.call)
    return join(site, Concat(skip=skip.shape.width), wire, skip, place.component, path)


def _with_position(site: Site, wire: Wire) -> Wire:
    """The core's tokens with their position, before the first of its ops on tokens."""
    shape, core = wire.shape, site.model.core
    if shape is None:
        return wire
    if site.graph.has_position:
        return wire
    positioned = any(op.has_positions for op in ops_of(core.pipe))
    kind = core.position or ("none" if positioned else "learned")
    if kind == "none":
        return wire
    extent = {}
    if kind == "sincos" and site.model.image:
        extent = _grid_of(site, shape)
    site.graph.has_position = True
    op = op_of("position").model_validate({"kind": kind, **extent})
    return apply(site, op, wire, CORE, CORE, ("core",))


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
