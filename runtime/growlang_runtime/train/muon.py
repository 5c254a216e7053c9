"""Muon: momentum of matrices, orthogonalised (kellerjordan.github.io/posts/muon)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from growlang.spec.recipe import Muon
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


@torch.no_grad()
def step(
    weight: Tensor,
    gradient: Tensor,
    momentum: Tensor,
    rows: Sequence[int],
    settings: Muon,
    lr: float,
    weight_decay: float,
) -> None:
    """One update of a matrix and of its momentum, in place.

    The direction of a row depends on all rows: they are gathered, and each process computes it.
    """
    local(momentum).lerp_(local(gradient), 1 - settings.momentum)
    ahead = gradient.lerp(momentum, settings.momentum) if settings.nesterov else momentum
    update = direction(whole(ahead), rows)[held_rows(weight)]
    local(weight).mul_(1 - lr * weight_decay).sub_(update, alpha=lr)
