"""Calls of ops, and what their axes promise of them: changes that leave their function as it is."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, reduce
from itertools import islice
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import torch
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from torch import Tensor

from growlang.net import Input, Net, Node, Rope, Scope, Shape, grid, tokens, vector
from growlang.net import Tensor as Declared
from growlang.net.axes import POWERS, Axes, Axis, Parameter, Role, Space, Symmetry, length
from growlang.ops import TIME, Condition, Op, OpError
from growlang.ops.heads import ROTATED
from growlang.ops.shared_modulation import SharedModulation
from growlang.signatures.signature import Conditions, Signature
from growlang.torch_backend.lower import LoweredNet, lower

COUNTS = (1, 2, 3, 4, 6, 8, 12)
"""Widths and factors that are tried; some share a part only with the 32 groups of a norm."""
KNOWN: Mapping[Any, list[Any]] = {
    bool: [False, True],
    int: [*COUNTS],
    float: [0.0, 0.5, 2.0],
    str: ["field"],
    NoneType: [None],
}
"""What is tried of an argument's type."""
FIELDS = ("width", ["height", "json:score", "crop_top"])
"""What is tried of the fields of a sample that hold numbers."""
POOLS = ({}, {"text": "first"}, {"text": "attention"})
"""How conditions that are added to the time become one vector."""
TRIES = 2000
BATCH = 2


class Call(NamedTuple):
    """An op with arguments, in front of an input that fits."""

    op: Op
    x: Shape
    scope: Scope


def calls(kind: type[Op], count: int, seed: int = 0) -> list[Call]:
    """Calls of an op with drawn arguments, inputs, scopes and kept numbers: of a seed, the same."""
    found, more = _drawn(kind, seed)
    found += islice(more, max(0, count - len(found)))
    assert found, f"no call of {kind.call} was found"
    return found[:count]


@cache
def _drawn(kind: type[Op], seed: int) -> tuple[list[Call], Iterator[Call]]:
    """The calls that were asked for so far, and those that follow: most draws are no call."""
    return [], _draws(kind, random.Random(seed))


