"""Tensors whose rows are spread over processes (`torch.distributed.tensor.DTensor`).

A plain tensor is whole and stands for itself everywhere here, so that one process needs no code of
its own. Rows are spread as FSDP2 does it: all processes have the same number, the last ones fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor


def is_sharded(tensor: Tensor) -> bool:
    """Whether this process holds only some rows of a tensor."""
    return hasattr(tensor, "to_local")


@torch.no_grad()
def local(tensor: Tensor) -> Tensor:
    """The rows that this process holds, (rows, ...): what is written there is written in place."""
    return cast(Tensor, cast(Any, tensor).to_local()) if is_sharded(tensor) else tensor


def rows(tensor: Tensor) -> slice:
    """Which rows of a tensor this process holds."""
    if not is_sharded(tensor):
        return slice(None)
    mesh, count = cast(Any, tensor).device_mesh, tensor.shape[0]
    each = -(-count // mesh.size())
    first = min(count, mesh.get_local_rank() * each)
    return slice(first, min(count, first + each))


@torch.no_grad()
def whole(tensor: Tensor) -> Tensor:
    """The whole of a tensor: all processes have to ask for it, and each of them gets it."""
    if not is_sharded(tensor):
        return tensor
    return cast(Tensor, cast(Any, tensor).full_tensor())


def gathered(tensors: Mapping[str, Tensor], kept: bool) -> dict[str, Tensor]:
    """The whole tensors by name, for which all processes ask; only where they are `kept`.

    Of sharded ones each is brought to the CPU before the next is gathered.
    """
    found = {}
    for name, tensor in tensors.items():
        value = whole(tensor).cpu() if is_sharded(tensor) else tensor
        if kept:
            found[name] = value
    return found


@torch.no_grad()
def put(target: Tensor, value: Tensor) -> None:
    """Write a whole value into a tensor: of a sharded one, the rows that this process holds."""
    local(target).copy_(value[rows(target)] if is_sharded(target) else value)


@torch.no_grad()
def swap(first: Tensor, second: Tensor) -> None:
    """Exchange the values of two tensors that are spread alike."""
    here, there = local(first), local(second)
    kept = here.clone()
    here.copy_(there)
    there.copy_(kept)
