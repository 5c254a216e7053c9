"""What a kept, retained or moved node keeps of the parent's node beside its tensors. Stdlib only.

A net that has grown keeps numbers that its widths would not give it: the groups of a norm, its eps,
frequencies. They are part of what a node computes, so they go with its tensors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from growlang.growth.moves import MovedTensor
from growlang.net import ComponentName, Net, Node, Shape
from growlang.ops import rebuilt


def with_kept_numbers(child: Net, parent: Net, kept: Collection[ComponentName]) -> Net:
    """The child whose kept and retained nodes have the numbers that the parent's have."""
    known = {node.path for node in parent.nodes}
    sources: dict[str, str] = {}
    for node in child.nodes:
        path = node.path
        if node.component.is_retained and path not in known:
            path = path.removeprefix(f"{node.component}.")
        if node.component in kept or node.component.is_retained:
            sources[node.path] = path
    return _carried(child, parent, sources)


def with_moved_numbers(child: Net, parent: Net, moves: Mapping[str, MovedTensor]) -> Net:
    """The child whose nodes have the numbers of those that their tensors come from."""
    owners = {tensor.name: node.path for node in parent.nodes for tensor in node.tensors}
    sources = {
        node.path: owners[moves[tensor.name].source]
        for node in child.nodes
        for tensor in node.tensors
        if tensor.name in moves
    }
    return _carried(child, parent, sources)


def _carried(child: Net, parent: Net, sources: Mapping[str, str]) -> Net:
    changed = {node.path: node for node in _changed(child, parent, sources)}
    if not changed:
        return child
    return replace(child, nodes=tuple(changed.get(node.path, node) for node in child.nodes))


def _changed(child: Net, parent: Net, sources: Mapping[str, str]) -> Iterator[Node]:
    """The nodes whose numbers are others than those of their sources; what differs is left."""
    olds = {node.path: node for node in parent.nodes}
    for node in child.nodes:
        old = olds.get(sources.get(node.path, ""))
        if old is None or (old.op, old.args.get("width")) != (node.op, node.args.get("width")):
            continue
        x, before = child.shapes.get(node.inputs[0]), parent.shapes.get(old.inputs[0])
        if x is None or before is None:
            continue  # what it reads was refused
        if _width(x) == _width(before) and _own(node) != _own(old):
            yield rebuilt(node, x, old.scope.numbers, old.scope.eps)


def _own(node: Node) -> tuple[Mapping[str, int], float]:
    return node.scope.numbers, node.scope.eps


def _width(shape: Shape) -> int:
    """Its channels; ids and noise levels have none."""
    return shape.width if shape.dims else 0
