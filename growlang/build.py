"""Builds the `Net` of a resolved model: walks the U, checks every joint, names every tensor."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from growlang.diagnostics import Findings, Note
from growlang.model import Group, Item, Pipe, Slot, Stage
from growlang.net import Component, Input, Net, Shape, grid, tokens, vector
from growlang.ops import CHANGES, Op, OpError, Scope
from growlang.resolve.model import Resolution
from growlang.wiring import Place, Wire, Wiring


def build(resolution: Resolution, findings: Findings) -> Net | None:
    """The net of a model; None where findings, old or new, leave it incomplete."""
    return _Builder(resolution, findings).run()


class _Builder(Wiring):
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
        height, width = self.model.image.extent
        channels = self.model.image.channels
        self.inputs.append(Input("image", "image", grid(channels, height, width)))
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
        self.scope = Scope(time, conditions, channels)

    def _attended(self) -> None:
        """Refuse conditions that no op reads: the net would not depend on them."""
        read = {name for node in self.nodes for name in node.inputs}
        for name in self.model.conditions:
            if f"{name}.embedding" not in read and name not in read:
                self.mismatch(
                    "G208",
                    f"nothing attends to `{name}`",
                    self.span(name),
                    (),
                    f"write `attend = [self, {name}]` in an op, or remove `{name}`",
                )

    # --- the U -----------------------------------------------------------------------------------

    def _body(self) -> Wire:
        model, (height, _) = self.model, self.model.image.extent
        image = Wire("image", self.inputs[0].shape if height else None)
        wire = self.pipe(model.stem.pipe, image, Place("stem", "stem"), ("stem",))
        self._component("stem", wire)
        self._order()
        for i, stage in enumerate(model.stages):
            wire = self._encode(stage, self._next(i), wire)
        wire = self._core(wire)
        for i, stage in reversed(list(enumerate(model.stages))):
            wire = self._decode(stage, self._next(i), wire)
        wire = self.pipe(model.head.pipe, wire, Place("head", "head"), ("head",))
        wire = self.convert(wire, "grid", Place("head", "head"))
        self._component("head", wire)
        expected = self.inputs[0].shape
        if height and wire.shape and wire.shape != expected and not self.doubtful:
            self.mismatch(
                "G204",
                f"the head ends at {wire.shape}, but the image is {expected}",
                self.span("head"),
                [Note("the image is set here", self.span("image"))],
                "mend the factor of `unpatch`, or the stem's `patch`",
            )
            return Wire(wire.name, None)
        return wire

    def _next(self, index: int) -> Stage | Slot:
        """The next coarser place."""
        stages = self.model.stages
        return stages[index + 1] if index + 1 < len(stages) else self.model.core

    def _order(self) -> None:
        places: list[tuple[str, int | None]] = [(f"stage.{s.at}", s.at) for s in self.model.stages]
        places.append(("core", self.model.core.at))
        for (name, at), (coarser, below) in pairwise(places):
            if at is None or below is None:
                if below is None and self.model.core.pipe != [None]:
                    self.mismatch(
                        "G209",
                        "a core below stages needs its resolution",
                        self.span("core"),
                        (),
                        "write `core @ 16 ...`",
                    )
                continue
            span = self.span(coarser if coarser in self.resolution.declared else name)
            if below >= at:
                self.mismatch(
                    "G209",
                    f"`{_shown(coarser)}` does not lie below `{_shown(name)}`",
                    span,
                    [Note(f"`{_shown(name)}` is here", self.span(name))],
                    "resolutions fall strictly from the stem to the core",
                )
            elif at % below:
                self.mismatch(
                    "G204",
                    f"{at} is not a multiple of {below}: no whole factor leads from "
                    f"`{_shown(name)}` to `{_shown(coarser)}`",
                    span,
                    [Note(f"`{_shown(name)}` is here", self.span(name))],
                )

    def _encode(self, stage: Stage, coarser: Stage | Slot, wire: Wire) -> Wire:
        name = f"stage.{stage.at}"
        place = Place(f"{name}.encode", name, pushes=self.model.skips == "block")
        wire = self._arrive(wire, stage.at, stage.encode, name)
        start = len(self.skips)
        wire = self.pipe(stage.encode, wire, place, (name, "encode"))
        wire = self.convert(self._stay(wire, stage.at, name), "grid", place)
        popped = _residuals(stage.decode)
        if place.pushes and popped is not None and _residuals(stage.encode) is not None:
            pushed = len(self.skips) - start
            if wire.shape and pushed != popped:
                self.mismatch(
                    "G206",
                    f"the encode side of `{_shown(name)}` has {pushed} residual ops, the "
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
            wire = self._subtract(wire, down, coarser, place)
            width = self._width_of_level(high, width, name)
        wire = self._change("up", stage, coarser.at, width, wire, name)
        if self.model.skips == "level" and wire.shape and high.shape:
            path = f"{name}.decode.add"
            wire = self.join("add", wire, high, wire.shape, path, name)
        wire = self.pipe(stage.decode, wire, place, (name, "decode"))
        wire = self.convert(self._stay(wire, stage.at, name), "grid", place)
        self._component(name, wire)
        return wire

    def _subtract(self, low: Wire, down: Wire, coarser: Stage | Slot, place: Place) -> Wire:
        """What the coarser place changed, for `skips = level`."""
        if low.shape is None or down.shape is None:
            return Wire("", None)
        if low.shape.width != down.shape.width:
            name = "core" if isinstance(coarser, Slot) else f"stage.{coarser.at}"
            self.mismatch(
                "G205",
                f"`{_shown(name)}` begins with width {down.shape.width} and ends with "
                f"{low.shape.width}, but `skips = level` takes the difference",
                self.span(name),
                [Note("the skips are chosen here", self.span("skips"))],
                f"let it end with width {down.shape.width}",
            )
            return Wire("", None)
        path = f"{place.prefix}.subtract"
        return self.join("subtract", low, down, low.shape, path, place.component)

    def _width_of_level(self, high: Wire, width: int | None, name: str) -> int | None:
        """The width at which `skips = level` joins both sides of a stage: the encode side's."""
        if high.shape is None:
            return width
        ends = high.shape.width
        if width is not None and width != ends:
            self.mismatch(
                "G205",
                f"the encode side of `{_shown(name)}` ends with width {ends} and its decode side "
                f"begins with {width}, but `skips = level` adds them",
                self.span(name),
                [Note("the skips are chosen here", self.span("skips"))],
                f"begin the decode side with width {ends}",
            )
        return ends

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
            wire = self._arrive(wire, core.at, core.pipe, "core")
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
            wire = self._stay(wire, core.at, "core")
        if self.model.stages:
            wire = self.convert(wire, "grid", place)
        self._component("core", wire)
        return wire

    def _arrive(self, wire: Wire, at: int, pipe: Pipe, name: str) -> Wire:
        """Hold what comes against a place's resolution and width; go on with the place's own."""
        height, width = self.model.image.extent
        own = declared_width(pipe)
        if wire.shape is None:
            self.doubtful = True
            if not height or own is None or (at * width) % height:
                return Wire("", None)
            return Wire("", grid(own, at, at * width // height))
        if wire.shape.kind != "grid":
            wire = self.convert(wire, "grid", Place(name, name))
        shape = wire.shape
        if shape is None:
            return wire
        came_from = "stem" if not self.components or self.components[-1].name == "stem" else ""
        notes = [Note(f"the {came_from} is here", self.span(came_from))] if came_from else []
        if shape.dims[1] != at:
            self.mismatch(
                "G204",
                f"`{_shown(name)}` is at {at}, but what comes to it is at {shape.dims[1]}",
                self.span(name),
                notes,
                f"write `{_shown(name).split(' @')[0]} @ {shape.dims[1]}`, or mend the factors "
                "before it",
            )
            return Wire("", grid(own or shape.width, at, at * width // height))
        if own is not None and own != shape.width:
            self.mismatch(
                "G205",
                f"`{_shown(name)}` has width {own}, but what comes to it has {shape.width}",
                self.span(name),
                notes,
                f"give the {came_from or 'place before it'} width {own}",
            )
            return Wire("", shape.with_width(own))
        return wire

    def _stay(self, wire: Wire, at: int, name: str) -> Wire:
        """Refuse a pipe that left its place's resolution."""
        shape = wire.shape
        if shape is None or shape.kind != "grid" or shape.dims[1] == at:
            return wire
        self.mismatch(
            "G204",
            f"the ops of `{_shown(name)}` end at resolution {shape.dims[1]}, not {at}",
            self.span(name),
            (),
            "resolutions change between places, not inside them",
        )
        return Wire(wire.name, None)

    def _component(self, name: str, wire: Wire) -> None:
        if wire.shape is not None:
            self.components.append(Component(name, wire.shape, self.span(name)))


def declared_width(pipe: Pipe) -> int | None:
    """A place's width: that of its first op's output; None where the op does not state one."""
    first = pipe[0] if pipe else None
    if isinstance(first, Group):
        return declared_width(first.group)
    width = getattr(first.op, "width", None) if first else None
    return width if isinstance(width, int) else None


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


def _shown(name: str) -> str:
    """A component as the language writes it."""
    return name.replace("stage.", "stage @ ")
