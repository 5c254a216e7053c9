"""The transforms of a mapping, applied to weights, their averages and an optimizer's moments."""

from __future__ import annotations

from collections import abc
from typing import get_args

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.literals import dimensions
from growlang.growth.mapping import Entry, Mapping, Quantity
from growlang.growth.transforms import (
    Compute,
    Copy,
    Expand,
    Initialise,
    Like,
    Move,
    Retain,
    Stages,
    Transform,
    state_of,
    values_of,
)
from growlang.net import Tensor as Declared
from growlang.torch_backend.expansions import compute, expand
from growlang.torch_backend.initialisation import draw, require_same_names
from growlang.torch_backend.shards import is_sharded, put, whole


def apply(
    mapping: Mapping,
    parent: abc.Mapping[str, Tensor],
    child: abc.Mapping[str, Tensor],
    quantity: Quantity = "weight",
) -> None:
    """Write the parent's values into the child's tensors where the mapping says so.

    In place, and bit for bit where nothing is multiplied. What the mapping makes new is left as it
    is: new tensors, drawn entries of expanded ones and, of averages and moments, tensors that are
    only initialised like one of the parent's. Other new entries of expanded ones become zero, or
    what their constants say. Raises GrowlangError if the mapping misses a tensor
    of the child, or if a tensor is missing or has another shape or type; the child is then
    untouched.
    """
    entries = mapping.of_child
    require_same_names(entries.by_name, child, "mapping", "child")
    source_of = values_of if quantity == "weight" else state_of
    pairs: list[tuple[Entry, Tensor | None, Tensor]] = []
    for entry in entries:
        name = source_of(entry.transform, entry.name)
        if name is not None:
            pairs.append((entry, *_pair(entry, name, parent, child)))
        elif isinstance(entry.transform, Compute) and quantity == "weight":
            pairs.append((entry, None, child[entry.name]))
    with torch.no_grad():
        for entry, source, target in pairs:
            _write(entry, source, target, quantity)


def applied(
    mapping: Mapping,
    parent: abc.Mapping[str, Tensor],
    child: abc.Mapping[str, Tensor] | None,
    quantity: Quantity,
    seed: int,
) -> dict[str, Tensor]:
    """As `growlang.applying.Mapping.apply`."""
    if quantity not in get_args(Quantity):
        known = ", ".join(f'"{value}"' for value in get_args(Quantity))
        raise GrowlangError(f"no quantity is {quantity!r}", help=f"it may be {known}")
    _require_weights(parent, "parent")
    if child is not None:
        _require_weights(child, "child")
        start = {name: tensor.detach().clone() for name, tensor in child.items()}
    else:
        start = {e.name: _begun(e, parent, quantity, seed) for e in mapping.of_child}
    apply(mapping, parent, start, quantity)
    return start


def _require_weights(given: object, whose: str) -> None:
    """Raise unless a state dict is given: TypeError, or GrowlangError where it is of integers."""
    if not isinstance(given, abc.Mapping):
        what = type(given).__name__
        raise TypeError(f"expected a state dict, got {what}; give module.state_dict()")
    for name, tensor in given.items():
        if not tensor.is_floating_point():
            raise GrowlangError(
                f"{name} is {tensor.dtype} in the {whose}'s weights, which are floating-point",
                help="convert it first: `tensor.float()`",
            )


def _begun(entry: Entry, parent: abc.Mapping[str, Tensor], quantity: Quantity, seed: int) -> Tensor:
    """A tensor of the child before it takes anything over, where no child is given."""
    source = values_of(entry.transform, entry.name) or ""
    like = parent.get(source, next(iter(parent.values()), torch.empty(0)))
    nothing = torch.zeros(entry.shape, dtype=like.dtype, device=like.device)
    match quantity, entry.transform:
        case "first moment" | "second moment", _:
            return nothing
        case "weight", Copy() | Move() | Retain() | Like():
            return nothing
        case "weight", Initialise(init):
            return draw(Declared(entry.name, entry.shape, init), seed).to(like)
        case "weight", Compute():
            return nothing
        case "weight", Expand() | Stages() as grown:
            init = drawn_row(grown)
            return draw(Declared(entry.name, entry.shape, init), seed).to(like) if init else nothing
        case _:
            raise GrowlangError(
                f"what {entry.name} begins with is not known from its parent alone",
                help="give the child's weights too: `mapping.apply(parent, child)`",
            )


def drawn_row(transform: Expand | Stages | Compute) -> str:
    """How new entries are drawn; empty where none are."""
    if isinstance(transform, Compute):
        return ""
    return transform.steps[-1].init if isinstance(transform, Stages) else transform.init


def _pair(
    entry: Entry, name: str, parent: abc.Mapping[str, Tensor], child: abc.Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """The parent's tensor `name` and the child's that it fits."""
    if name not in parent:
        raise GrowlangError(
            f"{entry.name} is {entry.category} from {name}, which the parent's weights do not hold",
            help="start from weights that were trained with the parent's spec as it is now",
        )
    source, target = parent[name], child[entry.name]
    if not _fits(entry.transform, source, target):
        raise GrowlangError(
            f"{entry.name} is {entry.category} from {name}, whose shape is "
            f"{dimensions(source.shape)} in the parent's weights and {dimensions(target.shape)} in "
            "the child",
            help="start from weights that were trained with the parent's spec as it is now",
        )
    if source.dtype != target.dtype:
        raise GrowlangError(
            f"{entry.name} is {entry.category} from {name}, but the parent's weights are "
            f"{source.dtype} and the child's {target.dtype}: the copy would not be exact",
            help=f"convert the parent's weights to {target.dtype} first",
        )
    return source, target


def _fits(transform: Transform, source: Tensor, target: Tensor) -> bool:
    """Whether a transform makes the shape of one tensor that of the other."""
    if isinstance(transform, Stages) or (isinstance(transform, Expand) and transform.resample):
        steps = transform.steps if isinstance(transform, Stages) else (transform,)
        return tuple(axis.size for axis in steps[-1].dims) == tuple(target.shape)
    if not isinstance(transform, Expand):
        return source.shape == target.shape
    if not len(transform.dims) == source.dim() == target.dim():
        return False
    sides = zip(transform.dims, source.shape, target.shape, strict=True)
    return all(axis.size == new and axis.reach < old for axis, old, new in sides)


def _write(entry: Entry, source: Tensor | None, target: Tensor, quantity: Quantity) -> None:
    if is_sharded(target):
        made = whole(target)
        _write(entry, source, made, quantity)
        put(target, made)
        return
    match entry.transform:
        case Expand() | Stages() as transform:
            assert source is not None
            expand(transform, source.to(target.device), target, quantity, entry.name)
        case Compute() as transform:
            compute(transform, target, entry.name)
        case _:
            assert source is not None
            target.copy_(source)
