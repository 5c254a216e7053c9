"""Whether skips join the two sides of a model's stages, as the model says."""

from __future__ import annotations

from growlang.diagnostics import Findings
from growlang.net import Net
from growlang.resolve.model import Resolution
from growlang.selectors import spelt

JOINTS = ("concat", "subtract")
"""Ops in the decode side of a stage that read what its encode side put out."""


def refuse_idle(net: Net, resolution: Resolution, findings: Findings) -> None:
    """Refuse skips that the model asks for in so many words, and that join nothing."""
    skips = resolution.model.skips
    if "skips" not in resolution.declared or skips == "none" or _joined(net):
        return
    stages = resolution.model.stages
    why = "no stage has `residual` ops on both sides" if stages else "the model has no stages"
    findings.add(
        "G206",
        f"`skips = {skips}` joins nothing: {why}",
        resolution.spans[("skips",)],
        help="write `skips = none`" + (", or `skips = level`, which joins any" if stages else ""),
    )


def warn_unjoined(net: Net, resolution: Resolution, findings: Findings) -> None:
    """Warn of the model's own stages that no skip joins, though it does not say `skips = none`."""
    joined, skips = _joined(net), resolution.model.skips
    for component in net.components:
        name = component.name
        span = resolution.declared.get(name)
        if span is None or not name.startswith("stage.") or skips == "none" or name in joined:
            continue
        if not _computes(net, name):
            continue
        findings.add(
            "G213",
            f"no skip joins the two sides of `{spelt(name)}`: they have no `residual` ops",
            span,
            help="write `skips = none` if that is meant, or `skips = level`, which joins any stage"
            if not joined
            else "`skips = level` joins any stage; or put a `residual` into both sides",
        )


def _computes(net: Net, stage: str) -> bool:
    """Whether both sides of a stage have parameters but for those that change the resolution."""
    changes = (f"{stage}.encode.down", f"{stage}.decode.up")
    own = [n.path for n in net.of(stage) if n.tensors and n.path not in changes]
    return all(any(p.startswith(f"{stage}.{side}.") for p in own) for side in ("encode", "decode"))


def _joined(net: Net) -> set[str]:
    """The stages whose sides are joined."""
    return {node.component for node in net.nodes if node.op in JOINTS}
