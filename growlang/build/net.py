"""Builds the `Net` of a resolved model: walks the U, checks every joint, names every tensor."""

from __future__ import annotations

from typing import Any

from growlang.build.joints import Joints, declared_width, shown
from growlang.build.wiring import Place, Wire
from growlang.diagnostics import Findings
from growlang.net import Component, Input, Net, Shape, grid, tokens, vector
from growlang.ops import CHANGES, Op, OpError, Scope
from growlang.resolve.model import Resolution
from growlang.resolve.redeclare import unattended
from growlang.spec.model import Group, Item, Pipe, Slot, Stage


def build(resolution: Resolution, findings: Findings) -> Net | None:
    """The net of a model; None where findings, old or new, leave it incomplete."""
    return _Builder(resolution, findings).run()


class _Builder(Joints):
    def run(self) -> Net | None:
        before = len(self.findings)
        self._inputs()
        wire = self._body()
        complete = wire.shape is not None and not self.resolution.broken
        if len(self.findings) > before or not complete or not self.resolution.stages_known:
            return None
        self._attended()
        if len(self.findings) > before:
            return None
        encoders: dict[str, Any] = {
            name: {"op": c.call, **c.arguments()} for name, c in self.model.conditions.items()
        }
        order = self.model.components()
        components = sorted(self.components, key=lambda c: order.index(c.name))
        return Net(
            name=self.model.name,
            inputs=tuple(self.inputs),
            nodes=tuple(self.nodes),
            components=tuple(components),
            output=wire.name,
            encoders=encoders,
        )

    # --- inputs ----------------------------------------------------------------------------------

    def _inputs(self) -> None:
        image, text = self.model.image, self.model.tokens
        if image:
            self.inputs.append(Input("image", "image", grid(image.channels, *image.extent)))
        elif text:
            self.inputs.append(Input("tokens", "tokens", Shape("ids", (text.length,))))
        conditions = {name: tokens(1, 1) for name in self.resolution.broken}
        if self.model.time:
            self.inputs.append(Input("log_snr", "log_snr", Shape("vector", ())))
        for name, condition in self.model.conditions.items():
            try:
                shape = condition.output(Shape("ids", ()), Scope())
            except OpError as error:
                self.refuse(error, (name,))
                self.resolution.broken.add(name)
                conditions[name] = tokens(1, 1)
                continue
            conditions[name] = shape
            role = condition.role
            read = {
                "ids": Shape("ids", shape.dims[:1]),
                "label": Shape("ids", ()),
                "embedding": shape,
            }[role]
            self.inputs.append(Input(f"{name}.{role}", role, read, name))
            self.inputs.append(Input(f"{name}.mask", "mask", Shape("ids", shape.dims[:1]), name))
            if role != "embedding":
                self.node(name, name, condition, (f"{name}.{role}",), read, (name,))
            self.components.append(Component(name, shape, self.span(name)))
        time = None
        if self.model.time:
            time = self.model.time.width
            wire = self.apply(
                self.model.time,
                Wire("log_snr", vector(1)),
                Place("time", "time"),
                "time",
                ("time",),
            )
            self.components.append(Component("time", wire.shape or vector(1), self.span("time")))
        self.scope = Scope(
            time,
            conditions,
            channels=image.channels if image else 0,
            vocabulary=text.vocabulary if text else None,
        )

    def _attended(self) -> None:
        """Refuse conditions that no op reads: the net would not depend on them."""
        read = {name for node in self.nodes for name in node.inputs}
        for name in self.model.conditions:
            if f"{name}.embedding" not in read and name not in read:
                help = unattended(name, self.resolution.declared, self.model) or (
                    f"write `attend = [self, {name}]` in an op, or remove `{name}`"
                )
                self.mismatch("G208", f"no op attends to `{name}`", self.span(name), (), help)

    # --- the U -----------------------------------------------------------------------------------

    def _body(self) -> Wire:
        model, first = self.model, self.inputs[0]
        known = model.tokens is not None or self.extent != (0, 0)
        start = Wire(first.name, first.shape if known else None)
        wire = self.pipe(model.stem.pipe, start, Place("stem", "stem"), ("stem",))
        self.component("stem", wire)
        if model.tokens and not self.is_chain():
            return Wire("", None)
        self.order()
        if not self.resolution.stages_known:
            wire = Wire("", None)
        for i, stage in enumerate(model.stages):
            wire = self._encode(stage, self._next(i), wire)
        wire = self._core(wire)
        for i, stage in reversed(list(enumerate(model.stages))):
            wire = self._decode(stage, self._next(i), wire)
        wire = self.pipe(model.head.pipe, wire, Place("head", "head"), ("head",))
        if model.image:
            wire = self.convert(wire, "grid", Place("head", "head"))
        self.component("head", wire)
        return self.ended(wire) if known else wire

    def _next(self, index: int) -> Stage | Slot:
        """The next coarser place."""
        stages = self.model.stages
        return stages[index + 1] if index + 1 < len(stages) else self.model.core

    def _encode(self, stage: Stage, coarser: Stage | Slot, wire: Wire) -> Wire:
        name = f"stage.{stage.at}"
        place = Place(f"{name}.encode", name, pushes=self.model.skips == "block")
        wire = self.arrive(wire, stage.at, stage.encode, name)
        start = len(self.skips)
        wire = self.pipe(stage.encode, wire, place, (name, "encode"))
        wire = self.convert(self.stay(wire, stage.at, name), "grid", place)
        popped = _residuals(stage.decode)
        if place.pushes and popped is not None and _residuals(stage.encode) is not None:
            pushed = len(self.skips) - start
            if wire.shape and pushed != popped:
                self.mismatch(
                    "G206",
                    f"the encode side of `{shown(name)}` has {pushed} residual ops, the "
                    f"decode side {popped}",
                    self.span(name),
                    (),
                    "each decode residual takes the skip of one encode residual",
                )
        width = declared_width(coarser.pipe if isinstance(coarser, Slot) else coarser.encode)
        down = self._change("down", stage, coarser.at, width, wire, name)
        self.levels.append((wire, down))
        return down

    def _decode(self, stage: Stage, coarser: Stage | Slot, wire: Wire) -> Wire:
        name = f"stage.{stage.at}"
        place = Place(f"{name}.decode", name, pops=self.model.skips == "block")
        width = declared_width(stage.decode)
        high, down = self.levels.pop()
        if self.model.skips == "level":
            wire = self.subtract(wire, down, coarser, place)
            width = self.width_of_level(high, width, name)
        wire = self._change("up", stage, coarser.at, width, wire, name)
        if self.model.skips == "level" and wire.shape and high.shape:
            path = f"{name}.decode.add"
            wire = self.join("add", wire, high, wire.shape, path, name)
        wire = self.pipe(stage.decode, wire, place, (name, "decode"))
        wire = self.convert(self.stay(wire, stage.at, name), "grid", place)
        self.component(name, wire)
        return wire

    def _change(
        self, side: str, stage: Stage, below: int | None, width: int | None, wire: Wire, name: str
    ) -> Wire:
        if wire.shape is None or below is None or stage.at % below:
            return Wire("", None)
        call = stage.down if side == "down" else stage.up
        prefix = f"{name}.{'encode' if side == 'down' else 'decode'}"
        op: Op = CHANGES[call].model_validate(
            dict(width=width or wire.shape.width, factor=stage.at // below)
        )
        return self.apply(op, wire, Place(prefix, name), f"{prefix}.{side}", (name, side))

    def _core(self, wire: Wire) -> Wire:
        core = self.model.core
        if core.at is not None:
            wire = self.arrive(wire, core.at, core.pipe, "core")
        place = Place("core", "core")
        wire = self.pipe(core.pipe, wire, place, ("core",))
        placed = any(n.op == "position" for n in self.nodes)
        if wire.shape and core.position in ("learned", "sincos") and not placed:
            self.mismatch(
                "G201",
                f"`position = {core.position}` has no effect: the core has no op on tokens",
                self.span("core", "position"),
                (),
                "remove it",
            )
        if core.at is not None:
            wire = self.stay(wire, core.at, "core")
        if self.model.stages:
            wire = self.convert(wire, "grid", place)
        self.component("core", wire)
        return wire


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
                total += repeat * (op.call == "residual")
    return total
