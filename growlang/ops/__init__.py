"""The catalogue of ops: what can be called in a pipe, a slot or a condition. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from growlang.diagnostics import GrowlangError
from growlang.net import Net, Node, Scope, Shape
from growlang.net.axes import Axes
from growlang.ops.base import CalledAs, Op, OpError
from growlang.ops.conditions import Condition
from growlang.ops.layout import Concat
from growlang.signatures.discovery import defined
from growlang.signatures.tables import Table, missing

OPS_GROUP, CONDITIONS_GROUP = "growlang.ops", "growlang.conditions"
"""Entry points of the ops and the conditions of installed packages."""
BUILT_IN: dict[str, type[Op]] = {op.call: op for op in defined(__name__, __path__, Op)}
"""All ops that the files of this package define, by name."""

OpType = TypeVar("OpType", bound=Op)


def _called_as(where: CalledAs, base: type[OpType], group: str = "") -> Table[OpType]:
    found = [op for op in BUILT_IN.values() if op.called_as == where and issubclass(op, base)]
    return Table(base, found, group=group, taken=BUILT_IN)


OPS = _called_as("pipe", Op, OPS_GROUP)
"""Callable in a pipe."""
DOWN, UP = _called_as("down", Op), _called_as("up", Op)
"""What the options `down` and `up` of a stage may be."""
CHANGES: dict[str, type[Op]] = {**DOWN, **UP}
"""Changes of resolution."""
CONDITIONS = _called_as("condition", Condition, CONDITIONS_GROUP)
"""Callable where the model binds a condition."""
TIME = _called_as("time", Op)
"""Callable where the model binds `time`."""
INTERNAL = _called_as("internal", Op)
"""Placed by the compiler; the language cannot call them."""

LAYOUT = frozenset(name for name, op in BUILT_IN.items() if op.is_layout)
"""Names of the ops that compute nothing."""


def op_of(name: str) -> type[Op]:
    """The op that a node's `op` names, built in or installed.

    Raises GrowlangError if there is none, such as for a checkpoint made with another package, and
    if an op and a condition of packages have the name.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    op, condition = OPS.find(name), CONDITIONS.find(name)
    if op and condition:
        places = f"`{OPS_GROUP}` and in `{CONDITIONS_GROUP}`"
        raise GrowlangError(f"packages declare `{name}` twice, in {places}")
    found = op or condition
    if found is None:
        raise missing("op", name)
    return found


def op_in(node: Node) -> Op:
    """The typed op of a node: that which built it, or of a net in JSON what its arguments say.

    Raises GrowlangError if there is no such op.
    """
    if isinstance(node.declaration, Op):
        return node.declaration
    return op_of(node.op).model_validate(dict(node.args))


def axes_in(net: Net, node: Node) -> Axes | None:
    """The axes of a node of a net; None where its op declares none.

    Raises GrowlangError if there is no such op.
    """
    op, (x, *others) = op_in(node), [net.shapes[name] for name in node.inputs]
    if isinstance(op, Concat):
        op = Concat(skip=others[0].width)
    return op.axes(x, node.scope)


def rebuilt(
    node: Node, x: Shape, numbers: Mapping[str, int] | None = None, eps: float | None = None
) -> Node:
    """The node with other numbers (of `Op.numbers`) and another eps: tensors and cost follow.

    `x` is the shape of its input. Numbers that are not named stay as the node keeps them; what the
    width decides anyway is not kept, so that such a node is the one that was built. Raises
    GrowlangError if the op has no number of that name, or if groups do not divide their channels.
    """
    op, own = op_in(node), node.scope._replace(numbers={})
    decided = op.numbers(x, own)
    asked = {**node.scope.numbers, **(numbers or {})}
    if unknown := sorted(asked.keys() - decided.keys()):
        known = ", ".join(decided) or "none"
        raise GrowlangError(f"`{node.path}` has no number `{unknown[0]}`; it has {known}")
    kept = {name: number for name, number in asked.items() if number != decided[name]}
    scope = own._replace(numbers=kept, eps=own.eps if eps is None else eps)
    axes = op.axes(x, scope)
    for space in axes.spaces.values() if axes else ():
        if space.size % space.groups:
            raise GrowlangError(
                f"{space.groups} groups of a norm of `{node.path}` do not divide {space.size}"
            )
    rows = op.tensors(x, scope)
    return replace(
        node,
        scope=scope,
        tensors=tuple(row._replace(name=f"{node.path}.{row.name}") for row in rows),
        flops=op.flops(x, scope),
        saved=op.saved_activations(x, scope),
    )


__all__ = [
    "BUILT_IN",
    "CHANGES",
    "CONDITIONS",
    "DOWN",
    "INTERNAL",
    "LAYOUT",
    "OPS",
    "TIME",
    "UP",
    "Condition",
    "Op",
    "OpError",
    "Scope",
    "axes_in",
    "op_in",
    "op_of",
    "rebuilt",
]