def _draws(kind: type[Op], draw: random.Random) -> Iterator[Call]:
    found = 0
    fields = {info.alias or n: _Argument.of(info) for n, info in kind.model_fields.items()}
    for _ in range(TRIES):
        text, tag = tokens(3, draw.choice(COUNTS)), tokens(1, draw.choice(COUNTS))
        scope = Scope(
            time=draw.choice([None, 5]),
            conditions={"text": text, "tag": tag},
            channels=draw.choice([1, 3]),
            vocabulary=11,
            pools=POOLS[found % len(POOLS)],
            targets={"kind": 7},
        )
        names = ["self", *scope.conditions]
        args = {name: argument.drawn(draw, names) for name, argument in fields.items()}
        try:
            op = kind.model_validate(args)
            if isinstance(op, Condition) and op.is_target:
                continue  # nothing of it is computed
            x = _input(draw, op, scope)
            if op.is_rotated and draw.random() < 0.5:
                sides = draw.choice([(x.positions,), (2, x.positions // 2)])
                scope = scope._replace(rope=Rope(100.0, sides))
            op.output(x, scope)
        except (ValidationError, OpError):
            continue
        numbers = dict.fromkeys(op.numbers(x, scope), 1) if draw.random() < 0.25 else {}
        if scope.rope and numbers:
            numbers[ROTATED] = 2 * len(scope.rope.sides)
        found += 1
        yield Call(op, x, scope._replace(numbers=numbers))


class _Argument(NamedTuple):
    """What is drawn for an argument."""

    choices: list[Any]
    least: int | None
    """Of names of conditions, as many at least; none where one of the choices is drawn."""

    @classmethod
    def of(cls, info: FieldInfo) -> _Argument:
        if any(isinstance(m, Conditions) for m in info.metadata):
            if info.annotation is str:
                return cls(["kind"], None)
            return cls([], 0 if info.get_default(call_default_factory=True) == [] else 1)
        if info.alias == "from" and info.annotation is not str:
            return cls([*FIELDS], None)
        return cls(_choices(info.annotation), None)

    def drawn(self, draw: random.Random, names: list[str]) -> Any:
        if self.least is None:
            return draw.choice(self.choices)
        return draw.sample(names, draw.randint(self.least, len(names)))


def _choices(annotation: Any) -> list[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return list(arguments)
    if origin is Annotated:
        return _choices(arguments[0])
    if origin in (Union, UnionType):
        return [choice for a in arguments for choice in _choices(a)]
    if isinstance(annotation, type) and issubclass(annotation, Signature):
        return [annotation()]
    return KNOWN.get(annotation, [])


def _input(draw: random.Random, op: Op, scope: Scope) -> Shape:
    if op.call in TIME:
        return Shape("vector", ())
    if isinstance(op, SharedModulation):
        return vector(draw.choice(COUNTS))
    if isinstance(op, Condition):
        out = op.output(Shape("ids", ()), scope)
        return op.given(out) if op.role != "embedding" else Shape("ids", ())
    width = draw.choice(COUNTS)
    shapes = {"grid": grid(width, 4, 4), "tokens": tokens(16, width), "ids": Shape("ids", (5,))}
    known = [s for kind, s in shapes.items() if op.input_kind in (kind, "any") and kind != "ids"]
    return draw.choice(known or [shapes["ids"]])


# --- the op alone in a net ------------------------------------------------------------------------


class Alone(NamedTuple):
    """An op in a net by itself, in float64 with random weights, and values of inputs.

    The tables that it takes are those of ops beside it, of which nothing is read.
    """

    module: LoweredNet
    weights: dict[str, Tensor]
    values: list[Tensor]
    unread: list[Tensor]
    """What the ops beside it are called with."""

    def __call__(self, weights: Mapping[str, Tensor] | None = None, *values: Tensor) -> Tensor:
        """The result for other weights and values, where they are given."""
        weights = {_placed(name): w for name, w in (weights or self.weights).items()}
        given = (*(values or self.values), *self.unread)
        result = torch.func.functional_call(self.module, weights, given)
        assert isinstance(result, Tensor)
        return result


def _placed(name: str) -> str:
    """The name in the net of a tensor of the op's own, or of a table that it takes."""
    return name if name.startswith("table_") else f"op.{name}"


def parameters(axes: Axes) -> Iterator[Parameter]:
    """Those of the op and, by the names that `alone` gives them, of the tables that it takes."""
    yield from axes.parameters
    for number, table in enumerate(axes.tables):
        yield table._replace(name=f"table_{number}.embedding.weight")


def alone(call: Call, axes: Axes) -> Alone:
    """The op as a module; every weight is random, also where it would begin at zero."""
    op, x, scope = call
    shapes = [x]
    for name in op.reads(scope):
        if name == "time":
            shapes.append(Shape("vector", (length(axes.inputs[len(shapes)]),)))
        else:
            condition = scope.conditions[name]
            shapes += [condition, Shape("ids", condition.dims[:1])]
    shapes += op.others(x, scope)
    inputs = tuple(Input(f"input_{i}", "", shape) for i, shape in enumerate(shapes))
    rows = op.tensors(x, scope)
    named = tuple(Declared(f"op.{t.name}", *t[1:]) for t in rows)
    names, out = tuple(i.name for i in inputs), op.output(x, scope)
    beside = [_owner(number, table) for number, table in enumerate(axes.tables)]
    taken = tuple(tensor.name for owner in beside for tensor in owner.tensors)
    node = Node("op", "", op.call, op.arguments(), names, out, named, scope=scope, declaration=op)
    ids = tuple(Input(f"{owner.path}.ids", "ids", Shape("ids", (1,))) for owner in beside)
    nodes = (*beside, replace(node, tables=taken))
    module = lower(Net("alone", (*inputs, *ids), nodes, (), "op"), "cpu").eval()
    generator = torch.Generator().manual_seed(1)
    shaped = {t.name: t.shape for t in rows}
    shaped |= {tensor.name: tensor.shape for owner in beside for tensor in owner.tensors}
    weights = {
        n: torch.randn(s, generator=generator, dtype=torch.float64) for n, s in shaped.items()
    }
    values = [_value(s, a, generator) for s, a in zip(shapes, axes.inputs, strict=True)]
    unread = [torch.zeros(BATCH, 1, dtype=torch.int64) for _ in beside]
    return Alone(module, weights, values, unread)


def _owner(number: int, table: Parameter) -> Node:
    """An op that has a table of a shape."""
    path, (rows, width) = f"table_{number}", map(length, table.axes)
    named = (Declared(f"{path}.embedding.weight", (rows, width)),)
    scope, out = Scope(vocabulary=rows), tokens(1, width)
    return Node(path, "", "embed", {"width": width}, (f"{path}.ids",), out, named, scope=scope)


def _value(shape: Shape, axis: Axis, generator: torch.Generator) -> Tensor:
    """Random values of a shape; ids are below the length of their axis, and a mask has none."""
    if shape.kind != "ids":
        return torch.randn(BATCH, *shape.dims, generator=generator, dtype=torch.float64)
    if not axis:
        return torch.ones(BATCH, *shape.dims, dtype=torch.bool)
    return torch.randint(length(axis), (BATCH, *shape.dims), generator=generator)


# --- symmetries -----------------------------------------------------------------------------------


class Change(NamedTuple):
    """Of a space or an axis: where each place comes from, and what it is multiplied by."""

    source: Tensor
    factor: Tensor


Changes = Mapping[str, Change]


def changes(axes: Axes, seed: int, only: str = "") -> dict[str, Change]:
    """A change of every space, or of one, drawn from those that its symmetry allows."""
    generator = torch.Generator().manual_seed(seed)
    spaces = axes.spaces.values()
    fixed = [s._replace(symmetry=Symmetry.FIXED) if only not in ("", s.name) else s for s in spaces]
    return {space.name: _change(space, generator) for space in fixed}


def _change(space: Space, generator: torch.Generator) -> Change:
    source, factor = torch.arange(space.size), torch.ones(space.size, dtype=torch.float64)
    if space.symmetry is not Symmetry.FIXED:
        order = torch.randperm(space.groups, generator=generator)
        runs = source.reshape(space.groups, -1)[order]
        within = [torch.randperm(runs.shape[1], generator=generator) for _ in runs]
        source = torch.cat([run[w] for run, w in zip(runs, within, strict=True)])
    if space.symmetry is Symmetry.SCALED:
        factor = 0.5 + torch.rand(space.size, generator=generator, dtype=torch.float64)
    return Change(source, factor)


def changed(tensor: Tensor, dim: int, axis: Axis, by: Changes, power: int | None = None) -> Tensor:
    """A tensor whose `axis` follows the changes: values themselves (power 1), or by their role."""
    sources, factors, start = list[Tensor](), list[Tensor](), 0
    for factor_list, role in axis:
        parts = [
            by[f.name]
            if isinstance(f, Space)
            else Change(torch.arange(f), torch.ones(f, dtype=torch.float64))
            for f in factor_list
        ]
        whole = reduce(_product, parts)
        sources.append(whole.source + start)
        factors.append(whole.factor ** (POWERS.get(role, 0) if power is None else power))
        start += len(whole.source)
    shape = [1] * tensor.dim()
    shape[dim] = -1
    return tensor.index_select(dim, torch.cat(sources)) * torch.cat(factors).reshape(shape)


def _product(outer: Change, inner: Change) -> Change:
    source = outer.source[:, None] * len(inner.source) + inner.source
    return Change(source.flatten(), (outer.factor[:, None] * inner.factor).flatten())


def _changed_value(value: Tensor, kind: str, axis: Axis, by: Changes) -> Tensor:
    if not axis:
        return value
    if not value.is_floating_point():
        ((factors, _),) = axis
        (space,) = (f for f in factors if isinstance(f, Space))
        return by[space.name].source.argsort()[value]
    return changed(value, 1 if kind == "grid" else value.dim() - 1, axis, by, power=1)


def error(call: Call, axes: Axes, seed: int = 0, only: str = "") -> float:
    """How far the result is from the one promised once all spaces or one change, relative to it."""
    op, by = alone(call, axes), changes(axes, seed, only)
    weights = dict(op.weights)
    for parameter in parameters(axes):
        for dim, axis in enumerate(parameter.axes):
            weights[parameter.name] = changed(weights[parameter.name], dim, axis, by)
    pairs = zip(op.values, axes.inputs, strict=True)
    values = [_changed_value(v, call.x.kind if v.dim() > 3 else "", a, by) for v, a in pairs]
    result = call.op.output(call.x, call.scope)
    promised = _changed_value(op(), result.kind, axes.output, by)
    return float((op(weights, *values) - promised).abs().max() / promised.abs().max())


def places(axis: Axis, role: Role) -> Tensor:
    """Which places along an axis lie in segments of a role."""
    parts = [torch.full((length((segment,)),), segment.role is role) for segment in axis]
    return torch.cat(parts)


def axes_of(call: Call) -> Axes:
    """What the op declares for the call."""
    axes = call.op.axes(call.x, call.scope)
    assert axes is not None, f"{call.op.call} declares no axes"
    return axes


def each(ops: Mapping[str, type[Op]], count: int) -> Iterator[tuple[Call, Axes]]:
    """Calls of each op, with its axes."""
    for kind in ops.values():
        for call in calls(kind, count):
            yield call, axes_of(call)
