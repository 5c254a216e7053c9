"""The matrices among a net's tensors: those of linear maps and convolutions inside of it."""

from __future__ import annotations

from collections.abc import Mapping

from growlang.net import Net
from growlang.net.axes import Role, length
from growlang.ops import axes_in


def matrices(net: Net) -> Mapping[str, tuple[int, ...]]:
    """The rows of each part of a matrix by its tensor's name: a fused q, k, v has three parts.

    Left out are tables, depthwise filters, and the ops that read the net's inputs or give its
    result: their sides are pixels, noise levels or ids, and not what a map before them computes.
    Ops that do not declare their axes have none. Raises GrowlangError if there is no such op.
    """
    inputs = {given.name for given in net.inputs if given.role != "mask"}
    found = {}
    for node in net.nodes:
        if node.path == net.output or inputs & set(node.inputs):
            continue
        axes = axes_in(net, node)
        for layer in axes.maps if axes else ():
            rows, *columns = layer.weight.axes
            roles = {segment.role for axis in layer.weight.axes for segment in axis}
            if columns and Role.DEPTHWISE not in roles:
                parts = tuple(length((segment,)) for segment in rows)
                found[f"{node.path}.{layer.weight.name}"] = parts
    return found
