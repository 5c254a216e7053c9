"""A component of a net, computed by itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from growlang.net import ComponentName, Net, Node, Shape
from growlang.net.generations import REDUCE, REFINE
from growlang.ops import LAYOUT
from growlang.torch_backend.lower import LoweredNet
from growlang.torch_backend.verification import draws


def results(
    net: Net, lowered: LoweredNet, component: ComponentName, given: list[Tensor]
) -> list[Tensor]:
    """What each node of a component computes, (B, positions, channels) of a grid.

    `given` are what it reads of others, in the order in which it reads them (`read`).
    """
    names = list(read(net, component))
    values = dict(zip(names, draws.placed(given, next(lowered.parameters())), strict=True))
    shaped = {name: _laid(value, net.shapes[name]) for name, value in values.items()}
    run = _Alone(lowered, net, component, shaped)
    with torch.no_grad():
        run.run(*[shaped.get(i.name, torch.empty(0)) for i in net.inputs])
    return [_flat(run.found[node.path], node.output) for node in computing(net, component)]


def computing(net: Net, component: ComponentName) -> tuple[Node, ...]:
    """The nodes of a component that compute something."""
    return tuple(node for node in net.of(component) if node.op not in LAYOUT)


def is_alone(net: Net, component: ComponentName) -> bool:
    """Whether a component computes something by itself: what joins generations is none."""
    nodes = computing(net, component)
    return bool(nodes) and not any(node.op in (REDUCE, REFINE) for node in nodes)


def read(net: Net, component: ComponentName) -> dict[str, Shape]:
    """What a component reads of other components and of the net's inputs."""
    own = {node.path for node in net.of(component)}
    names = [name for node in net.of(component) for name in node.inputs if name not in own]
    return {name: net.shapes[name] for name in names}


def outside(net: Net, component: ComponentName, *key: object) -> list[Tensor]:
    """Random values of what a component reads of others; grids are (B, positions, channels)."""
    roles = {i.name: i.role for i in net.inputs}
    found = []
    for number, (name, shape) in enumerate(read(net, component).items()):
        value = draws.drawn(roles.get(name, ""), shape, draws.rows(net, name), number, *key)
        found.append(_flat(value, shape))
    return found


def _flat(value: Tensor, shape: Shape) -> Tensor:
    return value.flatten(2).transpose(1, 2) if shape.kind == "grid" else value


def _laid(value: Tensor, shape: Shape) -> Tensor:
    """A flat grid with the rows of a shape: another image has another size, but a kept width."""
    if shape.kind != "grid":
        return value
    channels, height, width = shape.dims
    sides = _sides(value.shape[1], height, width)
    return value.transpose(1, 2).reshape(len(value), channels, *sides)


def _sides(positions: int, height: int, width: int) -> tuple[int, int]:
    """The rows and columns of so many positions, of a square where they are not those of a net."""
    side = round(positions**0.5)
    return (height, width) if height * width == positions else (side, positions // side)


class _Alone(fx.Interpreter):
    """Computes the nodes of one component, with given values of all others that it reads."""

    def __init__(
        self, lowered: fx.GraphModule, net: Net, component: ComponentName, given: dict[str, Tensor]
    ) -> None:
        super().__init__(lowered)
        self.own = {node.path for node in net.of(component)}
        self.found = dict(given)

    def call_method(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Tokens become a grid of as many positions as they are."""
        if target == "unflatten":
            value, dim, sides = args
            args = value, dim, _sides(value.shape[dim], *sides)
        return super().call_method(target, args, kwargs)

    def run_node(self, n: fx.Node) -> Any:
        path = n.meta.get("path", "")
        if path in self.own:
            self.found[path] = super().run_node(n)
            return self.found[path]
        return super().run_node(n) if n.op == "placeholder" else self.found.get(path)
