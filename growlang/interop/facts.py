"""What nodes of a net are, as tables of names ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.interop.table import INDEX, Names, names_of, pattern
from growlang.net import Net, Node
from growlang.ops import op_in
from growlang.ops.activations import activation
from growlang.ops.attention import Attending, Transformer
from growlang.ops.heads import has_bias, head_width, key_heads
from growlang.ops.spatial import SpatialAttention
from growlang.signatures.signature import Signature

COUNT = "count"
"""The fact of all nodes of a path: how many there are."""


class Found(NamedTuple):
    """A fact, and the node that it is of."""

    value: Any
    node: Node | None = None


def facts(net: Net, of: Names, what: str) -> list[Found]:
    """A fact of every node of some paths; of `count`, one.

    Raises GrowlangError where a node has no such fact, which is a mistake of the table.
    """
    nodes = [n for name in names_of(of) for n in net.nodes if pattern(name).fullmatch(n.path)]
    if what == COUNT:
        return [Found(len(nodes), nodes[0] if nodes else None)]
    return [Found(fact(net, node, what), node) for node in nodes]


def blocks(net: Net, name: str) -> list[int]:
    """The numbers of the blocks that have a tensor of a name of a table."""
    if INDEX not in name:
        return [0] if name in net.table else []
    found = (pattern(name).fullmatch(tensor) for tensor in net.table)
    return sorted(int(match[1]) for match in found if match)


def fact(net: Net, node: Node, what: str) -> Any:
    """A fact of one node. Raises GrowlangError where it has no such fact."""
    if what in DERIVED:
        return DERIVED[what](node)
    op = op_in(node)
    numbers = op.numbers(net.shapes[node.inputs[0]], node.scope)
    if what in numbers:
        return numbers[what]
    if what not in type(op).model_fields:
        known = ", ".join(dict.fromkeys([COUNT, *DERIVED, *numbers, *type(op).model_fields]))
        raise GrowlangError(
            f"`{node.path}` has no `{what}`, of which the table speaks; it has {known}"
        )
    value = getattr(op, what)
    return value.call if isinstance(value, Signature) else value


def _activation(node: Node) -> str:
    op = op_in(node)
    return activation(op.mlp).call if isinstance(op, Transformer) else ""


def _head_width(node: Node) -> int | None:
    op = op_in(node)
    if isinstance(op, SpatialAttention):
        return op.head_width
    return head_width(op) if isinstance(op, Attending) else None


def _qkv_bias(node: Node) -> bool | None:
    op = op_in(node)
    return has_bias(op, "qkv") if isinstance(op, Attending) else None


DERIVED: Mapping[str, Callable[[Node], Any]] = {
    "eps": lambda node: node.scope.eps,
    "vocabulary": lambda node: node.scope.vocabulary,
    "positions": lambda node: node.output.positions,
    "activation": _activation,
    "image_channels": lambda node: node.scope.channels,
    "side": lambda node: node.output.dims[1] * node.args["factor"],
    "head_width": _head_width,
    "kv_heads": lambda node: key_heads(op) if isinstance(op := op_in(node), Attending) else None,
    "theta": lambda node: node.scope.rope.theta if node.scope.rope else None,
    "axes": lambda node: len(node.scope.rope.sides) if node.scope.rope else 0,
    "classes": lambda node: node.output.width,
    "qkv_bias": _qkv_bias,
    "period": lambda node: getattr(op_in(node), "period", None),
}
"""Facts that are no arguments of an op, or that a net may have otherwise than its arguments say."""
