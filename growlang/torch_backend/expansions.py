"""Expansions applied to tensors: weights and averages by T, moments by S, gradients by T's adjoint.

A constant (`growlang.growth.constants`) says what is added, and how new entries begin.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from hashlib import sha256

import torch
from torch import Tensor
from torch.nn import functional as F

from growlang.growth.axis_map import NEW, AxisMap, Factors, Kron, New, Repeat, Take
from growlang.growth.constants import Constant, Draw, Eye, Fill, Mean, Noise, Resample, Source
from growlang.growth.mapping import Quantity
from growlang.growth.rows import drawn_from, is_gathered
from growlang.growth.transforms import Compute, Expand, Stages
from growlang.net import Tensor as Declared
from growlang.torch_backend.conditions import sincos
from growlang.torch_backend.initialisation import draw


def expand(
    transform: Expand | Stages, source: Tensor, target: Tensor, quantity: Quantity, name: str
) -> None:
    """Write the tensor `name` of the child as a transform makes it of the parent's `source`.

    In place; drawn entries stay as they are.
    """
    steps = transform.steps if isinstance(transform, Stages) else (transform,)
    _steps(steps, source, target, quantity, name)


def compute(transform: Compute, target: Tensor, name: str) -> None:
    """Write a new tensor as its value makes it, such as the identity; new entries are zero.

    In place; entries that expansions of it draw stay as they are.
    """
    value = _value(transform.value, target)
    value = value.view(*value.shape, *[1] * (target.dim() - value.dim()))
    weight = transform.weight or ((),) * len(transform.dims)
    for axis, (index, factors) in enumerate(zip(transform.dims, weight, strict=True)):
        value = _taken(value, axis, index, factors)
    _steps(transform.then, value, target, "weight", name)


def _steps(
    steps: tuple[Expand, ...], source: Tensor, target: Tensor, quantity: Quantity, name: str
) -> None:
    """Write what expansions one after the other make of a tensor."""
    for number, step in enumerate(steps[:-1]):
        made = _begun(step, source, f"{name}:{number}")
        _step(step, source, made, quantity, name)
        source = made
    if steps:
        _step(steps[-1], source, target, quantity, name)
    else:
        target.copy_(source)


def expand_rows(step: Expand, source: Tensor, target: Tensor, gathered: bool, name: str) -> None:
    """Write some rows of a tensor's weights, of which `step` is the part of its expansion.

    In place; `gathered` as the whole expansion is, so that each number is rounded as there.
    """
    _step(step, source, target, "weight", name, gathered)


def _begun(step: Expand, like: Tensor, name: str) -> Tensor:
    """A tensor between two expansions before it is written: its drawn entries, the same always.

    No plan is known here, so that they stay those of the draws' number 2.
    """
    sides = tuple(len(axis.indices) for axis in step.dims)
    if not step.init:
        return like.new_zeros(sides)
    return draw(Declared(name, sides, step.init), 0, draws=2).to(like)


def adjoint(transform: Expand | Stages, gradient: Tensor, like: Tensor) -> Tensor:
    """T^T g of the child's gradient g, shaped like the parent's tensor: g_old = T^T g_new.

    Raises ValueError where T interpolates.
    """
    steps = transform.steps if isinstance(transform, Stages) else (transform,)
    for number, step in reversed([*enumerate(steps)]):
        if step.resample:
            raise ValueError("interpolation has no adjoint here")
        earlier = steps[number - 1].dims if number else None
        sides = [a.size for a in earlier] if earlier else [*like.shape]
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


def _step(
    step: Expand,
    source: Tensor,
    target: Tensor,
    quantity: Quantity,
    name: str,
    gathered: bool | None = None,
) -> None:
    constants: Sequence[Constant] = step.constants
    factors = _factors(step, quantity)
    if quantity in ("first moment", "second moment"):
        constants = ()
    else:
        for resample in step.resample:
            source = _resampled(resample, source)
    drawn = [c for c in constants if isinstance(c, Draw)]
    means = [c for c in constants if isinstance(c, Mean)]
    dims, written = step.dims, target
    for axis, index in enumerate(dims):
        if cut := drawn_from(index, axis, drawn):
            written = written.narrow(axis, 0, cut)
            dims = (*dims[:axis], AxisMap.of(index.indices[:cut]), *dims[axis + 1 :])
            factors = (*factors[:axis], factors[axis][:cut], *factors[axis + 1 :])
            drawn = [c for c in drawn if c.axis != axis]
    if dims and gathered is None:
        gathered = is_gathered(dims[0])
    rows = {c.start: c.n for c in drawn if c.axis == 0}
    placed = bool(dims) and not gathered and rows.items() <= dims[0].news.items()
    left = frozenset(rows) if placed else frozenset()
    begun = [(c, _along(target, c).clone()) for c in drawn if c.axis or c.start not in left]
    _write(dims, factors, means, source, written, left, bool(gathered))
    for constant in constants:
        if isinstance(constant, Fill):
            target[constant.start : constant.start + constant.n] += constant.value
        elif isinstance(constant, Noise):
            target.copy_(_noisy(constant, step.dims[constant.axis], target, name))
    for constant, values in begun:
        _along(target, constant).copy_(values)


def _factors(step: Expand, quantity: Quantity) -> tuple[Factors, ...]:
    """By axis, what a quantity is multiplied by: T, S, or S^2."""
    match quantity:
        case "weight" | "average":
            found = step.weight
        case "first moment":
            found = step.moment or ()
        case "second moment":
            single = (step.moment or ()) if step.second is None else step.second
            found = tuple(tuple(f * f for f in factors) for factors in single)
    return found or ((),) * len(step.dims)


def _along(tensor: Tensor, constant: Draw | Mean) -> Tensor:
    return tensor.narrow(constant.axis, constant.start, constant.n)


def _write(
    dims: tuple[AxisMap, ...],
    factors: tuple[Factors, ...],
    means: Sequence[Mean],
    source: Tensor,
    target: Tensor,
    left: Collection[int],
    gathered: bool,
) -> None:
    """Write an expansion axis by axis, the first one last and straight into the target.

    So all passes but one are over tensors that are smaller than the target. New rows that begin
    at a place in `left` stay as they are, unless rows are `gathered`.
    """
    others: Tensor | float = 1.0
    for axis in reversed(range(1, len(dims))):
        filled = [(m, _mean(source, m)) for m in means if m.axis == axis]
        source, factor = _gathered(source, axis, dims[axis], factors[axis])
        others = factor * others
        for mean, value in filled:
            rows = _along(source, mean)
            rows.copy_(value.expand_as(rows))
    if not dims:
        target.copy_(source)
        return
    if isinstance(others, Tensor) and (factors[0] or means):
        source, others = source * others, 1.0
    filled = [(m, _mean(source, m) * others) for m in means if m.axis == 0]
    if gathered:
        torch.mul(_taken(source, 0, dims[0], factors[0]), others, out=target)
    else:
        _placed(source, target, dims[0], factors[0], others, left)
    for mean, value in filled:
        rows = _along(target, mean)
        rows.copy_(value.expand_as(rows))


def _gathered(
    source: Tensor, axis: int, index: AxisMap, factors: Factors
) -> tuple[Tensor, Tensor | float]:
    """The entries that an index takes along an axis, and what is still to multiply them."""
    if index.has_new:
        return _taken(source, axis, index, factors), 1.0
    if not index.is_identity(source.shape[axis]):
        at = _tensor(index, source.device)
        source = source.index_select(axis, at)
    if len(factors) <= 1:
        return source, factors[0] if factors else 1.0
    given = torch.tensor(factors, dtype=source.dtype, device=source.device)
    return source, given.view([-1 if a == axis else 1 for a in range(source.dim())])


def _mean(source: Tensor, mean: Mean) -> Tensor:
    return source.narrow(mean.axis, mean.old_start, mean.old_n).mean(mean.axis, True) * mean.factor


def _placed(
    source: Tensor,
    target: Tensor,
    index: AxisMap,
    factors: Factors,
    others: Tensor | float,
    left: Collection[int],
) -> None:
    """Write rows part by part, each entry of the target once.

    `others` is a factor of all, or of the entries along the other axes where rows have none.
    """
    at, rest = 0, source.shape[1:]
    for part in index.parts:
        size = part.size
        place = target[at : at + size]
        factor = factors[at : at + size] if factors[1:] else factors
        match part:
            case New() if at not in left:
                place.zero_()
            case Take(start, n):
                _multiplied(source[start : start + n], factor, others, place, (n,))
            case Kron():
                raise AssertionError("stretches are gathered")
            case Repeat(start, n, times, block):
                blocks = n // block
                taken = source[start : start + n].view(blocks, 1, block, *rest)
                shaped = place.unflatten(0, (blocks, times, block))  # type: ignore[no-untyped-call]
                _multiplied(taken, factor, others, shaped, (blocks, times, block))
        at += size


def _multiplied(
    source: Tensor, rows: Factors, others: Tensor | float, target: Tensor, sides: tuple[int, ...]
) -> None:
    """target = source * factors in one pass; `sides` are the axes that the rows are split into."""
    source = source.expand_as(target)
    if rows[1:]:
        given = torch.tensor(rows, dtype=target.dtype, device=target.device)
        given = given.view(*sides, *[1] * (target.dim() - len(sides)))
        torch.mul(source, given * others, out=target)
    elif isinstance(others, Tensor):
        torch.mul(source, others * rows[0] if rows else others, out=target)
    elif (factor := others * (rows[0] if rows else 1.0)) != 1:
        torch.mul(source, factor, out=target)
    else:
        target.copy_(source)


@lru_cache(maxsize=64)
def _tensor(index: AxisMap, device: torch.device) -> Tensor:
    """The indices; tensors of one net have few different ones."""
    return torch.tensor(index.indices, device=device)


def _taken(source: Tensor, axis: int, index: AxisMap, factors: Factors) -> Tensor:
    """Along one axis, the entries that an index takes, times their factors; new ones are zero."""
    at = _tensor(index, source.device)
    result = source.index_select(axis, at.clamp(min=0))
    if factors or NEW in index.indices:
        given = torch.tensor(factors or (1.0,), dtype=source.dtype, device=source.device)
        factor = torch.where(at == NEW, 0, given)
        result *= factor.view([-1 if a == axis else 1 for a in range(source.dim())])
    return result


def _returned(gradient: Tensor, axis: int, index: AxisMap, factors: Factors, old: int) -> Tensor:
    """The adjoint of `_taken`."""
    at = _tensor(index, gradient.device)
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
    """(new, old): interpolation along one side, or what FlexiViT resizes filters with.

    FlexiViT (arXiv 2212.08013, equation 4) takes the pseudo-inverse of the interpolation's
    transpose, so that resized filters give of a resized patch what the old ones gave of the patch.
    """
    eye = torch.eye(old, dtype=torch.float64)[None]
    if how == "nearest":
        return F.interpolate(eye, size=new, mode="nearest")[0].T
    if how == "bicubic":
        sides = F.interpolate(eye[..., None], (new, 1), mode="bicubic", align_corners=False)
        return sides[0, ..., 0].T
    sides = F.interpolate(eye, size=new, mode="linear", align_corners=False)[0].T
    return torch.linalg.pinv(sides.T) if how == "flexi" else sides


def factors_of(dims: Sequence[Factors], shape: Sequence[int]) -> list[Tensor]:
    """The factors of each axis as vectors in float64, ones where there are none."""
    sides = zip(dims, shape, strict=True)
    return [torch.tensor(f or (1.0,), dtype=torch.float64).expand(n) for f, n in sides]
