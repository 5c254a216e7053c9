"""The catalogue of ops: what can be called in a pipe, a slot or a condition. Free of torch."""

from __future__ import annotations

from growlang.diagnostics import GrowlangError
from growlang.net import Net, Node, Scope
from growlang.net.axes import Axes
from growlang.ops import installed
from growlang.ops.attention import Attention, Transformer
from growlang.ops.base import Op, OpError
from growlang.ops.conditions import CLIP, T5, Classes, Condition, Encoder, Fourier, Words
from growlang.ops.convolution import Conv, Residual, ZeroConv
from growlang.ops.ends import (
    Add,
    Concat,
    Grid,
    Identity,
    Linear,
    Norm,
    Patch,
    Position,
    Subtract,
    Tokens,
    Unpatch,
)
from growlang.ops.resolution import DWT, IDWT, Down, Up
from growlang.ops.tokens import Embed, Unembed


def _by_call(*ops: type[Op]) -> dict[str, type[Op]]:
    return {op.call: op for op in ops}


OPS = _by_call(
    Patch,
    Unpatch,
    Embed,
    Unembed,
    Conv,
    Residual,
    Attention,
    Transformer,
    Norm,
    Linear,
    ZeroConv,
    Identity,
)
"""Callable in a pipe."""

DOWN, UP = _by_call(Down, DWT), _by_call(Up, IDWT)
"""What the options `down` and `up` of a stage may be."""

CHANGES = DOWN | UP
"""Changes of resolution."""

CONDITIONS: dict[str, type[Condition]] = {c.call: c for c in (Words, Classes, T5, CLIP, Encoder)}
"""Callable where the model binds a condition."""

TIME = _by_call(Fourier)
"""Callable where the model binds `time`."""

INTERNAL = _by_call(Tokens, Grid, Concat, Subtract, Add, Position)
"""Placed by the compiler; the language cannot call them."""

_ALL: dict[str, type[Op]] = OPS | CHANGES | CONDITIONS | TIME | INTERNAL


def op_of(name: str) -> type[Op]:
    """The op that a node's `op` names, built in or installed.

    Raises GrowlangError if there is none, such as for a checkpoint made with another package.
    """
    op = _ALL.get(name) or installed.find(name)
    if op is None:
        raise GrowlangError(f"unknown op `{name}`", help="install the package that it comes from")
    return op


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


def pipe_op(name: str) -> type[Op] | None:
    """The op that a pipe may call by this name, built in or installed."""
    if name in OPS:
        return OPS[name]
    return None if name in _ALL or "." in name else installed.find(name)


def pipe_ops() -> list[str]:
    """The names that a pipe may call, of built-in and installed ops."""
    return [*OPS, *(n for n in installed.names() if n not in _ALL)]


__all__ = [
    "CHANGES",
    "CONDITIONS",
    "DOWN",
    "INTERNAL",
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
    "pipe_op",
    "pipe_ops",
]
