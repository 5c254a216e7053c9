"""The first values of a net's tensors, drawn by name."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from math import prod

import torch
from torch import nn

from growlang.diagnostics import GrowlangError
from growlang.initial_values import LINEAR, NORMAL, InitialValues
from growlang.net import Net, Tensor
from growlang.plans.plan import DRAWS
from growlang.torch_backend.layers import Device
from growlang.torch_backend.shards import put


def draw(tensor: Tensor, seed: int, draws: int = DRAWS) -> torch.Tensor:
    """The first value of a tensor, fp32 on CPU: a function of the seed, its name and its shape.

    `draws` is the number of the plan (`growlang.plans.plan.DRAWS`).
    """
    if draws < 3 and tensor.init in {LINEAR, *NORMAL}:
        return _drawn_by_torch(tensor, seed)
    values = InitialValues(tensor.init, tensor.name, tensor.shape, seed)
    found = values.rows(0, tensor.shape[0] if tensor.shape else 1)
    return torch.from_numpy(found).view(tensor.shape)


def _drawn_by_torch(tensor: Tensor, seed: int) -> torch.Tensor:
    """As it was until the draws' number 2: from one MT19937 stream of PyTorch's for each tensor."""
    key = sha256(f"{seed}:{tensor.name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(key[:8], "little", signed=True))
    value = torch.empty(tensor.shape)
    if tensor.init == LINEAR:
        bound = prod(tensor.shape[1:]) ** -0.5
        return value.uniform_(-bound, bound, generator=generator)
    return value.normal_(std=NORMAL[tensor.init], generator=generator)


def initialise(
    module: nn.Module, net: Net, seed: int, device: Device = "cpu", draws: int = DRAWS
) -> nn.Module:
    """Move the lowered net to `device` and draw all its tensors; returns the same module.

    `draws` is the number of the plan. Raises GrowlangError if the module's parameters are not
    the net's.
    """
    if any(p.is_meta for p in module.parameters()):
        module.to_empty(device=device)
    else:
        module.to(device)
    parameters = dict(module.named_parameters())
    require_same_names(parameters, net.table, "module", f"net {net.name}")
    for name, tensor in net.table.items():
        put(parameters[name], draw(tensor, seed, draws))
    return module


def require_same_names(
    first: Mapping[str, object], second: Mapping[str, object], one: str, other: str
) -> None:
    """Raise GrowlangError, with names, where one of two tables has tensors that the other lacks."""
    for have, want, where, source in ((first, second, one, other), (second, first, other, one)):
        missing = sorted(want.keys() - have.keys())
        if missing:
            shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise GrowlangError(
                f"the {where} is missing {len(missing)} tensors of the {source}: {shown}"
            )
