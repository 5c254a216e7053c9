"""The generations of a net with retained ends: which nodes join them, and the path that stays."""

from __future__ import annotations

from typing import NamedTuple

from growlang.net.net import Net, Node

REDUCE, REFINE, FADE = "reduce", "refine", "fade"
"""The ops that lead to a smaller generation, back from its prediction, and away from it."""
MEASURED = "measured"
"""How a tensor begins that is measured on data and never trained."""


class Held(NamedTuple):
    """The tensors that phases do not train of themselves."""

    old: frozenset[str] = frozenset()
    """Those with which former generations compute; a phase may release them."""
    measured: frozenset[str] = frozenset()
    """Those that are measured on data."""


def refinements(net: Net) -> tuple[Node, ...]:
    """The nodes that join a generation to those before it, from the smallest images on."""
    return tuple(node for node in net.nodes if node.op == REFINE)


def held_by(net: Net) -> Held:
    """What phases freeze of themselves: nothing where no ends are retained."""
    joined = refinements(net)
    if not joined:
        return Held()
    nodes = {node.path: node for node in net.nodes}
    todo, old = [joined[-1].inputs[0]], set[str]()
    while todo:
        name = todo.pop()
        if name in nodes and name not in old:
            old.add(name)
            todo += nodes[name].inputs
    tensors = [(node.path, t) for node in net.nodes for t in node.tensors]
    measured = frozenset(t.name for _, t in tensors if t.init == MEASURED)
    return Held(frozenset(t.name for path, t in tensors if path in old) - measured, measured)
