"""The walk through the places of a net: down its stages to the core and back, past the skips."""

from __future__ import annotations

from typing import NamedTuple

from growlang.build import prefix
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
from growlang.build.skips import JOINING, joined
from growlang.net import CORE, HEAD, STEM, Component, ComponentName
from growlang.ops import CHANGES, Op
from growlang.ops.layout import Add
from growlang.spec.model import Model, Slot, Stage
from growlang.spec.positions import Rope


class Descent(NamedTuple):
    """What comes to the core, and of each stage from the finest on the end of its encode side."""

    wire: Wire
    sides: tuple[tuple[Wire, Wire], ...]
    """Each with what `down` makes of it."""


def walk(site: Site) -> Wire:
    """Build stem, stages, core and head, and return what the head puts out."""
    first = site.graph.inputs[0]
    known = site.model.tokens is not None or site.extent != (0, 0)
    down = descend(site, Wire(first.name, first.shape if known else None))
    if down is None:
        return UNKNOWN
    wire = core(site, down.wire, as_grid=bool(site.model.stages))
    wire = ascend(site, wire, down.sides)
    return ended(site, wire) if known else wire


def descend(site: Site, wire: Wire, to: int | None = None) -> Descent | None:
    """Build the stem and the encode sides; the last leads to `to` channels, or to the core's.

    None, with a finding, where the model is of tokens and has resolutions.
    """
    model = site.model
    wire = chain(site, model.stem.pipe, wire, site.place(STEM), ("stem",))
    _close(site, STEM, wire)
    if model.tokens and not is_chain(site):
        return None
    if not falls(site):
        wire = wire._replace(is_sure=False)
    if not site.resolution.stages_known:
        wire = UNKNOWN
    sides: list[tuple[Wire, Wire]] = []
    for stage, coarser in _levels(model):
        width = declared_width(coarser.pipe if isinstance(coarser, Slot) else coarser.encode)
        if to is not None and isinstance(coarser, Slot):
            width = to
        sides.append(_encode(site, stage, coarser, width, wire))
        _, wire = sides[-1]
    return Descent(wire, tuple(sides))


def ascend(site: Site, wire: Wire, sides: tuple[tuple[Wire, Wire], ...]) -> Wire:
    """Build the decode sides and the head; `sides` are what the encode sides gave."""
    model = site.model
    for (stage, coarser), ends in zip(reversed(_levels(model)), reversed(sides), strict=False):
        wire = _decode(site, stage, coarser, wire, *ends)
    wire = chain(site, model.head.pipe, wire, site.place(HEAD), ("head",))
    if model.image and wire.shape and wire.shape.kind != "vector":
        wire = convert(site, wire, "grid", site.place(HEAD))
    _close(site, HEAD, wire)
    return wire


def _levels(model: Model) -> list[tuple[Stage, Stage | Slot]]:
    """The stages from the finest on, each with the coarser place that follows it."""
    coarser: list[Stage | Slot] = [*model.stages[1:], model.core]
    return list(zip(model.stages, coarser, strict=False))


def _encode(
    site: Site, stage: Stage, coarser: Stage | Slot, width: int | None, wire: Wire
) -> tuple[Wire, Wire]:
    """The end of a stage's encode side, and what `down` makes of it, of `width` channels."""
    name = stage.name
    skips = site.model.skips
    place = site.place(name, "encode")._replace(pushes=skips in JOINING, joins=skips)
    wire = arrive(site, wire, stage.at, stage.encode, name)
    pushed, popped = joined(stage.encode, skips), joined(stage.decode, skips)
    if place.pushes and pushed is not None and popped == pushed + 1:
        site.graph.skips.append(wire)
    wire = chain(site, stage.encode, wire, place, (name, "encode"))
    wire = convert(site, stay(site, wire, stage.at, name), "grid", place)
    if place.pushes and wire.shape and pushed is not None and popped is not None:
        _refuse_unequal(site, name, pushed, popped)
    return wire, _change(site, "down", stage, coarser.at, width, wire)


def _refuse_unequal(site: Site, name: ComponentName, pushed: int, popped: int) -> None:
    """Refuse sides of a stage of which one cannot take the skips of the other."""
    if popped in (pushed, pushed + 1):
        return
    words = {"group": ("groups with residual ops", "group"), "long": ("blocks", "block")}
    what, one = words.get(site.model.skips, ("residual ops", "residual"))
    site.refusals.mismatch(
        "G206",
        f"the encode side of `{name.slot}` has {pushed} {what}, the decode side {popped}",
        name,
        help=f"each decode {one} takes the skip of one encode {one}, and one more may take what "
        "comes into the stage",
    )


