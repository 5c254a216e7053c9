"""The graph of a net while it is wired: nodes, conversions between grid and tokens, and pipes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import isqrt
from typing import Any, NamedTuple

from growlang.diagnostics import Diagnostic, Findings, GrowlangError, Note, Span
from growlang.net import Component, Input, Kind, Node, Shape, Tensor, grid
from growlang.ops import BUILT_IN, Op, OpError, Scope, op_of
from growlang.resolve.model import Resolution
from growlang.resolve.pipes import Path, at_call
from growlang.resolve.redeclare import attending, redeclared
from growlang.spec.model import Group, Item, Model, Pipe, ops_of

KINDS = {
    "grid": "a grid",
    "tokens": "embedded tokens",
    "ids": "token ids",
    "any": "a grid or embedded tokens",
}
"""The kinds of values in the words of messages."""


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
    scope: Scope


@dataclass
class Wiring:
    """The nodes of a net so far, and the ways to add more. Findings are recorded on the way."""

    resolution: Resolution
    findings: Findings
    nodes: list[Node] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)
    scope: Scope = field(default_factory=Scope)
    skips: list[Wire] = field(default_factory=list)
    levels: list[tuple[Wire, Wire]] = field(default_factory=list)
    """Of each open stage: the end of its encode side, and what `down` makes of it."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    declared: dict[tuple[Path, str, Shape], Declared] = field(default_factory=dict)
    doubtful: bool = False
    """Whether an error left a resolution unknown, so that nothing is said about the head's."""

    @property
    def model(self) -> Model:
        """The model that is wired."""
        return self.resolution.model

    @property
    def extent(self) -> tuple[int, int]:
        """(height, width) of the image in pixels; zeros where there is none or it was refused."""
        return self.model.image.extent if self.model.image else (0, 0)

    def span(self, *path: str | int) -> Span:
        """The place of a value, or of the innermost thing around it that has one."""
        spans = self.resolution.spans
        while path and path not in spans:
            path = path[:-1]
        return spans.get(path) or next(iter(spans.values()))

    # --- pipes -----------------------------------------------------------------------------------

    def pipe(self, pipe: Pipe, wire: Wire, place: Place, at: Path) -> Wire:
        """Wire the ops of a pipe, one after the other, and return what comes out."""
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
            wire = self.pipe(group.group, wire, inner, at)
        return wire

    def _count(self, prefix: str, name: str) -> int:
        number = self.counts[(prefix, name)]
        self.counts[(prefix, name)] += 1
        return number

    def _op(self, op: Op, wire: Wire, place: Place, at: Path) -> Wire:
        path = f"{place.prefix}.{op.call}.{self._count(place.prefix, op.call)}"
        if wire.shape is not None:
            wire = self._taken(op, wire, wire.shape.kind, place, at)
        if wire.shape is not None and place.component == "core" and op.input_kind == "tokens":
            wire = self._position(wire)
        if place.pops and op.call == "residual" and self.skips:
            wire = self._concat(wire, self.skips.pop(), place)
        wire = self.apply(op, wire, place, path, at)
        if place.pushes and op.call == "residual":
            self.skips.append(wire)
        return wire

    def _taken(self, op: Op, wire: Wire, kind: Kind, place: Place, at: Path) -> Wire:
        """The value as the kind that an op takes; a finding where it cannot become that."""
        if op.input_kind == kind or (op.input_kind == "any" and kind != "ids"):
            return wire
        if op.input_kind == "ids":
            help = (
                "it belongs once at the start of the stem, in a model with `tokens = tokens(...)`"
            )
        elif kind == "ids":
            help = "put `embed(width)` before it"
        elif op.input_kind == "grid" and self.model.tokens:
            help = "a model of tokens has no grid: use ops such as transformer, linear and norm"
        else:
            return self.convert(wire, op.input_kind, place)
        message = f"`{op.call}` takes {KINDS[op.input_kind]}, but its input is {KINDS[kind]}"
        self.refuse(OpError(message, code="G212", help=help), at)
        return Wire("", None)

    def _concat(self, wire: Wire, skip: Wire, place: Place) -> Wire:
        if wire.shape is None or skip.shape is None:
            return Wire("", None)
        path = f"{place.prefix}.concat.{self._count(place.prefix, 'concat')}"
        shape = wire.shape.with_width(wire.shape.width + skip.shape.width)
        return self.join("concat", wire, skip, shape, path, place.component)

    def join(
        self, op: str, wire: Wire, other: Wire, shape: Shape, path: str, component: str
    ) -> Wire:
        """Add a node of an op that reads two values and has no tensors."""
        self.nodes.append(Node(path, component, op, {}, (wire.name, other.name), shape))
        return Wire(path, shape)

    def convert(self, wire: Wire, kind: str, place: Place) -> Wire:
        """The same values as a grid or as tokens."""
        shape = wire.shape
        if shape is None or shape.kind == kind:
            return wire
        path = f"{place.prefix}.{kind}.{self._count(place.prefix, kind)}"
        if kind == "tokens":
            out = Shape("tokens", (shape.positions, shape.width))
            self.nodes.append(Node(path, place.component, "tokens", {}, (wire.name,), out))
            return Wire(path, out)
        height = self._grid_height(shape)
        args = {"height": height, "width": shape.positions // height}
        out = grid(shape.width, height, shape.positions // height)
        self.nodes.append(Node(path, place.component, "grid", args, (wire.name,), out))
        return Wire(path, out)

    def _grid_height(self, shape: Shape) -> int:
        """Height of the grid that tokens were made of: grids keep the image's proportions."""
        height, width = self.extent
        return isqrt(shape.positions * height // width)

    def _position(self, wire: Wire) -> Wire:
        """Add the core's position before the first of its ops on tokens."""
        shape, core = wire.shape, self.model.core
        assert shape is not None
        rope = any(getattr(op, "rope", False) for op in ops_of(core.pipe))
        kind = core.position or ("none" if rope else "learned")
        if kind == "none" or any(n.op == "position" for n in self.nodes):
            return wire
        extent = {}
        if kind == "sincos" and self.model.image:
            height = self._grid_height(shape)
            extent = {"height": height, "width": shape.positions // height}
        op = op_of("position").model_validate({"kind": kind, **extent})
        return self.apply(op, wire, Place("core", "core"), "core", ("core",))

    # --- nodes -----------------------------------------------------------------------------------

    def apply(self, op: Op, wire: Wire, place: Place, path: str, at: Path) -> Wire:
        """Add an op's node; a finding and an unknown shape where it does not fit its input."""
        if wire.shape is None:
            return wire
        try:
            shape = op.output(wire.shape, self.scope)
            reads = [name for read in op.reads(self.scope) for name in self._read(read)]
            self.node(path, place.component, op, (wire.name, *reads), wire.shape, at, shape)
        except OpError as error:
            self.refuse(error, at)
            return Wire("", None)
        except Exception as error:
            if op.call in BUILT_IN:
                raise
            reason = f"{type(error).__name__}: {error}"
            raise GrowlangError(
                f"{self.span(*at)}: the installed op `{op.call}` fails: {reason}"
            ) from error
        return Wire(path, shape)

    def _read(self, name: str) -> tuple[str, ...]:
        if name == "time" or name in self.resolution.broken:
            return (name,)
        embedded = self.model.conditions[name].role == "embedding"
        return (f"{name}.embedding" if embedded else name, f"{name}.mask")

    def node(
        self,
        path: str,
        component: str,
        op: Op,
        inputs: tuple[str, ...],
        x: Shape,
        at: Path,
        output: Shape | None = None,
    ) -> None:
        """Add a node with what its op declares; equal declarations are computed once."""
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
                self.span(*at),
                declared.scope,
                op,
            )
        )

    def _declared(self, op: Op, x: Shape, at: Path) -> Declared:
        """What the op at a place of the spec declares; the same for each of its repeats."""
        key = (at, op.call, x)
        if key not in self.declared:
            scope = _read(op, self.scope)
            self.declared[key] = Declared(
                op.arguments(),
                op.tensors(x, scope),
                op.flops(x, scope),
                op.saved_activations(x, scope),
                scope,
            )
        return self.declared[key]

    def refuse(self, error: OpError, at: Path) -> None:
        """Record what an op said about its arguments, at their place in the spec."""
        path = (*at, error.argument) if error.argument else at
        notes = tuple(self.resolution.notes.get(path, ()))
        if error.code == "G207" and not notes:
            notes = self._given_width(at)
        found = Diagnostic(error.code, error.message, self.span(*path), error.help, notes)
        calls = self.resolution.calls
        around = [calls[at[:n]] for n in range(len(at), 0, -1) if at[:n] in calls]
        for block, call in around:
            found = _in_block(found, call, block, whole=error.argument is None)
        if around and found.notes == notes:
            note = Note(f"`{around[0].block}` is called here", around[0].span)
            found = found._replace(notes=(*notes, note))
        self._record(found, str(at[0]))

    def _given_width(self, at: Path) -> tuple[Note, ...]:
        """Where another file gives the width that the heads do not divide."""
        here = self.span(*at).filename
        notes = self.resolution.notes.get((*at, "width"), ())
        return tuple(note for note in notes if note.span.filename != here)

    def mismatch(
        self,
        code: str,
        message: str,
        span: Span,
        notes: Any = (),
        help: str = "",
        declaration: str = "",
    ) -> None:
        """Record that two places do not meet; `declaration` is how the one at fault would."""
        self.doubtful = self.doubtful or code in ("G204", "G209")
        found = Diagnostic(code, message, span, help, tuple(notes))
        places = self.resolution.spans.items()
        component = next((str(path[0]) for path, place in places if place == span), "")
        self._record(found, component, declaration)

    def _record(self, found: Diagnostic, component: str, declaration: str = "") -> None:
        """Record a finding; about a kept component at its `keep`, unless the parent has it too."""
        kept = self.resolution.contract.keep.get(component)
        if kept and component not in self.resolution.declared:
            known = {(item.code, item.message) for item in self.findings.items}
            if (found.code, found.message) in known:  # the parent's own, wherever it is blamed
                return
            note = Note("declared here", found.span)
            help = self._way_out(found, component, declaration)
            found = found._replace(span=kept, notes=(note, *found.notes), help=help)
        self.findings.record(found)

    def _way_out(self, found: Diagnostic, component: str, declaration: str) -> str:
        """What mends a finding about a kept component, which cannot be changed as it is."""
        if found.code == "G208":
            return attending(component, self.model)
        again = redeclared(component, self.model, declaration)
        elsewhere = {"image", "skips", *self.model.conditions}
        before = "fix the factors before it" if declaration else found.help
        if self.resolution.declared.keys() <= elsewhere or not before:
            return again
        return f"{before}; or {again}"


def _read(op: Op, scope: Scope) -> Scope:
    """The scope with the time and the conditions that an op reads."""
    reads = op.reads(scope)
    conditions = {name: scope.conditions[name] for name in reads if name in scope.conditions}
    return scope._replace(time=scope.time if "time" in reads else None, conditions=conditions)


def _in_block(found: Diagnostic, call: Span, block: str, whole: bool) -> Diagnostic:
    """A finding inside a block, at its call: at the argument at fault, or at the `whole` call."""
    if not whole:
        return at_call(found, call, block)
    note = Note(f"in `{block}`, here", found.span)
    return found._replace(span=call, notes=(note, *found.notes))
