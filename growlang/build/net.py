"""Builds the `Net` of a resolved model: walks the U, checks every joint, names every tensor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from growlang.build.generations import grown
from growlang.build.graph import Graph, Site, Wire, add, apply
from growlang.build.joints import refuse_unpredicted
from growlang.build.refusals import Refusals
from growlang.build.unet import walk
from growlang.diagnostics import Diagnostic, Findings, stage
from growlang.net import (
    TIME,
    Component,
    ComponentName,
    Input,
    Latent,
    Net,
    Shape,
    grid,
    tokens,
    vector,
)
from growlang.ops import OpError, Scope
from growlang.ops.conditions import Condition
from growlang.ops.generations import LEVEL
from growlang.resolve.model import Resolution
from growlang.resolve.redeclare import unattended
from growlang.spec.model import LatentImage, Model

MEAN = "mean"
"""What `pool` is by default."""


@stage
def build(
    findings: Findings, resolution: Resolution, said: Iterable[Diagnostic] = ()
) -> Net | None:
    """The net of a model; None where findings, of this stage or before it, leave it incomplete.

    `said` are the findings so far, such as about the parent: a kept component that has the same
    mistake here is not blamed again.
    """
    known = frozenset((item.code, item.message) for item in said)
    site = Site(resolution, Refusals(resolution, findings, known), Graph())
    models = [resolution.model, *(g.resolution.model for g in resolution.generations)]
    if resolution.generations and any(model.predicted for model in models):
        return None  # which the findings about what is retained tell
    site = _with_inputs(site)
    end = grown(site) if resolution.generations else walk(site)
    complete = end.shape is not None and not site.refused and resolution.stages_known
    if findings.items or not complete or not _is_attended(site):
        return None
    model, graph = site.model, site.graph
    order = model.components()
    return Net(
        name=model.name,
        inputs=tuple(graph.inputs),
        nodes=tuple(graph.nodes),
        components=tuple(sorted(graph.components, key=lambda c: order.index(c.name))),
        output=end.name,
        encoders=_encoders(model),
        latent=_latent(model),
    )


def _encoders(model: Model) -> dict[str, Any]:
    return {name: {"op": c.call, **c.arguments()} for name, c in model.conditions.items()}


def _latent(model: Model) -> Latent | None:
    image = model.image
    if not isinstance(image, LatentImage):
        return None
    return Latent(image.vae, image.factor, image.colours)


def _with_inputs(site: Site) -> Site:
    """Build the inputs, the conditions and the time, which make the scope of all ops."""
    model, inputs = site.model, site.graph.inputs
    if model.image:
        inputs.append(Input("image", "image", grid(model.image.channels, *model.image.extent)))
    elif model.tokens:
        inputs.append(Input("tokens", "tokens", Shape("ids", (model.tokens.length,))))
    if model.time:
        inputs.append(Input("log_snr", "log_snr", Shape("vector", ())))
    if site.resolution.generations:
        inputs.append(Input("level", "level", LEVEL))
    known = model.conditions
    targets = {n: c.labels() or 1 for n, c in known.items() if c.is_target}
    shapes = {n: _condition(site, n, c) for n, c in known.items() if n not in targets}
    refused = [*sorted(site.resolution.broken), *(n for n, s in shapes.items() if s is None)]
    site.graph.components += [
        Component(ComponentName(name), vector(n), site.span(name)) for name, n in targets.items()
    ]
    scope = Scope(
        model.time.width if model.time else None,
        dict.fromkeys(refused, tokens(1, 1)) | {n: s or tokens(1, 1) for n, s in shapes.items()},
        targets=dict.fromkeys(refused, 1) | targets,  # what is broken may be either
        channels=model.image.channels if model.image else 0,
        vocabulary=model.tokens.vocabulary if model.tokens else None,
    )
    site = site._replace(scope=scope, refused=frozenset(refused))
    _time(site)
    return site


def _condition(site: Site, name: str, condition: Condition) -> Shape | None:
    """Build what a condition reads, and its op where that is trained; its shape, if it has one."""
    try:
        shape = condition.output(Shape("ids", ()), site.scope)
    except OpError as error:
        site.refusals.op(error, (name,))
        return None
    component = ComponentName(name)
    role, length = condition.role, Shape("ids", shape.dims[:1])
    read = condition.given(shape)
    site.graph.inputs.append(Input(f"{name}.{role}", role, read, name))
    site.graph.inputs.append(Input(f"{name}.mask", "mask", length, name))
    if role != "embedding":
        add(site, condition, (f"{name}.{role}",), read, shape, component, name, (name,))
    site.graph.components.append(Component(component, shape, site.span(name)))
    return shape


def _time(site: Site) -> None:
    """Build the embedding of the time, if the model has one."""
    if site.model.time is None:
        return
    start, shapes = Wire("log_snr", vector(1)), site.scope.conditions
    pools = {n: getattr(c, "pool", MEAN) for n, c in site.model.conditions.items()}
    targets = site.scope.targets
    own = Scope(
        conditions=shapes,
        targets=targets,
        pools={n: how for n, how in pools.items() if how != MEAN},
    )
    wire = apply(site._replace(scope=own), site.model.time, start, TIME, TIME, ("time",))
    site.graph.components.append(Component(TIME, wire.shape or vector(1), site.span("time")))


def _is_attended(site: Site) -> bool:
    """Whether an op reads each condition; a finding where the net would not depend on one."""
    read = {name for node in site.graph.nodes for name in node.inputs}
    read |= {name for node in site.graph.nodes for name in node.scope.targets}
    idle = [n for n in site.model.conditions if f"{n}.embedding" not in read and n not in read]
    for name in idle:
        if site.model.conditions[name].is_target:
            refuse_unpredicted(site, name)
            continue
        help = unattended(name, site.resolution.declared, site.model) or (
            f"write `attend = [self, {name}]` in an op, or remove `{name}`"
        )
        site.refusals.mismatch("G208", f"no op attends to `{name}`", ComponentName(name), help=help)
    return not idle