def _decode(
    site: Site, stage: Stage, coarser: Stage | Slot, wire: Wire, high: Wire, down: Wire
) -> Wire:
    """The end of a stage's decode side; `high` and `down` are what its encode side gave."""
    name = stage.name
    skips = site.model.skips
    place = site.place(name, "decode")._replace(pops=skips in JOINING, joins=skips)
    width = declared_width(stage.decode)
    if site.model.skips == "level" and not wire.is_joined:
        wire = subtract(site, wire, down, coarser, place)
        width = width_of_level(site, high, width, name)
    wire = _change(site, "up", stage, coarser.at, width, wire)
    if site.model.skips == "level" and wire.shape and high.shape:
        wire = join(site, Add(), wire, high, place.component, f"{place.prefix}.add")
    wire = chain(site, stage.decode, wire, place, (name, "decode"))
    wire = convert(site, stay(site, wire, stage.at, name), "grid", place)
    _close(site, name, wire)
    return wire


def _change(
    site: Site, side: str, stage: Stage, below: int | None, width: int | None, wire: Wire
) -> Wire:
    """The stage's `down` or `up`, which leads to its coarser neighbour or back.

    Nothing where the two are at the same resolution.
    """
    if wire.shape is None or below is None or stage.at % below:
        return UNKNOWN
    if below == stage.at:
        return wire._replace(has_own_width=False)
    name, call = stage.name, stage.down if side == "down" else stage.up
    place = site.place(name, "encode" if side == "down" else "decode")
    given = stage.down_with if side == "down" else stage.up_with
    own = {"width": width or wire.shape.width, "factor": stage.at // below}
    op: Op = CHANGES[call].model_validate(own | given)
    wire = apply(site, op, wire, place.component, f"{place.prefix}.{side}", (name, side))
    return wire._replace(has_own_width="width" in given)


def core(site: Site, wire: Wire, as_grid: bool) -> Wire:
    """Build the core, whose result stages take as a grid."""
    slot, place = site.model.core, Place(CORE, CORE)
    if slot.skips == "long":
        place = place._replace(joins="long", pairs=_pairs(site, slot))
    if slot.at is not None:
        wire = arrive(site, wire, slot.at, slot.pipe, CORE)
    wire = chain(site, slot.pipe, wire, place, ("core",))
    if wire.shape:
        _refuse_idle_position(site, slot)
        prefix.refuse_idle(site)
    wire = prefix.removed(site, wire)
    if slot.at is not None:
        wire = stay(site, wire, slot.at, CORE)
    if as_grid:
        wire = convert(site, wire, "grid", place)
    _close(site, CORE, wire)
    return wire


def _refuse_idle_position(site: Site, slot: Slot) -> None:
    """Refuse positions that nothing takes, or that the input does not have."""
    message, help = "", "remove it"
    if slot.position in ("learned", "sincos", "sincos_xy") and not site.graph.has_position:
        message = f"`position = {slot.position}` has no effect: the core has no op on tokens"
    elif isinstance(slot.position, Rope):
        if not any(node.scope.rope for node in site.graph.nodes):
            message = "`position = rope` has no effect: no op of the core attends to `self`"
        elif slot.position.axes == 2 and site.model.tokens:
            message = "`axes = 2` turns by rows and columns, which a model of tokens does not have"
            help = "write `axes = 1`"
    if message:
        at = site.span("core", "position")
        site.refusals.mismatch("G201", message, CORE, span=at, help=help)


def _pairs(site: Site, slot: Slot) -> tuple[int, int] | None:
    """Below which block of the core they give skips, and from which on they take them.

    One in the middle has none, or two where their number is even.
    """
    blocks = joined(slot.pipe, "long")
    if blocks is not None and blocks < 3:
        site.refusals.mismatch(
            "G206",
            f"`skips = long` joins nothing: the core has {blocks} blocks, and one or two in the "
            "middle have no skip",
            CORE,
            span=site.span("core", "skips"),
            help="remove it",
        )
    pairs = max((blocks or 0) - 1, 0) // 2
    return (pairs, (blocks or 0) - pairs) if pairs else None


def _close(site: Site, name: ComponentName, wire: Wire) -> None:
    """Close a component, which puts out what the wire carries."""
    if wire.shape is not None and site.place(name).component == name:
        site.graph.components.append(Component(name, wire.shape, site.span(name)))
