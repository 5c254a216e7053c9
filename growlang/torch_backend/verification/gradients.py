"""Gradients of a child: which of its entries ever get one, and whether copies part."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from growlang.growth.axis_map import NEW
from growlang.growth.mapping import Entry
from growlang.growth.transforms import Compute, Expand, Initialise, Like, Stages, state_of
from growlang.net import Net, Node
from growlang.net.generations import held_by
from growlang.torch_backend.lower import LoweredNet
from growlang.torch_backend.transforms import apply
from growlang.torch_backend.verification import draws
from growlang.torch_backend.verification.case import SEED, Case, module, sources

LR = 1e-2
STEPS = 12
"""Most steps of Adam in which an entry may get its first gradient."""
NOTHING = 1e-13
"""A gradient, in terms of the largest, that is rounding alone."""
BATCHES = 2
WARM, AFTER = 3, 8
"""Steps of Adam before growth and after it, in which copies part."""
EQUAL = 1e-9
"""Distance of two copies, in terms of their size, at which they are the same."""

Gradients = dict[str, Tensor]


def gradients(net: Net, lowered: nn.Module, key: object) -> Gradients:
    """Those of a regression to noise, on a batch of a net's inputs."""
    like = next(lowered.parameters())
    lowered.zero_grad()
    result = lowered(*draws.placed(draws.batch(net, key), like))
    noise = torch.randn(result.shape, generator=draws.generator("target", key))
    loss = (result - noise.to(result)).square().mean()
    loss.backward()
    return taken(lowered)


def taken(lowered: nn.Module) -> Gradients:
    """The gradients that a module holds, zeros where it has none."""
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in lowered.named_parameters()
    }


def reached(found: Gradients) -> dict[str, Tensor]:
    """Which entries have a gradient that is more than rounding."""
    top = max((float(g.abs().max()) for g in found.values() if g.numel()), default=0.0)
    return {name: g.abs() > NOTHING * top for name, g in found.items()}


class Reach(NamedTuple):
    """Which new entries got a gradient."""

    dead: dict[str, Tensor]
    """By tensor, the new entries that got none, and would in a net of other weights."""
    structural: dict[str, int]
    """The entries of each new part that have none whatever the weights are."""
    steps: int
    """Steps after which none was left, or no further one was reached."""


def reach(case: Case) -> Reach:
    """Train a child for a few steps, as long as they reach new entries that had no gradient.

    A zero factor passes none until it has moved: behind k of them in series an entry waits k
    steps. What has no gradient in the same net with random weights throughout, such as a key's
    bias before a softmax, is structural.
    """
    measured = held_by(case.child).measured
    new = (e for e in case.mapping.of_child if e.name not in measured)
    wanted = {e.name: mask for e in new if (mask := _new(e, case)) is not None}
    if not wanted:
        return Reach({}, {}, 0)
    able = _able(case)
    structural = {n: int((mask & ~able[n]).sum()) for n, mask in wanted.items()}
    missing = {n: mask & able[n] for n, mask in wanted.items()}
    training = _Training.of(case.child, case.double.child)
    last, step = 0, 0
    while any(bool(m.any()) for m in missing.values()) and step < min(last + 3, STEPS):
        before = _count(missing)
        seen = reached(training.step(step))
        missing = {n: mask & ~seen[n] for n, mask in missing.items()}
        step += 1
        last = step if _count(missing) < before else last
    dead = {n: mask for n, mask in missing.items() if bool(mask.any())}
    return Reach(dead, {n: count for n, count in structural.items() if count}, last)


def _count(masks: dict[str, Tensor]) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


def _able(case: Case) -> dict[str, Tensor]:
    """The entries that have a gradient where all weights are random."""
    like = next(iter(case.double.child.values()))
    random = {name: t.to(like) for name, t in draws.weights(case.child, SEED + 1).items()}
    lowered = module(case.child, random)
    found = {name: torch.zeros_like(t, dtype=torch.bool) for name, t in random.items()}
    for number in range(BATCHES):
        for name, mask in reached(gradients(case.child, lowered, number)).items():
            found[name] |= mask
    return found


def _new(entry: Entry, case: Case) -> Tensor | None:
    """The entries of a tensor that the parent does not go on in; None where there are none."""
    whole = torch.zeros(entry.shape, dtype=torch.bool, device=case.device)
    match entry.transform:
        case Initialise() | Like() | Compute():
            return ~whole
        case Expand() | Stages() as transform:
            if state_of(transform, entry.name) is None:
                return ~whole
            for axis, n in enumerate(entry.shape):
                at = [i for i, old in enumerate(sources(transform, axis, n)) if old == NEW]
                whole.index_fill_(
                    axis, torch.tensor(at, device=case.device, dtype=torch.long), True
                )
    return whole if bool(whole.any()) else None


