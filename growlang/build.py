"""Builds the `Net` of a resolved model: walks the U, checks every joint, names every tensor."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from math import isqrt
from typing import Any, NamedTuple

from growlang.diagnostics import Findings, Note, Span
from growlang.model import Group, Item, Model, Pipe, Slot, Stage
from growlang.net import Component, Input, Net, Node, Shape, Tensor, grid, tokens, vector
from growlang.ops import CHANGES, Op, OpError, Scope, op_of
from growlang.resolve.model import Resolution
from growlang.resolve.pipes import Path


class Wire(NamedTuple):
    """A value on its way through the net; `shape` is None where an error left it unknown."""

    name: str
    shape: Shape | None


class Place(NamedTuple):
    """Where a pipe stands: prefix of its paths, its component, and how skips are handled."""

    prefix: str
    component: str
    pushes: bool = False
    pops: bool = False


class Declared(NamedTuple):
    """What an op declares for one shape of its input; tensors are named relative to its place."""

    arguments: dict[str, Any]
    tensors: tuple[Tensor, ...]
    flops: int
    saved: int


def build(resolution: Resolution, findings: Findings) -> Net | None:
    """The net of a model; None where findings, old or new, leave it incomplete."""
    return _Builder(resolution, findings).run()


@dataclass
class _Builder:
    resolution: Resolution
    findings: Findings
    nodes: list[Node] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)
    scope: Scope = field(default_factory=Scope)
    skips: list[Wire] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    declared: dict[tuple[Path, str, Shape], Declared] = field(default_factory=dict)
    doubtful: bool = False
    """Whether an error left a resolution unknown, so that nothing is said about the head's."""

    @property
    def model(self) -> Model:
        return self.resolution.model

    def run(self) -> Net | None:
        before = len(self.findings)
        self._inputs()
        wire = self._body()
        complete = wire.shape is not None and not self.resolution.broken
        if len(self.findings) > before or not complete or not self.resolution.stages_known:
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

    def _span(self, *path: str | int) -> Span:
        """The place of a value, or of the innermost thing around it that has one."""
        spans = self.resolution.spans
        while path and path not in spans:
            path = path[:-1]
        return spans.get(path) or next(iter(spans.values()))

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
                self._refuse(error, (name,))
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
                self._node(name, name, condition, (f"{name}.{role}",), read, (name,))
            self.components.append(Component(name, shape, self._span(name)))
        time = None
        if self.model.time:
            time = self.model.time.width
            wire = self._apply(
                self.model.time,
                Wire("log_snr", vector(1)),
                Place("time", "time"),
                "time",
                ("time",),
            )
            self.components.append(Component("time", wire.shape or vector(1), self._span("time")))
        self.scope = Scope(time, conditions, channels)

    # --- the U -----------------------------------------------------------------------------------

    def _body(self) -> Wire:
        model, (height, _) = self.model, self.model.image.extent
        image = Wire("image", self.inputs[0].shape if height else None)
        wire = self._pipe(model.stem.pipe, image, Place("stem", "stem"), ("stem",))
        self._component("stem", wire)
        self._order()
        for i, stage in enumerate(model.stages):
            wire = self._encode(stage, self._next(i), wire)
        wire = self._core(wire)
        for i, stage in reversed(list(enumerate(model.stages))):
            wire = self._decode(stage, self._next(i), wire)
        wire = self._pipe(model.head.pipe, wire, Place("head", "head"), ("head",))
        wire = self._convert(wire, "grid", Place("head", "head"))
        self._component("head", wire)
        expected = self.inputs[0].shape
        if height and wire.shape and wire.shape != expected and not self.doubtful:
            self._mismatch(
                "G204",
                f"the head ends at {wire.shape}, but the image is {expected}",
                self._span("head"),
                [Note("the image is set here", self._span("image"))],
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
                    self._mismatch(
                        "G209",
                        "a core below stages needs its resolution",
                        self._span("core"),
                        (),
                        "write `core @ 16 ...`",
                    )
                continue
            span = self._span(coarser if coarser in self.resolution.declared else name)
            if below >= at:
                self._mismatch(
                    "G209",
                    f"`{_shown(coarser)}` does not lie below `{_shown(name)}`",
                    span,
                    [Note(f"`{_shown(name)}` is here", self._span(name))],
                    "resolutions fall strictly from the stem to the core",
                )
            elif at % below:
                self._mismatch(
                    "G204",
                    f"{at} is not a multiple of {below}: no whole factor leads from "
                    f"`{_shown(name)}` to `{_shown(coarser)}`",
                    span,
                    [Note(f"`{_shown(name)}` is here", self._span(name))],
                )

    def _encode(self, stage: Stage, coarser: Stage | Slot, wire: Wire) -> Wire:
        name = f"stage.{stage.at}"
        place = Place(f"{name}.encode", name, pushes=self.model.skips == "block")
        wire = self._arrive(wire, stage.at, stage.encode, name)
        start = len(self.skips)
        wire = self._pipe(stage.encode, wire, place, (name, "encode"))
        wire = self._convert(self._stay(wire, stage.at, name), "grid", place)
        popped = _residuals(stage.decode)
        if place.pushes and popped is not None and _residuals(stage.encode) is not None:
            pushed = len(self.skips) - start
            if wire.shape and pushed != popped:
                self._mismatch(
                    "G206",
                    f"the encode side of `{_shown(name)}` has {pushed} residual ops, the "
                    f"decode side {popped}",
                    self._span(name),
                    (),
                    "each decode residual takes the skip of one encode residual",
                )
        width = declared_width(coarser.pipe if isinstance(coarser, Slot) else coarser.encode)
        return self._change("down", stage, coarser.at, width, wire, name)

    def _decode(self, stage: Stage, coarser: Stage | Slot, wire: Wire) -> Wire:
        name = f"stage.{stage.at}"
        place = Place(f"{name}.decode", name, pops=self.model.skips == "block")
        wire = self._change("up", stage, coarser.at, declared_width(stage.decode), wire, name)
        wire = self._pipe(stage.decode, wire, place, (name, "decode"))
        wire = self._convert(self._stay(wire, stage.at, name), "grid", place)
        self._component(name, wire)
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
        return self._apply(op, wire, Place(prefix, name), f"{prefix}.{side}", (name,))

    def _core(self, wire: Wire) -> Wire:
        core = self.model.core
        if core.at is not None:
            wire = self._arrive(wire, core.at, core.pipe, "core")
        place = Place("core", "core")
        wire = self._pipe(core.pipe, wire, place, ("core",))
        if core.at is not None:
            wire = self._stay(wire, core.at, "core")
        if self.model.stages:
            wire = self._convert(wire, "grid", place)
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
            wire = self._convert(wire, "grid", Place(name, name))
        shape = wire.shape
        if shape is None:
            return wire
        came_from = "stem" if not self.components or self.components[-1].name == "stem" else ""
        notes = [Note(f"the {came_from} is here", self._span(came_from))] if came_from else []
        if shape.dims[1] != at:
            self._mismatch(
                "G204",
                f"`{_shown(name)}` is at {at}, but what comes to it is at {shape.dims[1]}",
                self._span(name),
                notes,
                f"write `{_shown(name).split(' @')[0]} @ {shape.dims[1]}`, or mend the factors "
                "before it",
            )
            return Wire("", grid(own or shape.width, at, at * width // height))
        if own is not None and own != shape.width:
            self._mismatch(
                "G205",
                f"`{_shown(name)}` has width {own}, but what comes to it has {shape.width}",
                self._span(name),
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
        self._mismatch(
            "G204",
            f"the ops of `{_shown(name)}` end at resolution {shape.dims[1]}, not {at}",
            self._span(name),
            (),
            "resolutions change between places, not inside them",
        )
        return Wire(wire.name, None)

    def _component(self, name: str, wire: Wire) -> None:
        if wire.shape is not None:
            self.components.append(Component(name, wire.shape, self._span(name)))

    # --- pipes -----------------------------------------------------------------------------------

    def _pipe(self, pipe: Pipe, wire: Wire, place: Place, at: Path) -> Wire:
        for index, item in enumerate(pipe):
            path = (*at, index)
            match item:
                case None:
                    wire = Wire("", None)
                case Item(op=op, repeat=repeat):
                    for _ in range(repeat):
                        wire = self._op(op, wire, place, path)
                case Group():
                    wire = self._group(item, wire, place, path)
        return wire

    def _group(self, group: Group, wire: Wire, place: Place, at: Path) -> Wire:
        for _ in range(group.repeat):
            inner = place
            if group.block:
                number = self._count(place.prefix, group.block)
                inner = Place(
                    f"{place.prefix}.{group.block}.{number}",
                    place.component,
                    place.pushes,
                    place.pops,
                )
            wire = self._pipe(group.group, wire, inner, at)
        return wire

    def _count(self, prefix: str, name: str) -> int:
        number = self.counts[(prefix, name)]
        self.counts[(prefix, name)] += 1
        return number

    def _op(self, op: Op, wire: Wire, place: Place, at: Path) -> Wire:
        path = f"{place.prefix}.{op.call}.{self._count(place.prefix, op.call)}"
        if wire.shape is not None and op.takes != "any":
            wire = self._convert(wire, op.takes, place)
        if place.pops and op.call == "residual" and self.skips:
            wire = self._concat(wire, self.skips.pop(), place)
        wire = self._apply(op, wire, place, path, at)
        if place.pushes and op.call == "residual":
            self.skips.append(wire)
        return wire

    def _concat(self, wire: Wire, skip: Wire, place: Place) -> Wire:
        if wire.shape is None or skip.shape is None:
            return Wire("", None)
        path = f"{place.prefix}.concat.{self._count(place.prefix, 'concat')}"
        shape = wire.shape.with_width(wire.shape.width + skip.shape.width)
        args: dict[str, Any] = {}
        self.nodes.append(
            Node(path, place.component, "concat", args, (wire.name, skip.name), shape)
        )
        return Wire(path, shape)

    def _convert(self, wire: Wire, kind: str, place: Place) -> Wire:
        """The same values as a grid or as tokens."""
        shape = wire.shape
        if shape is None or shape.kind == kind:
            return wire
        path = f"{place.prefix}.{kind}.{self._count(place.prefix, kind)}"
        if kind == "tokens":
            out = Shape("tokens", (shape.positions, shape.width))
            self.nodes.append(Node(path, place.component, "tokens", {}, (wire.name,), out))
            wire = Wire(path, out)
            return self._position(wire) if place.component == "core" else wire
        height = self._grid_height(shape)
        args = {"height": height, "width": shape.positions // height}
        out = grid(shape.width, height, shape.positions // height)
        self.nodes.append(Node(path, place.component, "grid", args, (wire.name,), out))
        return Wire(path, out)

    def _grid_height(self, shape: Shape) -> int:
        """Height of the grid that tokens were made of: grids keep the image's proportions."""
        height, width = self.model.image.extent
        return isqrt(shape.positions * height // width)

    def _position(self, wire: Wire) -> Wire:
        """Add the core's position where its tokens begin for the first time."""
        shape, core = wire.shape, self.model.core
        assert shape is not None
        rope = any(getattr(op, "rope", False) for op in _ops(core.pipe))
        kind = core.position or ("none" if rope else "learned")
        if kind == "none" or any(n.op == "position" for n in self.nodes):
            return wire
        height = self._grid_height(shape)
        extent = {"height": height, "width": shape.positions // height} if kind == "sincos" else {}
        op = op_of("position").model_validate({"kind": kind, **extent})
        return self._apply(op, wire, Place("core", "core"), "core", ("core",))

    # --- nodes -----------------------------------------------------------------------------------

    def _apply(self, op: Op, wire: Wire, place: Place, path: str, at: Path) -> Wire:
        if wire.shape is None:
            return wire
        try:
            shape = op.output(wire.shape, self.scope)
        except OpError as error:
            self._refuse(error, at)
            return Wire("", None)
        reads = [name for read in op.reads(self.scope) for name in self._read(read)]
        self._node(path, place.component, op, (wire.name, *reads), wire.shape, at, shape)
        return Wire(path, shape)

    def _read(self, name: str) -> tuple[str, ...]:
        if name == "time" or name in self.resolution.broken:
            return (name,)
        embedded = self.model.conditions[name].role == "embedding"
        return (f"{name}.embedding" if embedded else name, f"{name}.mask")

    def _node(
        self,
        path: str,
        component: str,
        op: Op,
        inputs: tuple[str, ...],
        x: Shape,
        at: Path,
        output: Shape | None = None,
    ) -> None:
        declared = self._declared(op, x, at)
        tensors = tuple(
            Tensor(f"{path}.{name}", shape, init, decay)
            for name, shape, init, decay in declared.tensors
        )
        self.nodes.append(
            Node(
                path,
                component,
                op.call,
                declared.arguments,
                inputs,
                output or op.output(x, self.scope),
                tensors,
                declared.flops,
                declared.saved,
                self._span(*at),
            )
        )

    def _declared(self, op: Op, x: Shape, at: Path) -> Declared:
        """What the op at a place of the spec declares; the same for each of its repeats."""
        key = (at, op.call, x)
        if key not in self.declared:
            scope = self.scope
            self.declared[key] = Declared(
                op.arguments(), op.tensors(x, scope), op.flops(x, scope), op.saved(x, scope)
            )
        return self.declared[key]

    def _refuse(self, error: OpError, at: Path) -> None:
        path = (*at, error.argument) if error.argument else at
        notes = self.resolution.notes.get(path, ())
        self.findings.add(
            error.code, error.message, self._span(*path), help=error.help, notes=notes
        )

    def _mismatch(
        self, code: str, message: str, span: Span, notes: Any = (), help: str = ""
    ) -> None:
        self.doubtful = self.doubtful or code in ("G204", "G209")
        self.findings.add(code, message, span, help=help, notes=notes)


def declared_width(pipe: Pipe) -> int | None:
    """A place's width: that of its first op's output; None where the op does not state one."""
    first = pipe[0] if pipe else None
    if isinstance(first, Group):
        return declared_width(first.group)
    width = getattr(first.op, "width", None) if first else None
    return width if isinstance(width, int) else None


def _ops(pipe: Pipe) -> list[Op]:
    found: list[Op] = []
    for item in pipe:
        if isinstance(item, Group):
            found += _ops(item.group)
        elif item is not None:
            found.append(item.op)
    return found


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
