"""The promises of growth, each a function that measures it on a case: a list to add to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from growlang.growth.promise import Promise
from growlang.growth.transforms import (
    Copy,
    Expand,
    Move,
    Retain,
    Stages,
    source_of,
    values_of,
)
from growlang.net import ComponentName, Net
from growlang.torch_backend import expansions
from growlang.torch_backend.lower import LoweredNet
from growlang.torch_backend.verification import draws, gradients, parts, retained
from growlang.torch_backend.verification.case import (
    Case,
    Inputs,
    Pair,
    comparable,
    incomparable,
    inputs,
    module,
    real_inputs,
)

EXACT = 1e-10
"""Most that exact growth may differ in float64, in terms of the largest value."""
NEARLY = 100
"""How many times its eps a net may differ by that is exact to eps alone."""
ROUNDINGS = 8
"""How many of the parent's own roundings a child may differ by in float32."""
FLOOR = 1e-3
"""In terms of the largest gradient: smaller ones are held against this, as rounding is theirs."""
SEEDS = (0, 1, 2)
REAL = "on its data"
"""Behind the place of what is measured on the inputs of training, not on random ones."""


def accounted(case: Case) -> Iterator[Promise]:
    """Every tensor of both nets has an entry in the mapping, or is the source of one."""
    named = {entry.name for entry in case.mapping}
    used = named | {entry.source for entry in case.mapping}
    missing = [n for n in case.child.table if n not in named]
    missing += [n for n in case.parent.table if n not in used]
    place = missing[0] if missing else "all tensors"
    yield Promise("accounted", place, len(missing), 0, "tensors left out")


def kept(case: Case) -> Iterator[Promise]:
    """Kept and moved tensors are the parent's, bit for bit."""
    changed: dict[ComponentName, int] = {}
    for entry in case.mapping.of_child:
        if isinstance(entry.transform, Copy | Move | Retain):
            source = case.single.parent[source_of(entry.transform, entry.name) or ""]
            differs = not torch.equal(case.single.child[entry.name], source)
            changed[entry.component] = changed.get(entry.component, 0) + differs
    for component, count in changed.items():
        yield Promise("kept", component, count, 0, "tensors that differ")


def component(case: Case) -> Iterator[Promise]:
    """A kept component computes the same of the same values, whatever is new around it."""
    names = [name for name in case.kept if parts.is_alone(case.child, name)]
    if not names:
        return
    both = _modules(case, case.double)
    for name in names:
        given = parts.outside(case.parent, name, SEEDS[0])
        old, new = (parts.results(net, lowered, name, given) for net, lowered in both)
        worst = max(_apart(a, b) for a, b in zip(new, old, strict=True))
        yield Promise("component", name, worst, 0, "|child - parent| / |parent|")


def function(case: Case) -> Iterator[Promise]:
    """A child that grows exactly computes what its parent computes, in float64 and float32.

    Where a component is exact to eps, only nearly, and float32 says nothing more.
    """
    if not case.is_exact or incomparable(case.parent, case.child):
        return
    double, single = (_modules(case, pair) for pair in (case.double, case.single))
    name = case.child.name
    yield from _function(case, double, single, name, [inputs(case, seed) for seed in SEEDS])
    if given := real_inputs(case):
        yield from _function(case, double, single, f"{name}, {REAL}", [given])


def _function(
    case: Case, double: _Both, single: _Both, place: str, batches: list[Inputs]
) -> Iterator[Promise]:
    exact = rounded = own = 0.0
    for given in batches:
        with torch.no_grad():
            ours, theirs = _results(case, double, given)
            short, parents = _results(case, single, given)
        exact = max(exact, _apart(ours, theirs))
        rounded = max(rounded, _apart(short.double(), theirs))
        own = max(own, _apart(parents.double(), theirs))
    if _is_to_eps(case):
        most = NEARLY * case.child.eps
        yield Promise("function", place, exact, most, "|child - parent| / |parent|, to eps")
        return
    yield Promise("function", place, exact, EXACT, "|child - parent| / |parent|")
    limit = ROUNDINGS * max(own, torch.finfo(torch.float32).eps)
    means = f"the same in float32; the parent's own: {own:.1e}"
    yield Promise("rounding", place, rounded, limit, means)


def _is_to_eps(case: Case) -> bool:
    return any(verdict.level == "exact to eps" for verdict in case.mapping.verdicts)


def means(case: Case) -> Iterator[Promise]:
    """Whatever new ends compute beside retained ones: D of what the child denoises is the parent's.

    Here the new ends are random. Of `detail = free` nothing is promised.
    """
    last = retained.refinement(case)
    if last is None:
        return
    said, name = "|D x^ - x^ of the parent| / |x^|", case.child.name
    drawn = [inputs(case, "means", seed) for seed in SEEDS]
    worst = max(_apart(*retained.denoised(case, last, given)) for given in drawn)
    yield Promise("means", name, worst, EXACT, said)
    if given := real_inputs(case):
        found = _apart(*retained.denoised(case, last, given))
        yield Promise("means", f"{name}, {REAL}", found, EXACT, said)


