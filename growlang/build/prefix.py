"""Tokens in front of those of the core: where they come and where they go."""

from __future__ import annotations

from growlang.build.graph import UNKNOWN, Site, Wire, apply
from growlang.diagnostics import KeyPath, Note
from growlang.net import CORE
from growlang.ops import Op, OpError
from growlang.ops.prefix import Prepend, Unprepend
from growlang.spec.model import ops_of


def prepended(site: Site, wire: Wire) -> Wire:
    """The core's tokens with those of `prepend` in front, at the op on tokens before which it is.

    `prepend_at` counts these ops from 0.
    """
    slot = site.model.core
    if wire.shape is None or not slot.prepend or site.graph.on_tokens != slot.prepend_at:
        return wire
    op, before = Prepend(prepend=slot.prepend, times=slot.prepend_times), wire.shape.positions
    wire = apply(site, op, wire, CORE, f"{CORE}.prepend", ("core",))
    if wire.shape:
        site.graph.in_front = wire.shape.positions - before
    return wire


def removed(site: Site, wire: Wire) -> Wire:
    """What the core puts out, without the tokens in front where the head takes none of them."""
    if wire.shape is None or not site.graph.in_front or is_read(site):
        return wire
    return apply(site, Unprepend(count=site.graph.in_front), wire, CORE, f"{CORE}.unprepend")


def is_read(site: Site) -> bool:
    """Whether the head has an op that takes a token in front, which stay until then."""
    takes = any(op.takes_front for op in ops_of(site.model.head.pipe))
    return bool(takes and site.graph.in_front and not site.model.stages)


def refuse_none_in_front(site: Site, op: Op, at: KeyPath) -> Wire:
    """Refuse an op that takes a token in front of the core's where none is there."""
    message = f"`{op.call}` takes the first token in front of the core's, and "
    help = "write `pool = mean`, or `core (prepend = [class_token]) ...`"
    if site.graph.in_front:
        message += "stages take the core's result as a grid"
        help = "write `pool = mean`"
    else:
        message += "none is there"
    site.refusals.op(OpError(message, argument="pool", help=help), at)
    return UNKNOWN


def refuse_idle(site: Site) -> None:
    """Refuse tokens for which the core has no op, and options of tokens that are not there."""
    slot, spans = site.model.core, site.resolution.spans
    if slot.prepend and not site.graph.in_front:
        last = site.graph.on_tokens - 1
        option = "prepend_at" if last >= 0 else "prepend"
        why, help = "the core has no op on tokens", "remove it"
        if last >= 0:
            why = f"the core has {last + 1} ops on tokens, which are counted from 0"
            help = f"write at most `prepend_at = {last}`"
        _refuse(site, option, f"`{option}` has no effect: {why}", help)
    for option in () if slot.prepend else ("prepend_times", "prepend_at"):
        if (CORE, option) in spans:
            message = f"`{option}` has no effect: no tokens are in front of the core's"
            _refuse(site, option, message, f"remove it, or add `prepend = [{_example(site)}]`")


def refuse_grid(site: Site, op: Op, at: KeyPath) -> Wire:
    """Refuse an op on a grid where tokens stand in front, which no grid has."""
    message = f"`{op.call}` takes a grid, and tokens are in front of the core's"
    help = "put it before the ops on tokens, into a stage or into the head"
    if is_read(site):
        help = "put it before the ops on tokens, or write `pool = mean` in the head"
    site.refusals.op(OpError(message, code="G212", help=help), at)
    return UNKNOWN


def refuse_skip(site: Site) -> Wire:
    """Refuse a long skip that comes from before the tokens in front."""
    site.refusals.mismatch(
        "G206",
        "`skips = long` joins what is before the tokens of `prepend` to what is behind them",
        CORE,
        span=site.span("core", "prepend"),
        notes=[Note("skips set here", site.span("core", "skips"))],
        help="put them in front of the first block: remove `prepend_at`",
    )
    return UNKNOWN


def _refuse(site: Site, option: str, message: str, help: str) -> None:
    site.refusals.mismatch("G201", message, CORE, span=site.span("core", option), help=help)


def _example(site: Site) -> str:
    return next(iter(site.model.conditions), "learned")
