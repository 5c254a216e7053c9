"""Whether skips join the two sides of a model's stages, as the model says."""

from __future__ import annotations

from collections.abc import Iterator

from growlang.diagnostics import Diagnostic
from growlang.net import Net
from growlang.resolve.model import Resolution
from growlang.spec.model import Model, Stage, ops_of


def are_idle(model: Model) -> bool:
    """Whether a model has skips, and no stage whose sides they join."""
    if not model.stages:
        return model.skips != "none"
    return model.skips == "block" and not any(map(_joined, model.stages))


def refuse_idle(resolution: Resolution) -> tuple[Diagnostic, ...]:
    """Refuse skips that the model asks for in so many words, and that join nothing."""
    span, model = resolution.spans.get(("skips",)), resolution.model
    if span is None or "skips" not in resolution.declared or not are_idle(model):
        return ()
    why, help = "the model has no stages", "remove it, or write `skips = none`"
    if model.stages:
        why = "no stage has `residual` ops on both sides"
        help = "write `skips = none`, or `skips = level`, which joins any stage"
    return (Diagnostic("G206", f"`skips = {model.skips}` joins nothing: {why}", span, help),)


def warn_unjoined(net: Net, resolution: Resolution) -> Iterator[Diagnostic]:
    """Warn of the model's own stages that no skip joins, though it does not say `skips = none`."""
    model = resolution.model
    for stage in model.stages if model.skips == "block" else ():
        name = stage.name
        span = resolution.declared.get(name)
        if span is None or _joined(stage) or not _computes(net, name):
            continue
        yield Diagnostic(
            "G213",
            f"no skip joins the two sides of `{name.selector}`: they have no `residual` ops",
            span,
            "write `skips = none` if that is meant, or `skips = level`, which joins any stage"
            if are_idle(model)
            else "`skips = level` joins any stage; or put a `residual` into both sides",
        )


def _joined(stage: Stage) -> bool:
    """Whether both sides of a stage have a residual op, which `skips = block` joins."""
    sides = (stage.encode, stage.decode)
    return all(any(op.takes_skips for op in ops_of(side)) for side in sides)


def _computes(net: Net, stage: str) -> bool:
    """Whether both sides of a stage have parameters but for those that change the resolution."""
    changes = (f"{stage}.encode.down", f"{stage}.decode.up")
    own = [n.path for n in net.of(stage) if n.tensors and n.path not in changes]
    return all(any(p.startswith(f"{stage}.{side}.") for p in own) for side in ("encode", "decode"))
