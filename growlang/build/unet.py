"""The walk through the places of a net: down its stages to the core and back, past the skips."""

from __future__ import annotations

from growlang.build.graph import UNKNOWN, Place, Site, Wire, apply, join
from growlang.build.joints import (
    arrive,
    declared_width,
    ended,
    falls,
    is_chain,
    stay,
    subtract,
    width_of_level,
)
from growlang.build.pipes import chain, convert
from growlang.net import CORE, HEAD, STEM, Component, ComponentName
from growlang.ops import CHANGES, Op
from growlang.ops.ends import Add
from growlang.spec.model import Group, Item, Pipe, Slot, Stage


def walk(site: Site) -> Wire:
    """Build stem, stages, core and head, and return what the head puts out."""
    model, first = site.model, site.graph.inputs[0]
    known = model.tokens is not None or site.extent != (0, 0)
    start = Wire(first.name, first.shape if known else None)
    wire = chain(site, model.stem.pipe, start, Place(STEM, STEM), ("stem",))
    _close(site, STEM, wire)
    if model.tokens and not is_chain(site):
        return UNKNOWN
    if not falls(site):
        wire = wire._replace(is_sure=False)
    if not site.resolution.stages_known:
        wire = UNKNOWN
    coarser_places: list[Stage | Slot] = [*model.stages[1:], model.core]
    levels = list(zip(model.stages, coarser_places, strict=False))
    sides: list[tuple[Wire, Wire]] = []
    for stage, coarser in levels:
        sides.append(_encode(site, stage, coarser, wire))
        _, wire = sides[-1]
    wire = _core(site, wire)
    for stage, coarser in reversed(levels):
        wire = _decode(site, stage, coarser, wire, *sides.pop())
    wire = chain(site, model.head.pipe, wire, Place(HEAD, HEAD), ("head",))
    if model.image:
        wire = convert(site, wire, "grid", Place(HEAD, HEAD))
    _close(site, HEAD, wire)
    return ended(site, wire) if known else wire


def _encode(site: Site, stage: Stage, coarser: Stage | Slot, wire: Wire) -> tuple[Wire, Wire]:
    """The end of a stage's encode side, and what `down` makes of it."""
    name = stage.name
    place = Place(f"{name}.encode", name, pushes=site.model.skips == "block")
    wire = arrive(site, wire, stage.at, stage.encode, name)
    start = len(site.graph.skips)
    wire = chain(site, stage.encode, wire, place, (name, "encode"))
    wire = convert(site, stay(site, wire, stage.at, name), "grid", place)
    popped = _residuals(stage.decode)
    if place.pushes and popped is not None and _residuals(stage.encode) is not None:
        pushed = len(site.graph.skips) - start
        if wire.shape and pushed != popped:
            site.refusals.mismatch(
                "G206",
                f"the encode side of `{name.slot}` has {pushed} residual ops, the "
                f"decode side {popped}",
                name,
                help="each decode residual takes the skip of one encode residual",
            )
    width = declared_width(coarser.pipe if isinstance(coarser, Slot) else coarser.encode)
    return wire, _change(site, "down", stage, coarser.at, width, wire)


def _decode(
    site: Site, stage: Stage, coarser: Stage | Slot, wire: Wire, high: Wire, down: Wire
) -> Wire:
    """The end of a stage's decode side; `high` and `down` are what its encode side gave."""
    name = stage.name
    place = Place(f"{name}.decode", name, pops=site.model.skips == "block")
    width = declared_width(stage.decode)
    if site.model.skips == "level":
        wire = subtract(site, wire, down, coarser, place)
        width = width_of_level(site, high, width, name)
    wire = _change(site, "up", stage, coarser.at, width, wire)
    if site.model.skips == "level" and wire.shape and high.shape:
        wire = join(site, Add(), wire, high, name, f"{name}.decode.add")
    wire = chain(site, stage.decode, wire, place, (name, "decode"))
    wire = convert(site, stay(site, wire, stage.at, name), "grid", place)
    _close(site, name, wire)
    return wire


def _change(
    site: Site, side: str, stage: Stage, below: int | None, width: int | None, wire: Wire
) -> Wire:
    """The stage's `down` or `up`, which leads to its coarser neighbour or back."""
    if wire.shape is None or below is None or stage.at % below:
        return UNKNOWN
    name, call = stage.name, stage.down if side == "down" else stage.up
    path = f"{name}.{'encode' if side == 'down' else 'decode'}.{side}"
    op: Op = CHANGES[call].model_validate(
        dict(width=width or wire.shape.width, factor=stage.at // below)
    )
    return apply(site, op, wire, name, path, (name, side))


def _core(site: Site, wire: Wire) -> Wire:
    core, place = site.model.core, Place(CORE, CORE)
    if core.at is not None:
        wire = arrive(site, wire, core.at, core.pipe, CORE)
    wire = chain(site, core.pipe, wire, place, ("core",))
    asked = core.position in ("learned", "sincos")
    if wire.shape and asked and not site.graph.has_position:
        site.refusals.mismatch(
            "G201",
            f"`position = {core.position}` has no effect: the core has no op on tokens",
            CORE,
            span=site.span("core", "position"),
            help="remove it",
        )
    if core.at is not None:
        wire = stay(site, wire, core.at, CORE)
    if site.model.stages:
        wire = convert(site, wire, "grid", place)
    _close(site, CORE, wire)
    return wire


def _close(site: Site, name: ComponentName, wire: Wire) -> None:
    """Close a component, which puts out what the wire carries."""
    if wire.shape is not None:
        site.graph.components.append(Component(name, wire.shape, site.span(name)))


def _residuals(pipe: Pipe) -> int | None:
    """Number of residual ops, repeats counted; None where part of the pipe was refused."""
    total = 0
    for item in pipe:
        match item:
            case None:
                return None
            case Group(group=group, repeat=repeat):
                inner = _residuals(group)
                if inner is None:
                    return None
                total += repeat * inner
            case Item(op=op, repeat=repeat):
                total += repeat * op.takes_skips
    return total