# --- copies --------------------------------------------------------------------------------------


def alike(case: Case) -> dict[str, int]:
    """By tensor, the rows that still are copies of others after a few steps of training.

    The parent trains first, and its moments are carried: they too can tell copies apart. Rows
    with other factors than their copies', or without gradients, are not counted.
    """
    found = copied(case)
    if not found:
        return {}
    seen, moved = _grown_in_training(case)
    counts = {}
    for name, (firsts, others) in found.items():
        trained = moved[name].flatten(1).any(1)
        equal = trained[others] & trained[firsts]
        for after in seen:
            rows = after[name].flatten(1)
            apart = (rows[others] - rows[firsts]).abs().amax(1)
            equal &= apart <= EQUAL * rows.abs().max()
        counts[name] = int(equal.sum())
    return {name: count for name, count in counts.items() if count}


def copied(case: Case) -> dict[str, tuple[Tensor, Tensor]]:
    """By tensor, its rows that are copies, and of each the first row that is of the same old one.

    Rows that ids pick part by what is read.
    """
    picked = {t.name for node in case.child.nodes if _picks(case.child, node) for t in node.tensors}
    entries = (e for e in case.mapping.of_child if e.name not in picked)
    return {e.name: pairs for e in entries if (pairs := _copies(e)) is not None}


def _picks(net: Net, node: Node) -> bool:
    ids = {given.name for given in net.inputs if given.role in ("ids", "label", "tokens")}
    return not ids.isdisjoint(node.inputs[:1])


def _copies(entry: Entry) -> tuple[Tensor, Tensor] | None:
    match entry.transform:
        case Expand(dims=dims, weight=weight):
            index, factors = dims[0].indices, weight[0] if weight else ()
        case _:
            return None
    first: dict[tuple[int, float], int] = {}
    pairs = [
        (first.setdefault((old, factors[at] if len(factors) > 1 else 1.0), at), at)
        for at, old in enumerate(index)
        if old != NEW
    ]
    found = [(one, other) for one, other in pairs if one != other]
    if not found:
        return None
    firsts, others = torch.tensor(found).unbind(1)
    return firsts, others


def _grown_in_training(case: Case) -> tuple[list[Gradients], Gradients]:
    """Weights of a child that grew from a parent in training and went on, and what was trained.

    The weights are those of the last two steps: two rows that part may pass each other at one.
    """
    parent = _Training.of(case.parent, case.double.parent)
    for number in range(WARM):
        parent.step(number)
    child = _Training.of(case.child, case.double.child)
    apply(case.mapping, parent.weights, child.weights)
    apply(case.mapping, parent.first, child.first, "first moment")
    apply(case.mapping, parent.second, child.second, "second moment")
    for name in case.mapping.states:
        child.steps[name] += WARM
    moved = {n: torch.zeros_like(t, dtype=torch.bool) for n, t in child.weights.items()}
    seen: list[Gradients] = []
    for number in range(AFTER):
        for name, mask in reached(child.step(number)).items():
            moved[name] |= mask
        if number >= AFTER - 2:
            seen.append({name: _rows(t).clone() for name, t in child.weights.items()})
    return seen, {name: _rows(t) for name, t in moved.items()}


def _rows(tensor: Tensor) -> Tensor:
    """A tensor (N, ...) with at least one more axis."""
    return tensor if tensor.dim() > 1 else tensor[:, None]


class _Training(NamedTuple):
    """A net that trains by Adam (arXiv 1412.6980), whose moments belong to names."""

    net: Net
    lowered: LoweredNet
    weights: dict[str, Tensor]
    first: dict[str, Tensor]
    second: dict[str, Tensor]
    steps: dict[str, Tensor]

    @staticmethod
    def of(net: Net, weights: dict[str, Tensor]) -> _Training:
        """The net before its first step."""
        lowered = module(net, weights)
        held = {name: p.detach() for name, p in lowered.named_parameters()}
        first, second = ({n: torch.zeros_like(t) for n, t in held.items()} for _ in range(2))
        return _Training(net, lowered, held, first, second, {n: torch.zeros(()) for n in held})

    def step(self, number: int) -> Gradients:
        """One step on one of the batches, without what phases hold; the gradients of all."""
        found = gradients(self.net, self.lowered, number % BATCHES)
        held = held_by(self.net)
        names = [n for n in found if n not in held.old and n not in held.measured]
        tables = (self.weights, found, self.first, self.second, self.steps)
        weights, grads, first, second, steps = ([t[n] for n in names] for t in tables)
        with torch.no_grad():
            adam(
                weights,
                grads,
                first,
                second,
                [],
                steps,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=LR,
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )
        return found
