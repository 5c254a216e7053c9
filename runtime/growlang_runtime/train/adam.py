"""Adam (arXiv 1412.6980) and AdamW (arXiv 1711.05101), also of tensors that grew."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw

from growlang.spec.optimizers import Adam, AdamW
from growlang_runtime.train.update import Given, Updated


def fused(
    settings: Adam | AdamW,
    weights: Sequence[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]],
    lr: float,
    decay: float,
    skipped: Tensor | None,
) -> None:
    """One update of several tensors, each given with gradient, both moments and its count."""
    update = adamw if isinstance(settings, AdamW) else adam
    columns = [list(column) for column in zip(*weights, strict=True)]
    tensors, gradients, first, second, steps = columns
    update(
        tensors,
        gradients,
        first,
        second,
        [],
        steps,
        fused=True,
        found_inf=skipped,
        amsgrad=False,
        beta1=settings.betas[0],
        beta2=settings.betas[1],
        lr=lr,
        weight_decay=decay,
        eps=settings.eps,
        maximize=False,
    )


def update(settings: Adam | AdamW, given: Given) -> Updated:
    """The update of a tensor whose entries have steps, eps and counts of their own."""
    decoupled, (b1, b2) = isinstance(settings, AdamW), settings.betas
    weight, gradient = given.weight, given.gradient if decoupled else given.decayed
    first = given.moments["first"].lerp(gradient, 1 - b1)
    second = (given.moments["second"] * b2).addcmul_(gradient, gradient, value=1 - b2)
    age = given.updates.to(weight.dtype)
    unbiased, root = first / _corrected(b1, age), (second / _corrected(b2, age)).sqrt_()
    root += settings.eps * given.scale
    step = unbiased.div_(root)
    if isinstance(given.step, Tensor):
        step *= given.step
    left = weight * (1 - given.lr * given.decay) if decoupled else weight.clone()
    return Updated(left.sub_(step, alpha=given.lr), {"first": first, "second": second})


def _corrected(beta: float, count: Tensor) -> Tensor:
    """1 - beta^count, to full precision where beta^count is near 1."""
    return -torch.expm1(count * (math.log(beta) if beta else -math.inf))
