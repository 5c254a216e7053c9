"""Values of a net's tensors: drawn by name, or taken over from a parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

import torch
from torch import nn

from growlang.diagnostics import GrowlangError
from growlang.growth.mapping import Entry
from growlang.net import Net, Tensor
from growlang.torch_backend.convolution import Device
from growlang.torch_backend.modules import INITIALISERS


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
    _require_same_names(parameters, net.table, "module", f"net {net.name}")
    with torch.no_grad():
        for name, tensor in net.table.items():
            parameters[name].copy_(draw(tensor, seed))
    return module


def transplant(
    entries: Sequence[Entry], parent: Mapping[str, torch.Tensor], child: dict[str, torch.Tensor]
) -> None:
    """Write the parent's values into the child's tensors where the mapping says so.

    Those of tensors that are copied or moved, or new and begin `like` one of the parent's, bit for
    bit and in place; every other tensor of the child is left as it was initialised. Raises
    GrowlangError if the mapping misses a tensor of the child, or if a tensor is missing or has
    another shape or type; the child is then untouched.
    """
    mapped = {e.name for e in entries if e.category != "dropped"}
    _require_same_names(dict.fromkeys(mapped), child, "mapping", "child")
    pairs = []
    for entry in entries:
        if entry.category in ("copied", "moved") or entry.like:
            pairs.append(_pair(entry, parent, child))
        elif entry.category == "expanded":
            raise GrowlangError(
                f"{entry.name} is to be expanded by {entry.rule}, which is not supported yet: "
                "tensors are copied unchanged"
            )
    with torch.no_grad():
        for source, target in pairs:
            target.copy_(source)


def _pair(
    entry: Entry, parent: Mapping[str, torch.Tensor], child: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    name = entry.like or entry.source or entry.name
    if name not in parent:
        raise GrowlangError(
            f"{entry.name} is {entry.category} from {name}, which the parent's weights do not hold",
            help="start from weights that were trained with the parent's spec as it is now",
        )
    source, target = parent[name], child[entry.name]
    if source.shape != target.shape:
        raise GrowlangError(
            f"{entry.name} is {entry.category} from {name}, whose shape is "
            f"{_shape(source)} in the parent's weights and {_shape(target)} in the child",
            help="start from weights that were trained with the parent's spec as it is now",
        )
    if source.dtype != target.dtype:
        raise GrowlangError(
            f"{entry.name} is {entry.category} from {name}, but the parent's weights are "
            f"{source.dtype} and the child's {target.dtype}: the copy would not be exact",
            help=f"convert the parent's weights to {target.dtype} first",
        )
    return source, target


def _shape(tensor: torch.Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "scalar"


def _require_same_names(
    first: Mapping[str, object], second: Mapping[str, object], one: str, other: str
) -> None:
    for have, want, where, source in ((first, second, one, other), (second, first, other, one)):
        missing = sorted(want.keys() - have.keys())
        if missing:
            shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise GrowlangError(
                f"the {where} is missing {len(missing)} tensors of the {source}: {shown}"
            )
