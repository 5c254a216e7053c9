"""Whether skips join the two sides of a model's stages, as the model says."""

from __future__ import annotations

from collections.abc import Iterator

from growlang.diagnostics import Diagnostic
from growlang.net import Net
from growlang.resolve.model import Resolution
from growlang.spec.model import Group, Item, Model, Pipe, Stage

JOINING = ("block", "add", "group", "long")
"""Skips that join something of an encode side to something of the decode side."""
UNITS = ("group", "long")
"""Those of them that take groups as a whole."""


def is_unit(item: Group | Item | None, skips: str) -> bool:
    """Whether an element of a pipe gives or takes a skip: `long` joins what adds to its input."""
    match item:
        case Item(op=op):
            return op.is_residual if skips == "long" else op.takes_skips
        case Group(group=group):
            return any(is_unit(inner, skips) for inner in group)
    return False


def joined(pipe: Pipe, skips: str) -> int | None:
    """How many things of a pipe give or take a skip; None where part of it was refused."""
    total = 0
    for item in pipe:
        if item is None:
            return None
        if isinstance(item, Group) and skips not in UNITS:
            inner = joined(item.group, skips)
            if inner is None:
                return None
            total += item.repeat * inner
        else:
            total += item.repeat * is_unit(item, skips)
    return total


def are_idle(model: Model) -> bool:
    """Whether a model has skips, and no stage whose sides they join."""
    if not model.stages:
        return model.skips != "none"
    return model.skips in JOINING and not any(_joined(s, model.skips) for s in model.stages)


def refuse_idle(resolution: Resolution) -> tuple[Diagnostic, ...]:
    """Refuse skips that the model asks for in so many words, and that join nothing."""
    span, model = resolution.spans.get(("skips",)), resolution.model
    if span is None or "skips" not in resolution.declared or not are_idle(model):
        return ()
    why, help = "the model has no stages", "remove it, or write `skips = none`"
    if model.stages:
        why = "no stage has `residual` ops on both sides"
        if model.skips == "long":
            why = "no stage has ops on both sides that add to their input"
        help = "write `skips = none`, or `skips = level`, which joins any stage"
    return (Diagnostic("G206", f"`skips = {model.skips}` joins nothing: {why}", span, help),)


def warn_unjoined(net: Net, resolution: Resolution) -> Iterator[Diagnostic]:
    """Warn of the model's own stages that no skip joins, though it does not say `skips = none`."""
    model = resolution.model
    for stage in model.stages if model.skips in JOINING else ():
        name = stage.name
        span = resolution.declared.get(name)
        if span is None or _joined(stage, model.skips) or not _computes(net, name):
            continue
        yield Diagnostic(
            "G213",
            f"no skip joins the two sides of `{name.selector}`: they have no `residual` ops",
            span,
            "write `skips = none` if that is meant, or `skips = level`, which joins any stage"
            if are_idle(model)
            else "`skips = level` joins any stage; or put a `residual` into both sides",
        )


def _joined(stage: Stage, skips: str) -> bool:
    """Whether both sides of a stage have something that skips join, such as a residual op."""
    return all(any(is_unit(i, skips) for i in side) for side in (stage.encode, stage.decode))


def _computes(net: Net, stage: str) -> bool:
    """Whether both sides of a stage have parameters but for those that change the resolution."""
    changes = (f"{stage}.encode.down", f"{stage}.decode.up")
    own = [n.path for n in net.of(stage) if n.tensors and n.path not in changes]
    return all(any(p.startswith(f"{stage}.{side}.") for p in own) for side in ("encode", "decode"))
