"""The first values of a net's tensors, drawn by name."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import torch
from torch import nn

from growlang.diagnostics import GrowlangError
from growlang.net import Net, Tensor
from growlang.torch_backend.layers import Device
from growlang.torch_backend.modules import INITIALISERS
from growlang.torch_backend.shards import put


def draw(tensor: Tensor, seed: int) -> torch.Tensor:
    """The first value of a tensor, fp32 on CPU: a function of the seed, its name and its shape."""
    key = sha256(f"{seed}:{tensor.name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(key[:8], "little", signed=True))
    value = torch.empty(tensor.shape)
    INITIALISERS[tensor.init](value, generator)
    return value


def initialise(module: nn.Module, net: Net, seed: int, device: Device = "cpu") -> nn.Module:
    """Move the lowered net to `device` and draw all its tensors; returns the same module.

    Raises GrowlangError if the module's parameters are not the net's.
    """
    if any(p.is_meta for p in module.parameters()):
        module.to_empty(device=device)
    else:
        module.to(device)
    parameters = dict(module.named_parameters())
    require_same_names(parameters, net.table, "module", f"net {net.name}")
    for name, tensor in net.table.items():
        put(parameters[name], draw(tensor, seed))
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
