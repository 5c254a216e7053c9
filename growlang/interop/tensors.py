"""The numbers of pairs of tensors, from theirs to ours and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from growlang.interop.accounting import Pair, Shapes


def into_ours(pair: Pair, theirs: Callable[[str], Tensor], shapes: Shapes) -> dict[str, Tensor]:
    """Our tensors of a pair, by name; `theirs` reads one of theirs, `shapes` are those of ours."""
    read = {name: theirs(name) for name in pair.theirs}
    read = {name: part[0] for name, part in read.items()} if pair.batched else read
    parts = [_paired(pair, name, _turned(pair, part)) for name, part in read.items()]
    if len(pair.ours) == 1:
        whole = torch.cat(parts, pair.axis) if parts[1:] else parts[0]
        whole = _with_rows(whole, (pair.pixels, -1)) if pair.pixels else whole
        return {pair.ours[0]: whole.reshape(shapes[pair.ours[0]]).contiguous()}
    lengths = [shapes[name][pair.axis] for name in pair.ours]
    split = torch.split(parts[0], lengths, pair.axis)
    return {name: part.contiguous() for name, part in zip(pair.ours, split, strict=True)}


def into_theirs(pair: Pair, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors of a pair, by name."""
    parts = [ours[name] for name in pair.ours]
    whole = torch.cat(parts, pair.axis) if parts[1:] else parts[0]
    if pair.pixels:  # theirs is a linear map, ours one of a pixel
        whole = _with_rows(whole, (-1, pair.pixels)).reshape(whole.shape[:2])
    split = torch.split(whole, pair.lengths(whole.shape[pair.axis]), pair.axis)
    made = {
        name: _turned(pair, _halved(pair, name, part)).contiguous()
        for name, part in zip(pair.theirs, split, strict=True)
    }
    return {name: part[None] for name, part in made.items()} if pair.batched else made


def _paired(pair: Pair, name: str, tensor: Tensor) -> Tensor:
    """Rows of heads in two halves as pairs: row i and row i + d / 2 of a head side by side."""
    if name not in pair.halves:
        return tensor
    halves = tensor.reshape(-1, 2, pair.head // 2, *tensor.shape[1:])
    return halves.transpose(1, 2).reshape(tensor.shape)


def _halved(pair: Pair, name: str, tensor: Tensor) -> Tensor:
    """Rows of heads in pairs as two halves."""
    if name not in pair.halves:
        return tensor
    pairs = tensor.reshape(-1, pair.head // 2, 2, *tensor.shape[1:])
    return pairs.transpose(1, 2).reshape(tensor.shape)


def _with_rows(tensor: Tensor, factors: tuple[int, int]) -> Tensor:
    """A tensor whose rows are a product of two factors, with these in the other order."""
    return tensor.reshape(*factors, *tensor.shape[1:]).transpose(0, 1).flatten(0, 1)


def _turned(pair: Pair, tensor: Tensor) -> Tensor:
    return tensor.mT if pair.transpose else tensor
