"""Muon: momentum of matrices, orthogonalised (kellerjordan.github.io/posts/muon)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from growlang.spec.optimizers import Muon
from growlang.torch_backend.shards import local, whole
from growlang.torch_backend.shards import rows as held_rows

ITERATIONS = 5
COEFFICIENTS = 3.4445, -4.7750, 2.0315
"""Of the odd polynomial that is iterated; it takes singular values of 0.001 to 1 to 0.7 to 1.2."""


def orthogonalised(matrix: Tensor) -> Tensor:
    """Newton-Schulz: the matrix with singular values near 1; zero stays zero."""
    wide: Tensor = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x: Tensor = wide / wide.norm().clamp_min(torch.finfo(wide.dtype).tiny)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide is matrix else x.T


def direction(momentum: Tensor, rows: Sequence[int]) -> Tensor:
    """The orthogonalised momentum of each part, times sqrt(fan_out / fan_in) of the part.

    `momentum` is (out, in, ...) and `rows` are those of its parts; filters are rows of all of their
    entries. With this factor, growth by copies multiplies the direction as it does the weight.
    """
    parts = [
        orthogonalised(part) * (part.shape[0] / part.shape[1]) ** 0.5
        for part in torch.split(momentum.flatten(1), list(rows))
    ]
    return torch.cat(parts).view_as(momentum)


class Updated(NamedTuple):
    """A matrix and its momentum after an update."""

    weight: Tensor
    momentum: Tensor


@torch.no_grad()
def updated(
    weight: Tensor,
    gradient: Tensor,
    momentum: Tensor,
    rows: Sequence[int],
    settings: Muon,
    lr: float,
    weight_decay: float,
) -> Updated:
    """What one update makes of a matrix and its momentum, which stay as they are.

    The direction of a row depends on all rows: they are gathered, and each process computes it, and
    returns the rows that it holds.
    """
    new = momentum.lerp(gradient, 1 - settings.momentum)
    ahead = gradient.lerp(new, settings.momentum) if settings.nesterov else new
    update = direction(whole(ahead), rows)[held_rows(weight)]
    kept = local(weight) * (1 - lr * weight_decay)
    return Updated(kept.sub_(update, alpha=lr), local(new))
