"""The promise of `retain`: D of what the child denoises is what the parent denoises."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from growlang.growth.transforms import Initialise
from growlang.net import ComponentName, Net, Node
from growlang.net.generations import refinements
from growlang.torch_backend.generations import levels, pooled
from growlang.torch_backend.verification import draws
from growlang.torch_backend.verification.case import Case, module

SEEDS = (0, 1, 2)


def newly_retained(case: Case) -> Node | None:
    """The node that adds the child's detail to what its parent computes, if there is one."""
    joined = refinements(case.child)
    return joined[-1] if len(joined) > len(refinements(case.parent)) else None


def worst_difference(case: Case, last: Node) -> float:
    """Of an image and a noise level the largest, for random weights of all that is new."""
    drawn = draws.weights(case.child, 1)
    new = {e.name for e in case.mapping.of_child if isinstance(e.transform, Initialise)}
    weights = {n: drawn[n].to(t) if n in new else t for n, t in case.double.child.items()}
    after, before = module(case.child, weights), module(case.parent, case.double.parent)
    return max(_difference(case, last, after, before, seed) for seed in SEEDS)


@torch.no_grad()
def _difference(
    case: Case,
    last: Node,
    after: Callable[..., Tensor],
    before: Callable[..., Tensor],
    seed: int,
) -> float:
    factor, predict = last.args["factor"], last.args["predict"]
    names = [i.name for i in case.child.inputs]
    given = dict(zip(names, draws.batch(case.child, "retained", seed), strict=True))
    x, level = given["image"], given["level"]
    rho = levels(level, 1, factor).rho.view(-1, 1, 1, 1)
    small, own = pooled(x, factor) / rho, level + 2 * math.log(factor)
    smaller = given | {"image": small, "level": own}
    weight = torch.empty(0, dtype=torch.float64, device=case.device)
    results = [
        lowered(*draws.placed([values[i.name] for i in net.inputs], weight))
        for lowered, net, values in ((after, case.child, given), (before, case.parent, smaller))
    ]
    ours = pooled(_denoised(results[0].cpu(), x, level, predict), factor)
    theirs = _denoised(results[1].cpu(), small, own, predict)
    apart = (ours - theirs).flatten(1).abs().amax(1) / theirs.flatten(1).abs().amax(1)
    return float(apart.max())


def _denoised(p: Tensor, x: Tensor, level: Tensor, predict: str) -> Tensor:
    """The image that a prediction means."""
    a, s, _ = (v.view(-1, 1, 1, 1) for v in levels(level, 1, 1))
    if predict == "x":
        return p
    return (x - s * p) / a if predict == "eps" else a * x - s * p


def at_same_levels(case: Case, component: ComponentName, given: list[Tensor]) -> list[Tensor]:
    """What a component of the child reads, where the parent's reads `given`.

    The log-SNR is that of the largest image: of the child's smaller for the same small image.
    """
    last = newly_retained(case)
    if last is None or not component.is_retained:
        return given
    names = _read(case.child, component)
    gain = 2 * math.log(last.args["factor"])
    return [v - gain if n == "level" else v for n, v in zip(names, given, strict=True)]


def _read(net: Net, component: ComponentName) -> list[str]:
    own = {node.path for node in net.of(component)}
    return list(dict.fromkeys(n for node in net.of(component) for n in node.inputs if n not in own))
