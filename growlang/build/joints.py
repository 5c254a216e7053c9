"""Where the places of a net meet: their resolutions, widths and ends."""

from __future__ import annotations

from itertools import pairwise

from growlang.build.graph import UNKNOWN, Place, Site, Wire, join
from growlang.build.pipes import convert
from growlang.diagnostics import Note
from growlang.net import CORE, HEAD, ComponentName, Shape, grid, tokens
from growlang.ops.layout import Subtract
from growlang.spec.model import Group, Item, Pipe, Slot, Stage


def is_chain(site: Site) -> bool:
    """Whether the places have no resolutions, which tokens lack; a finding at the first."""
    stages, core = site.model.stages, site.model.core
    name = stages[0].name if stages else CORE
    if not stages and core.at is None:
        return True
    site.refusals.mismatch(
        "G204",
        f"`{name.slot}` has a resolution, and a model of tokens has none",
        name,
        notes=[Note("tokens declared here", site.span("tokens"))],
        help="write its ops into the core" if stages else "write `core ...` without `@`",
    )
    return False


def ended(site: Site, wire: Wire, held: Shape | None = None) -> Wire:
    """Hold the head's end against the image, or `held`, or against the vocabulary.

    The image may have twice its channels: the second half is then for a learned variance.
    """
    expected, text = held or site.graph.inputs[0].shape, site.model.tokens
    if text:
        expected = tokens(text.length, text.vocabulary)
    if wire.shape is None or wire.shape == expected or not wire.is_sure:
        return wire
    if wire.shape.kind == "vector" and not (text or held):
        return wire
    if not (text or held) and expected and wire.shape == learning_variance(expected):
        return wire
    if text:
        site.refusals.mismatch(
            "G205",
            f"the head ends with width {wire.shape.width}, but the vocabulary has "
            f"{text.vocabulary} tokens",
            HEAD,
            notes=[Note("vocabulary set here", site.span("tokens"))],
            help="end it with `unembed`",
        )
    else:
        site.refusals.mismatch(
            "G204",
            f"the head ends at {wire.shape}, but the image is {expected}",
            HEAD,
            notes=[Note("image set here", site.span("image"))],
            help=_ending(site, wire.shape, expected),
        )
    return UNKNOWN


def learning_variance(image: Shape) -> Shape:
    """What a head ends with that predicts a variance beside each value (arXiv 2102.09672)."""
    return image.with_width(2 * image.width)


def _ending(site: Site, shape: Shape, image: Shape | None) -> str:
    """The edit where a head ends otherwise than with the image."""
    last = site.model.head.pipe[-1] if site.model.head.pipe else None
    if image and shape.dims[1:] == image.dims[1:]:
        channels = image.width
        if isinstance(last, Item) and getattr(last.op, "channels", None):
            return f"remove `channels`, or write {2 * channels} of them for a learned variance"
        return f"end it with {channels} channels, or {2 * channels} for a learned variance"
    return "fix the factor of `unpatch`, or the stem's `patch`"


Level = tuple[ComponentName, int | None]
"""A component and its resolution, which a core may leave open."""


def falls(site: Site) -> bool:
    """Whether the places fall to the core by whole factors; a finding where one does not."""
    places: list[Level] = [(s.name, s.at) for s in site.model.stages]
    places.append((CORE, site.model.core.at))
    return all([_falls(site, finer, coarser) for finer, coarser in pairwise(places)])


def _falls(site: Site, finer: Level, coarser: Level) -> bool:
    (name, at), (below, resolution) = finer, coarser
    if at is None or resolution is None:
        if resolution is not None or site.model.core.pipe == [None]:
            return True
        message, help = "a core after stages needs a resolution", "write `core @ 16 ...`"
        site.refusals.mismatch("G209", message, CORE, help=help)
        return False
    at_fault = below if below in site.resolution.declared else name
    notes = [Note(f"`{name.slot}` is here", site.span(name))]
    if resolution == at and below == CORE:
        return _is_plain(site, name)
    if resolution >= at:
        site.refusals.mismatch(
            "G209",
            f"`{below.slot}` must be at a lower resolution than `{name.slot}`",
            at_fault,
            notes=notes,
            help="resolutions decrease strictly from the stem to the core, at whose resolution the "
            "last stage may be",
        )
        return False
    if at % resolution:
        site.refusals.mismatch(
            "G204",
            f"{at} is not a multiple of {resolution}: no integer factor leads from "
            f"`{name.slot}` to `{below.slot}`",
            at_fault,
            notes=notes,
        )
        return False
    return True


def _is_plain(site: Site, name: ComponentName) -> bool:
    """Whether a stage at the core's resolution asks for no change and no skip over one."""
    spans, slot = site.resolution.spans, name.slot
    for side in ("down", "up"):
        if (name, side) in spans:
            site.refusals.mismatch(
                "G201",
                f"`{side}` has no effect: `{slot}` is at the core's resolution",
                name,
                span=spans[(name, side)],
                help="remove it",
            )
            return False
    if site.model.skips == "level":
        site.refusals.mismatch(
            "G206",
            f"`skips = level` joins what `up` gives, and `{slot}` is at the core's resolution",
            name,
            notes=[Note("skips set here", site.span("skips"))],
            help="write `skips = block` or `skips = group`, or put its ops into the core",
        )
        return False
    return True


