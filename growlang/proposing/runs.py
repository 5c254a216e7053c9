"""Runs of equal blocks: what of one net is compared with what of another. Stdlib only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeGuard

from growlang.net import ComponentName, Net, Node
from growlang.ops import op_in

CONDITION = "condition"
NO_NAMES: Mapping[str, str] = {}


class Part(NamedTuple):
    """A tensor of a node: its name below the node's path, with conditions as they are compared."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Run:
    """Nodes of one side of a component that are declared alike, one behind the other."""

    nodes: tuple[Node, ...]
    side: str
    """`encode` or `decode` in a stage; empty elsewhere."""
    kind: str
    """Of the component: `stem`, `stage`, `core`, `head`, `time` or CONDITION."""
    level: float
    """Where in the net its resolution is: 0 at the finest, 1 at the coarsest."""
    positions: int
    """Of what it puts out."""
    position: float
    """Where in the order of the graph it begins, from 0 to 1."""
    before: str = ""
    """The op of the run before it; empty at an end."""
    after: str = ""
    is_first: bool = True
    """Whether it is the first of its component, or of its side of a stage."""
    is_last: bool = True
    called: Mapping[str, str] = field(default_factory=dict)
    """What the conditions of its net are called in comparisons."""

    @property
    def op(self) -> str:
        """What its nodes compute."""
        return self.nodes[0].op

    @property
    def component(self) -> ComponentName:
        """The component that its nodes are of."""
        return self.nodes[0].component

    @property
    def place(self) -> str:
        """The path of its first node."""
        return self.nodes[0].path

    @property
    def is_positions(self) -> bool:
        """Whether it is what a core adds for positions, whose path is that of the core."""
        return op_in(self.nodes[0]).resized == "positions"

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The tensors of one of its nodes."""
        return parts_of(self.nodes[0], self.called)

    @property
    def told_by_place(self) -> tuple[object, ...]:
        """What is equal for runs that their place in a component alone tells apart."""
        told = frozenset(self.parts), tuple(sorted(self.arguments.items())), len(self.nodes)
        return self.component, self.side, self.op, *told

    @property
    def parameters(self) -> int:
        """Number of scalars of all its nodes."""
        return sum(node.parameters for node in self.nodes)

    @cached_property
    def function(self) -> Mapping[str, str]:
        """The arguments of its op without their numbers: what is computed, whatever the widths."""
        return {name: _text(_unsized(value)) for name, value in self._said.items()}

    @cached_property
    def arguments(self) -> Mapping[str, str]:
        """The arguments of its op that change what it computes, whatever conditions are called."""
        return {name: _text(value) for name, value in self._said.items()}

    @cached_property
    def _said(self) -> dict[str, object]:
        op = op_in(self.nodes[0])
        left = {*op.training_arguments, op.conditions_argument, op.names_argument}
        heard = {name: self.called.get(name, name) for name in attended(self.nodes[0])}
        return {
            name: [heard.get(step, step) for step in value] if _is_names(value) else value
            for name, value in self.nodes[0].args.items()
            if name not in left
        }


def _is_names(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _text(value: object) -> str:
    return json.dumps(value, default=str)


def _unsized(value: object) -> object:
    """A value without its numbers."""
    if isinstance(value, Mapping):
        return {name: _unsized(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_unsized(inner) for inner in value]
    return None if isinstance(value, int | float) and not isinstance(value, bool) else value


def parts_of(node: Node, called: Mapping[str, str]) -> tuple[Part, ...]:
    """The tensors of a node by what their names say below its path, conditions as they are called.

    Of what attends to `caption`, which is called `text`, `attend.caption.kv` is `attend.text.kv`.
    """
    heard = {name: called.get(name, name) for name in attended(node)}
    skip = len(node.path) + 1
    found = []
    for tensor in node.tensors:
        below = [heard.get(step, step) for step in tensor.name[skip:].split(".")]
        found.append(Part(".".join(below), tensor.shape))
    return tuple(found)


def attended(node: Node) -> list[str]:
    """The conditions that a node reads, in its order."""
    read = dict.fromkeys(path.split(".")[0] for path in node.inputs[1:])
    return [name for name in read if name in node.scope.conditions]


def run_of(node: Node, called: Mapping[str, str] = NO_NAMES) -> Run:
    """A node by itself, wherever it stands."""
    return Run((node,), _side(node), "", 0.0, 1, 0.0, called=called)


def runs_of(net: Net, called: Mapping[str, str] = NO_NAMES) -> list[Run]:
    """The runs of a net that have tensors, in the order of its graph.

    `called` is what its conditions are called in comparisons.
    """
    groups: list[list[Node]] = []
    key: tuple[object, ...] = ()
    for node in net.nodes:
        if not node.tensors:
            continue
        own = (node.component, _side(node), node.path.rstrip("0123456789"), node.op, _like(node))
        if not groups or own != key:
            groups.append([])
        groups[-1].append(node)
        key = own
    order = {node.path: n for n, node in enumerate(net.nodes)}
    levels = _levels(net)
    return [
        Run(
            tuple(nodes),
            _side(nodes[0]),
            _kind(net, nodes[0]),
            levels[nodes[0].output.positions or 1],
            nodes[0].output.positions or 1,
            order[nodes[0].path] / max(1, len(order) - 1),
            _beside(groups, n - 1, nodes[0]),
            _beside(groups, n + 1, nodes[0]),
            n == 0 or _part(groups[n - 1]) != _part(nodes),
            n == len(groups) - 1 or _part(groups[n + 1]) != _part(nodes),
            called,
        )
        for n, nodes in enumerate(groups)
    ]


def _like(node: Node) -> tuple[object, ...]:
    return json.dumps(node.args, sort_keys=True, default=str), parts_of(node, NO_NAMES)


def _side(node: Node) -> str:
    parts = node.path.removeprefix(node.component).strip(".").split(".")
    return parts[0] if node.component.is_stage and parts[0] in ("encode", "decode") else ""


def _kind(net: Net, node: Node) -> str:
    name = node.component
    if name in net.encoders:
        return CONDITION
    return "stage" if name.is_stage else "retained" if name.is_retained else str(name)


def _levels(net: Net) -> dict[int, float]:
    """How coarse each number of positions is among those of the net."""
    known = sorted({node.output.positions or 1 for node in net.nodes}, reverse=True)
    return {size: n / max(1, len(known) - 1) for n, size in enumerate(known)}


def _part(nodes: list[Node]) -> tuple[str, str]:
    return nodes[0].component, _side(nodes[0])


def _beside(groups: list[list[Node]], at: int, node: Node) -> str:
    if not 0 <= at < len(groups):
        return ""
    return groups[at][0].op


def blocks(old: Run, new: Run) -> Iterator[tuple[Node, Node]]:
    """The nodes of two runs in pairs: from the start; or from the end, where the ends correspond.

    These are the decode sides of stages, and runs at the end of a component that begins otherwise.
    """
    ends = old.is_last and new.is_last and not (old.is_first and new.is_first)
    if new.side == "decode" or ends:
        yield from zip(reversed(old.nodes), reversed(new.nodes), strict=False)
    else:
        yield from zip(old.nodes, new.nodes, strict=False)