def adjoint(case: Case) -> Iterator[Promise]:
    """The parent's gradient is the adjoint of the mapping on the child's: g_old = T^T g_new."""
    if not case.is_exact or _is_to_eps(case) or incomparable(case.parent, case.child):
        return
    given = inputs(case, "adjoint")
    old, new = _gradients(case, given)
    total = {name: torch.zeros_like(g) for name, g in old.items()}
    for entry in case.mapping.of_child:
        source = values_of(entry.transform, entry.name)
        if source is not None:
            g, how = new[entry.name], entry.transform
            if isinstance(how, Expand | Stages):
                g = expansions.adjoint(how, g, old[source])
            total[source] += g
    top = max(float(g.abs().max()) for g in old.values())
    apart = {
        n: float((total[n] - g).abs().max() / max(float(g.abs().max()), FLOOR * top))
        for n, g in old.items()
    }
    place = max(apart, key=lambda name: apart[name])
    yield Promise("adjoint", place, apart[place], EXACT, "|g_old - T^T g_new| / |g_old|")


def gradient(case: Case) -> Iterator[Promise]:
    """Every entry of every new part gets a gradient once the zeros before it have moved."""
    found = gradients.reach(case)
    counts: dict[ComponentName, int] = {}
    places: dict[ComponentName, str] = {}
    for name, mask in found.dead.items():
        of = case.mapping.by_name[name].component
        counts[of] = counts.get(of, 0) + int(mask.sum())
        places.setdefault(of, name)
    means = f"entries without one in {found.steps} steps{_named(found)}"
    if not counts and found.steps:
        yield Promise("gradient", "all new parts", 0, 0, means)
    for of, count in counts.items():
        yield Promise("gradient", places[of], count, 0, means)


def _named(found: gradients.Reach) -> str:
    """The tensors with structural zeros."""
    if not found.structural:
        return ""
    first, *more = found.structural
    rest = f" and {len(more)} more tensors" if more else ""
    return f"; {sum(found.structural.values()):,} can have none, in {first}{rest}"


def parting(case: Case) -> Iterator[Promise]:
    """Copies do not stay equal, unless they are meant to."""
    found: dict[ComponentName, int] = {}
    places: dict[ComponentName, str] = {}
    copied = {case.mapping.by_name[name].component for name in gradients.copied(case)}
    for name, count in gradients.alike(case).items():
        of = case.mapping.by_name[name].component
        found[of] = found.get(of, 0) + count
        places.setdefault(of, name)
    for of in sorted(copied - case.locked):
        place = places.get(of, of)
        yield Promise("parting", place, found.get(of, 0), 0, "rows that stay equal")


def _apart(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference in terms of the largest value."""
    if ours.shape != theirs.shape:
        return float("inf")
    if not ours.is_floating_point():
        return float(not torch.equal(ours, theirs))
    if torch.equal(ours, theirs):
        return 0.0
    return float((ours - theirs).abs().max() / theirs.abs().max())


class _Both(NamedTuple):
    """A net and its module, of the parent and of the child."""

    parent: tuple[Net, LoweredNet]
    child: tuple[Net, LoweredNet]


def _modules(case: Case, pair: Pair) -> _Both:
    nets = (case.parent, case.child)
    return _Both(*((net, module(net, table)) for net, table in zip(nets, pair, strict=True)))


def _results(case: Case, both: _Both, given: Inputs) -> tuple[Tensor, Tensor]:
    """What the child computes and what the parent does, of the same inputs."""
    before, after = both.parent[1], both.child[1]
    like = next(before.parameters())
    ours = after(*draws.placed(given.child, like))
    theirs = before(*draws.placed(given.parent, like))
    return comparable(case, ours, theirs)


def _gradients(case: Case, given: Inputs) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parent's gradients and the child's of one regression to noise."""
    both = _modules(case, case.double)
    ours, theirs = _results(case, both, given)
    noise = torch.randn(theirs.shape, generator=draws.generator("noise")).to(theirs)
    for result in (theirs, ours):
        (result - noise).square().mean().backward()  # type: ignore[no-untyped-call]
    old, new = (gradients.taken(lowered) for _, lowered in both)
    return old, new


PROMISES: tuple[Callable[[Case], Iterator[Promise]], ...] = (
    accounted,
    kept,
    component,
    function,
    means,
    adjoint,
    gradient,
    parting,
)
"""All promises, in the order in which they are measured and shown."""


def measured(case: Case) -> tuple[Promise, ...]:
    """What was measured of all promises that the case makes."""
    return tuple(promise for measure in PROMISES for promise in measure(case))