def subtract(site: Site, low: Wire, down: Wire, coarser: Stage | Slot, place: Place) -> Wire:
    """What the coarser place changed, for `skips = level`."""
    if low.shape is None or down.shape is None:
        return UNKNOWN
    if low.shape.width != down.shape.width:
        name = CORE if isinstance(coarser, Slot) else coarser.name
        site.refusals.mismatch(
            "G205",
            f"`{name.slot}` begins with width {down.shape.width} and ends with "
            f"{low.shape.width}, but `skips = level` takes the difference",
            name,
            notes=[Note("skips set here", site.span("skips"))],
            help=f"let it end with width {down.shape.width}",
        )
        return UNKNOWN
    return join(site, Subtract(), low, down, place.component, f"{place.prefix}.subtract")


def width_of_level(site: Site, high: Wire, width: int | None, name: ComponentName) -> int | None:
    """The width at which `skips = level` joins both sides of a stage: the encode side's."""
    if high.shape is None:
        return width
    ends = high.shape.width
    if width is not None and width != ends:
        site.refusals.mismatch(
            "G205",
            f"the encode side of `{name.slot}` ends with width {ends} and its decode side "
            f"begins with {width}, but `skips = level` adds them",
            name,
            notes=[Note("skips set here", site.span("skips"))],
            help=f"begin the decode side with width {ends}",
        )
    return ends


def arrive(site: Site, wire: Wire, at: int, pipe: Pipe, name: ComponentName) -> Wire:
    """Hold what comes against a place's resolution and width; go on with the place's own."""
    height, width = site.extent
    own = declared_width(pipe)
    if wire.shape is None:
        if not height or own is None or (at * width) % height:
            return UNKNOWN
        return Wire("", grid(own, at, at * width // height), is_sure=False)
    if wire.shape.kind != "grid":
        wire = convert(site, wire, "grid", site.place(name))
    shape = wire.shape
    if shape is None:
        return wire
    if shape.kind == "vector":
        return _refuse_early(site, name)
    came_from = "stem" if [c.name for c in site.graph.components[-1:]] in ([], ["stem"]) else ""
    notes = [Note(f"the {came_from} is here", site.span(came_from))] if came_from else []
    if shape.dims[1] != at:
        slot = f"`{name.slot_at(shape.dims[1])}`"
        site.refusals.mismatch(
            "G204",
            f"`{name.slot}` is at {at}, but its input is at {shape.dims[1]}",
            name,
            notes=notes,
            help=f"write {slot}, or fix the factors before it",
            declaration=f"with {slot}",
        )
        return Wire("", grid(own or shape.width, at, at * width // height), is_sure=False)
    if own is not None and own != shape.width and not wire.has_own_width:
        site.refusals.mismatch(
            "G205",
            f"`{name.slot}` has width {own}, but its input has {shape.width}",
            name,
            notes=notes,
            help=_widened(site, came_from, own),
        )
        return wire._replace(name="", shape=shape.with_width(own))
    return wire


def _refuse_early(site: Site, name: ComponentName) -> Wire:
    """Refuse a place behind the op that gives the model's result."""
    message = f"`{name.slot}` comes behind logits of classes, which end the head"
    site.refusals.mismatch("G212", message, name, help="put `classify` at the end of the head")
    return UNKNOWN


def refuse_unpredicted(site: Site, name: str) -> None:
    """Refuse a label to predict that no head predicts."""
    message = f"nothing predicts `{name}`, a label without a width"
    help = f"end the head with `classify({name})`, or write `classes(n, width)` for a condition"
    site.refusals.mismatch("G208", message, ComponentName(name), help=help)


def _widened(site: Site, came_from: str, own: int) -> str:
    """The edit where what comes in has another width: what is kept has to grow with what reads it.

    The two share a space.
    """
    if came_from in site.resolution.contract.keep and site.resolution.contract.grow:
        return (
            f"the {came_from} writes what grows here, so it grows too: declare it with width "
            f"{own}, and write `grow {came_from} by widen(exact)` instead of keeping it"
        )
    return f"give the {came_from or 'place before it'} width {own}"


def stay(site: Site, wire: Wire, at: int, name: ComponentName) -> Wire:
    """Refuse a pipe that left its place's resolution."""
    shape = wire.shape
    if shape is None or shape.kind != "grid" or shape.dims[1] == at:
        return wire
    site.refusals.mismatch(
        "G204",
        f"the ops of `{name.slot}` end at resolution {shape.dims[1]}, not {at}",
        name,
        help="resolutions change between places, not inside them",
    )
    return UNKNOWN


def declared_width(pipe: Pipe) -> int | None:
    """A place's width: that of its first op's output; None where the op does not state one."""
    first = pipe[0] if pipe else None
    if isinstance(first, Group):
        return declared_width(first.group)
    return first.op.result_width if first else None
