"""The map of the time embedding that blocks share: where it comes, and which blocks it fits."""

from __future__ import annotations

from growlang.build.graph import Place, Site, Wire, apply
from growlang.diagnostics import KeyPath
from growlang.net import CORE, vector
from growlang.ops import Op, OpError
from growlang.ops.attention import Attending
from growlang.ops.modulation import modulated
from growlang.ops.shared_modulation import SharedModulation

PATH = f"{CORE}.modulation"


def modulating(site: Site, op: Op, place: Place, at: KeyPath) -> Site | None:
    """The site whose time is what the core's shared map gives, where an op asks for it.

    The first such op of the core places the map. None, and a finding, where it does not fit.
    """
    if not isinstance(op, Attending) or op.modulation != "shared":
        return site
    if site.scope.time is None or not modulated(op):
        return site  # which the op refuses
    if place.component != CORE:
        message = f"`modulation = shared` is of the core's blocks, and this is `{place.component}`"
        site.refusals.op(_unfit(message, "write `modulation = block`"), at)
        return None
    own = SharedModulation(width=op.width, sublayers=len(modulated(op)), norm=op.norm)
    there = site.graph.shared
    if there is None:
        site.graph.shared = own
        apply(site, own, Wire("time", vector(site.scope.time)), CORE, PATH)
    elif there != own:
        has = f"{there.sublayers} sublayers of {there.width} channels behind `norm = {there.norm}`"
        this = f"{own.sublayers} of {own.width} behind `norm = {own.norm}`"
        message = f"the blocks before share a modulation of {has}, and this one has {this}"
        site.refusals.op(_unfit(message, "declare them alike, or write `modulation = block`"), at)
        return None
    return site._replace(modulation=PATH)


def _unfit(message: str, help: str) -> OpError:
    return OpError(message, argument="modulation", help=help)
