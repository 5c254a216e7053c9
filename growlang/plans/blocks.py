"""What each node of a net holds while it is trained on a GPU, in bytes."""

from __future__ import annotations

from collections.abc import Collection
from math import prod
from typing import Literal, NamedTuple

from growlang.net import Net, Node, Tensor
from growlang.ops import op_in
from growlang.ops.kept import FP32, Widths
from growlang.plans.cost import STATE_BYTES

BF16 = 2
"""Bytes of a number in bf16."""


class Block(NamedTuple):
    """What one node holds; activations are those of all images of a pass."""

    kept: int = 0
    """Activations that the backward pass keeps."""
    entry: int = 0
    """Those of them that stay where a module keeps its input alone, and computes the rest again."""
    flowing: int = 0
    """The gradients of its input and of its result."""
    copies: int = 0
    """Copies of its weights in bf16, which are kept as its activations are."""
    cached: int = 0
    """Those of them that autocast keeps to the end of the forward pass by itself."""
    whole: int = 0
    """Weights where they are spread over devices, and gathered."""
    gradient: int = 0
    """Gradients, before they are spread."""
    shard: int = 0
    """The part of the gradients of the device that has the most."""


class _Value(NamedTuple):
    """A value of the net: bytes of a number, and whether a gradient flows back to it."""

    width: int = FP32
    needed: bool = False


def shard(tensor: Tensor, devices: int) -> int:
    """Scalars of a tensor on the device that has the most: FSDP2 spreads its rows."""
    rows, *rest = tensor.shape
    return -(-rows // devices) * prod(rest)


def blocks_of(
    net: Net,
    learns: Collection[str],
    images: int,
    precision: Literal["fp32", "bf16"],
    devices: int,
) -> list[Block]:
    """The blocks of a net, in the order in which they are computed.

    `learns` are the tensors that are trained; `images` are in one pass of a device.
    """
    maps = BF16 if precision == "bf16" else FP32
    values, found = {i.name: _Value() for i in net.inputs}, []
    for node in net.nodes:
        given = [values[name] for name in node.inputs]
        block, values[node.path] = _block(net, node, given, learns, maps, devices)
        found.append(
            block._replace(
                kept=images * block.kept,
                entry=images * block.entry,
                flowing=images * block.flowing,
            )
        )
    return found


def _block(
    net: Net, node: Node, given: list[_Value], learns: Collection[str], maps: int, devices: int
) -> tuple[Block, _Value]:
    """What a node holds for one image, and its result."""
    op, x = op_in(node), net.shapes[node.inputs[0]]
    trained = [t for t in node.tensors if t.name in learns]
    width = max(v.width for v in given) if op.is_join else given[0].width
    kept = op.kept(x, node.scope, Widths(width, maps))
    needed = bool(trained) or any(v.needed for v in given)
    result = _Value(kept.result, needed)
    whole = STATE_BYTES * sum(t.parameters for t in node.tensors) if devices > 1 else 0
    if not needed:
        return Block(whole=whole), result
    learning = kept.learning if trained or any(v.needed for v in given[1:]) else 0
    size = kept.always + learning
    matrices = BF16 * sum(t.parameters for t in node.tensors if t.decay) if maps == BF16 else 0
    entry = width * x.size if node.tensors else size
    block = Block(
        size,
        entry,
        entry + kept.result * node.output.size,
        matrices,
        BF16 * sum(t.parameters for t in trained) if maps == BF16 else 0,
        whole,
        STATE_BYTES * sum(t.parameters for t in trained),
        STATE_BYTES * sum(shard(t, devices) for t in trained),
    )
    return block, result
