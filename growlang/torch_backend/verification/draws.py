"""Random weights and inputs of nets, the same for the same seed on any device."""

from __future__ import annotations

from hashlib import sha256
from math import prod

import torch
from torch import Tensor

from growlang.net import Input, Net, Node, Shape
from growlang.net import Tensor as Declared
from growlang.net.generations import MEASURED

BATCH = 2
LEVELS = 4.0
"""Standard deviation of the log-SNR in nats: from nearly clean to nearly pure noise."""


def generator(*key: object) -> torch.Generator:
    """A generator on the CPU for what is drawn under a key."""
    digest = sha256(":".join(map(str, key)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))


def weights(net: Net, seed: int) -> dict[str, Tensor]:
    """Random values of every tensor, gates and biases included, of about a trained net's sizes."""
    return {name: _weight(tensor, seed) for name, tensor in net.table.items()}


def _weight(tensor: Declared, seed: int) -> Tensor:
    value = torch.randn(tensor.shape, generator=generator("weight", seed, tensor.name))
    if tensor.init == "ones":
        return 1 + 0.3 * value
    if tensor.init == MEASURED:
        return 0.1 + value.abs()
    if tensor.init == "embedding":
        return value
    if tensor.init in ("position", "tokens"):
        return 0.5 * value
    return value * (0.3 if len(tensor.shape) == 1 else prod(tensor.shape[1:]) ** -0.5)


def reader(net: Net, name: str) -> Node | None:
    """The node that reads an input of a net, or another value, first."""
    return next((node for node in net.nodes if node.inputs[:1] == (name,)), None)


def rows(net: Net, name: str) -> int:
    """How many ids an input of ids or labels may have: the rows of the table that it picks from."""
    node = reader(net, name)
    return node.tensors[0].shape[0] if node and node.tensors else 2


def value(net: Net, given: Input, *key: object) -> Tensor:
    """A batch (B, ...) of an input: float64, int64 or bool, as its role has it."""
    return drawn(given.role, given.shape, rows(net, given.name), *key)


def drawn(role: str, shape: Shape, ids: int, *key: object) -> Tensor:
    """A batch of what has a role; of a mask, half, and the first of each."""
    sides, found = (BATCH, *shape.dims), generator(role, *key)
    match role:
        case "log_snr" | "level":
            return LEVELS * torch.randn(sides, generator=found, dtype=torch.float64)
        case "mask":
            mask = torch.rand(sides, generator=found) < 0.5
            mask[:, 0] = True
            return mask
        case "ids" | "label" | "tokens":
            return torch.randint(0, ids, sides, generator=found)
        case _:
            return torch.randn(sides, generator=found, dtype=torch.float64)


def batch(net: Net, *key: object) -> list[Tensor]:
    """A batch of all inputs of a net, in their order."""
    return [value(net, given, given.name, *key) for given in net.inputs]


def placed(values: list[Tensor], like: Tensor) -> list[Tensor]:
    """Values where another is; those with fractions also in its type."""
    return [v.to(like) if v.is_floating_point() else v.to(like.device) for v in values]
