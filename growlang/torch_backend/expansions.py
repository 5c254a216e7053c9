"""Expansions applied to tensors: weights and averages by T, moments by S, gradients by T's adjoint.

A constant (`growlang.growth.constants`) says what is added, and how new entries begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import torch
from torch import Tensor
from torch.nn import functional as F

from growlang.growth.axis_map import NEW, AxisMap, Factors
from growlang.growth.constants import Draw, Eye, Fill, Mean, Noise, Resample, Source
from growlang.growth.mapping import Quantity
from growlang.growth.transforms import Compute, Expand, Stages
from growlang.torch_backend.conditions import sincos


def expanded(
    transform: Expand | Stages, source: Tensor, begun: Tensor, quantity: Quantity, name: str
) -> Tensor:
    """The tensor `name` of the child as a transform makes it from the parent's tensor `source`.

    `begun` is the child's tensor as it is initialised, from which drawn entries are taken.
    """
    *before, last = transform.steps if isinstance(transform, Stages) else (transform,)
    for step in before:
        sides = [len(axis.indices) for axis in step.dims]
        source = _step(step, source, source.new_zeros(sides), quantity, name)
    return _step(last, source, begun, quantity, name)


def computed(transform: Compute, begun: Tensor) -> Tensor:
    """A new tensor as its value makes it, such as the identity; new entries are zero."""
    value = _value(transform.value, begun)
    value = value.view(*value.shape, *[1] * (begun.dim() - value.dim()))
    weight = transform.weight or ((),) * len(transform.dims)
    for axis, (index, factors) in enumerate(zip(transform.dims, weight, strict=True)):
        value = _taken(value, axis, index, factors)
    return value


def adjoint(transform: Expand | Stages, gradient: Tensor, like: Tensor) -> Tensor:
    """T^T g of the child's gradient g, shaped like the parent's tensor: g_old = T^T g_new.

    Raises ValueError where T interpolates.
    """
    steps = transform.steps if isinstance(transform, Stages) else (transform,)
    for number, step in reversed([*enumerate(steps)]):
        if step.resample:
            raise ValueError("interpolation has no adjoint here")
        earlier = steps[number - 1].dims if number else None
        sides = [len(a.indices) for a in earlier] if earlier else [*like.shape]
        weight = step.weight or ((),) * len(step.dims)
        for axis, (index, factors) in enumerate(zip(step.dims, weight, strict=True)):
            means = [c for c in step.constants if isinstance(c, Mean) and c.axis == axis]
            shares = [_share(gradient, mean) for mean in means]
            gradient = _returned(gradient, axis, index, factors, sides[axis])
            for mean, share in zip(means, shares, strict=True):
                gradient.narrow(axis, mean.old_start, mean.old_n).add_(share)
    return gradient


def _share(gradient: Tensor, mean: Mean) -> Tensor:
    """What each old entry has in the gradient of the new ones that are their mean."""
    filled = gradient.narrow(mean.axis, mean.start, mean.n).sum(mean.axis, True)
    return filled * (mean.factor / mean.old_n)


def _step(step: Expand, source: Tensor, begun: Tensor, quantity: Quantity, name: str) -> Tensor:
    if quantity in ("first moment", "second moment"):
        return _moments(step, source, quantity)
    for resample in step.resample:
        source = _resampled(resample, source)
    weight = step.weight or ((),) * len(step.dims)
    for axis, (index, factors) in enumerate(zip(step.dims, weight, strict=True)):
        means = [c for c in step.constants if isinstance(c, Mean) and c.axis == axis]
        filled = [source.narrow(axis, m.old_start, m.old_n).mean(axis, True) for m in means]
        source = _taken(source, axis, index, factors)
        for mean, value in zip(means, filled, strict=True):
            source.narrow(axis, mean.start, mean.n).copy_(
                (value * mean.factor).expand_as(source.narrow(axis, mean.start, mean.n))
            )
    for constant in step.constants:
        if isinstance(constant, Fill):
            source[constant.start : constant.start + constant.n] += constant.value
        elif isinstance(constant, Noise):
            source = _noisy(constant, step.dims[constant.axis], source, name)
    for constant in step.constants:
        if isinstance(constant, Draw):
            at = constant.axis, constant.start, constant.n
            source.narrow(*at).copy_(begun.narrow(*at))
    return source


def _moments(step: Expand, source: Tensor, quantity: Quantity) -> Tensor:
    """Moments by S; those of new entries are zero."""
    moment = step.moment or ()
    if quantity == "second moment":
        moment = moment if step.second is None else step.second
        moment = tuple(tuple(f * f for f in factors) for factors in moment)
    for axis, index in enumerate(step.dims):
        source = _taken(source, axis, index, moment[axis] if moment else ())
    return source


def _taken(source: Tensor, axis: int, index: AxisMap, factors: Factors) -> Tensor:
    """Along one axis, the entries that an index takes, times their factors; new ones are zero."""
    at = torch.tensor(index.indices, device=source.device)
    result = source.index_select(axis, at.clamp(min=0))
    if factors or NEW in index.indices:
        given = torch.tensor(factors or (1.0,), dtype=source.dtype, device=source.device)
        factor = torch.where(at == NEW, 0, given)
        result *= factor.view([-1 if a == axis else 1 for a in range(source.dim())])
    return result


def _returned(gradient: Tensor, axis: int, index: AxisMap, factors: Factors, old: int) -> Tensor:
    """The adjoint of `_taken`."""
    at = torch.tensor(index.indices, device=gradient.device)
    given = torch.tensor(factors or (1.0,), dtype=gradient.dtype, device=gradient.device)
    factor = torch.where(at == NEW, 0, given)
    along = [-1 if a == axis else 1 for a in range(gradient.dim())]
    sides = [old if a == axis else n for a, n in enumerate(gradient.shape)]
    weighted = gradient * factor.view(along)
    return gradient.new_zeros(sides).index_add_(axis, at.clamp(min=0), weighted)


def _noisy(noise: Noise, index: AxisMap, tensor: Tensor, name: str) -> Tensor:
    """Pairs of copies along an axis, one with +N, the other with -N; the same for a name."""
    copies: dict[int, list[int]] = {}
    for at, old in enumerate(index.indices):
        if old != NEW:
            copies.setdefault(old, []).append(at)
    pairs = [p for c in copies.values() for p in zip(c[::2], c[1::2], strict=False)]
    if not pairs:
        return tensor
    first, second = torch.tensor(pairs, device=tensor.device).unbind(1)
    seed = int.from_bytes(sha256(f"noise:{name}:{noise.axis}".encode()).digest()[:7], "little")
    sides = [len(pairs) if a == noise.axis else n for a, n in enumerate(tensor.shape)]
    drawn = torch.randn(sides, generator=torch.Generator().manual_seed(seed)).to(tensor)
    drawn = drawn * noise.std * tensor.index_select(noise.axis, first).std(correction=0)
    return tensor.index_add(noise.axis, first, drawn).index_add(noise.axis, second, -drawn)


def _value(value: Source, like: Tensor) -> Tensor:
    if isinstance(value, Eye):
        return torch.eye(value.n, dtype=like.dtype, device=like.device)
    x = like.new_empty(1, value.length, value.width)
    return sincos(x, value.height, value.columns)


# --- interpolation -------------------------------------------------------------------------------


def _resampled(resample: Resample, source: Tensor) -> Tensor:
    """A tensor with another grid along the axes that `resample` names."""
    rows, columns = (
        _matrix(resample.how, old, new).to(source)
        for old, new in zip(resample.old, resample.new, strict=True)
    )
    axis, shape = resample.axis, [*source.shape]
    if resample.fused:
        source = source.view(*shape[:axis], resample.outer, *resample.old, *shape[axis + 1 :])
        axis += 1
    source = torch.tensordot(rows, source, ([1], [axis])).movedim(0, axis)
    source = torch.tensordot(columns, source, ([1], [axis + 1])).movedim(0, axis + 1)
    if resample.fused:
        source = source.flatten(axis - 1, axis + 1)
        assert source.dim() == len(shape)
    return source.contiguous()


def _matrix(how: str, old: int, new: int) -> Tensor:
    """(new, old): bilinear interpolation along one side, or what FlexiViT resizes filters with.

    FlexiViT (arXiv 2212.08013, equation 4) takes the pseudo-inverse of the interpolation's
    transpose, so that resized filters give of a resized patch what the old ones gave of the patch.
    """
    eye = torch.eye(old, dtype=torch.float64)[None]
    if how == "nearest":
        return F.interpolate(eye, size=new, mode="nearest")[0].T
    sides = F.interpolate(eye, size=new, mode="linear", align_corners=False)[0].T
    return torch.linalg.pinv(sides.T) if how == "flexi" else sides


def factors_of(dims: Sequence[Factors], shape: Sequence[int]) -> list[Tensor]:
    """The factors of each axis as vectors in float64, ones where there are none."""
    sides = zip(dims, shape, strict=True)
    return [torch.tensor(f or (1.0,), dtype=torch.float64).expand(n) for f, n in sides]
