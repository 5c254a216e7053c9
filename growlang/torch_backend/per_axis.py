"""Numbers for the entries of a tensor that follow from numbers along its axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce

import torch
from torch import Tensor

from growlang.growth.axis_map import NEW, AxisMap, Factors
from growlang.torch_backend.shards import is_sharded, local, put, rows, whole

PerAxis = tuple[Tensor, ...]
"""A vector for each axis, as long as the axis."""


def spread(vectors: PerAxis, combine: Callable[[Tensor, Tensor], Tensor] = torch.mul) -> Tensor:
    """The numbers of all entries: of each the product, or what else combines, over its axes."""
    count = len(vectors)
    rows = (
        vector.view([-1 if axis == at else 1 for axis in range(count)])
        for at, vector in enumerate(vectors)
    )
    return reduce(combine, rows)


def latest(born: PerAxis) -> Tensor:
    """Of each entry the latest of the counts at which its places came."""
    return spread(born, torch.maximum)


def held(vectors: PerAxis, tensor: Tensor) -> PerAxis:
    """The numbers of the entries that this process holds of a tensor."""
    first, *others = vectors
    return (first[rows(tensor)], *others)


def carried(
    old: PerAxis | None,
    dims: Iterable[AxisMap],
    factors: Iterable[Factors],
    like: Tensor,
    new: float = 1.0,
    usual: float = 1.0,
) -> PerAxis | None:
    """The numbers of a grown tensor: those of the old one, `usual` if None, times the factors.

    What is new has the number `new`. None if all are `usual`, which says the same.
    """
    found = []
    for axis, (index, given) in enumerate(zip(dims, factors, strict=True)):
        at = torch.tensor(index.indices)
        before = torch.tensor(usual) if old is None else old[axis].cpu()[at.clamp(min=0)]
        times = torch.tensor(given or (1.0,), dtype=torch.float64)
        found.append(torch.where(at == NEW, new, before * times).to(local(like)))
    return None if all(bool((vector == usual).all()) for vector in found) else tuple(found)


def fill_with_means(tensor: Tensor, dims: Iterable[AxisMap]) -> None:
    """Write the mean of the old entries along each axis into the axis's new ones, in place."""
    if is_sharded(tensor):
        made = whole(tensor)
        fill_with_means(made, dims)
        put(tensor, made)
        return
    for axis, index in enumerate(dims):
        at = torch.tensor(index.indices, device=tensor.device)
        new, given = ((at == NEW).nonzero().flatten(), (at != NEW).nonzero().flatten())
        if len(new) and len(given):
            mean = tensor.index_select(axis, given).mean(axis, keepdim=True)
            tensor.index_copy_(axis, new, mean.expand_as(tensor.index_select(axis, new)))


def named(vectors: Mapping[str, PerAxis], prefix: str) -> dict[str, Tensor]:
    """The vectors as tensors of a file: `PREFIX.AXIS.NAME`."""
    return {
        f"{prefix}.{axis}.{name}": vector
        for name, given in vectors.items()
        for axis, vector in enumerate(given)
    }


def unnamed(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, PerAxis]:
    """The vectors that `named` gave, of a file that may hold other tensors too."""
    found: dict[str, dict[int, Tensor]] = {}
    for key, vector in tensors.items():
        if key.startswith(f"{prefix}."):
            axis, _, name = key.removeprefix(f"{prefix}.").partition(".")
            found.setdefault(name, {})[int(axis)] = vector
    return {name: tuple(axes[a] for a in sorted(axes)) for name, axes in found.items()}
