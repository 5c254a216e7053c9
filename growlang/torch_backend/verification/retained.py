"""A child with retained ends, held against its parent at the parent's size."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from growlang.growth.transforms import source_of
from growlang.net import Net, Node
from growlang.net.generations import REFINE
from growlang.torch_backend.generations import levels, pooled
from growlang.torch_backend.verification import draws
from growlang.torch_backend.verification.case import SEED, Case, Inputs, module


def refinement(case: Case) -> Node | None:
    """The node that adds the child's detail to what its parent predicts, if it promises means."""
    last = next(node for node in case.child.nodes if node.path == case.child.output)
    if last.op != REFINE or last.args["detail"] != "high":
        return None
    return last if last.inputs[0] in {n.path for n in case.child.nodes} else None


def denoised(case: Case, last: Node, given: Inputs) -> tuple[Tensor, Tensor]:
    """D of the image that the child denoises, its new ends random, and the parent's image.

    Both (B, C, H / k, W / k) float64, of one noisy image: the parent's is D x / rho, whose noise
    level is 2 ln k above the child's.
    """
    factor, predict = last.args["factor"], last.args["predict"]
    ours = dict(zip((i.role for i in case.child.inputs), given.child, strict=True))
    x, level = ours["image"], ours["level"]
    small = pooled(x, factor) / levels(level, 1, factor).rho.view(-1, 1, 1, 1)
    above = level + 2 * log(factor)
    changed = {"image": small, "level": above}
    theirs = [
        changed.get(i.role, value)
        for i, value in zip(case.parent.inputs, given.parent, strict=True)
    ]
    grown = _denoised(case.child, _random_ends(case), given.child, x, level, predict)
    parent = _denoised(case.parent, case.double.parent, theirs, small, above, predict)
    return pooled(grown, factor), parent


def _random_ends(case: Case) -> dict[str, Tensor]:
    """The child's weights, random where they are not its parent's."""
    random = draws.weights(case.child, SEED + 2)
    return {
        e.name: case.double.child[e.name]
        if source_of(e.transform, e.name)
        else random[e.name].to(case.double.child[e.name])
        for e in case.mapping.of_child
    }


def _denoised(
    net: Net,
    weights: dict[str, Tensor],
    values: list[Tensor],
    x: Tensor,
    level: Tensor,
    predict: str,
) -> Tensor:
    """The image that a net predicts of a noisy one at a log-SNR."""
    like = next(iter(weights.values()))
    with torch.no_grad():
        p = module(net, weights)(*draws.placed(values, like))
    x, level = draws.placed([x, level], like)
    a, s = (torch.sigmoid(sign * level).sqrt().view(-1, 1, 1, 1) for sign in (1, -1))
    found: Tensor = p if predict == "x" else a * x - s * p if predict == "v" else (x - s * p) / a
    return found
