"""Measures how far a grown net is from its parent: max |child - parent| / max |parent|."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Literal, NamedTuple
from zlib import crc32

import torch
from torch import Tensor
from torch.nn import functional as F

from exactness.cases import Case, net, report
from growlang.checking import Report
from growlang.growing.blocks import paired
from growlang.growing.engine import Engine, grow
from growlang.growing.matching import Pair
from growlang.growing.statements import asked, deepening
from growlang.growth.mapping import Entry, Mapping
from growlang.growth.transforms import Expand, Initialise, Stages
from growlang.growth.verdict import Kind, Obstacle
from growlang.growth.wording import reason_of_new
from growlang.net import Input, Net
from growlang.net import Tensor as Declared
from growlang.torch_backend.expansions import adjoint
from growlang.torch_backend.initialisation import draw
from growlang.torch_backend.lower import LoweredNet, lower
from growlang.torch_backend.transforms import apply

BATCH = 3
WORST: tuple[Kind, ...] = ("impossible", "dead", "incomparable", "inexact", "eps")
STILL = ("zeros", "identity")
"""Initialisers that promise something of the function."""


class Measured(NamedTuple):
    """A case as it is checked, as the engine judges it, and as it is measured."""

    report: Report
    obstacles: tuple[Obstacle, ...]
    error: float | None
    """None where nothing can be measured."""
    gradient: float | None = None
    """How far g_old is from T^T g_new."""

    @property
    def verdict(self) -> Kind | Literal["exact"]:
        """The worst of what keeps it from being exact."""
        kinds = {obstacle.kind for obstacle in self.obstacles}
        return next((kind for kind in WORST if kind in kinds), "exact")


def measured(case: Case, folder: Path, seed: int = 0) -> Measured:
    """Check a case, and measure it, whether it is refused or not."""
    found = report(case, folder)
    parent, child = net(case, "parent").net, net(case, "child").net
    mapping = found.checked.mapping if found.checked else None
    if found.checked and mapping and all(v.level == "exact" for v in mapping.verdicts):
        return Measured(found, (), *compared(parent, found.checked.net, mapping, seed))
    engine, obstacles = judged(found, parent, child)
    if not engine.transforms or any(o.kind == "impossible" for o in obstacles):
        return Measured(found, obstacles, None)
    if found.checked and mapping:
        return Measured(found, obstacles, *compared(parent, found.checked.net, mapping, seed))
    return Measured(found, obstacles, *compared(parent, engine.net, forced(engine), seed))


def judged(found: Report, parent: Net, child: Net) -> tuple[Engine, tuple[Obstacle, ...]]:
    """What the engine makes of the statements of a spec, though they promise more than holds."""
    assert found.resolved and found.resolved.resolution, str(found)
    rules = found.resolved.resolution.contract.grow
    pairs: dict[str, Pair] = {}
    obstacles: list[Obstacle] = []
    for name, growing in rules.items():
        blocks = paired(child, parent, name, deepening(growing.rules))
        pairs |= blocks.pairs
        obstacles += blocks.obstacles
    engine = grow(child, parent, pairs, {n: asked(g.rules) for n, g in rules.items()})
    return engine, (*obstacles, *(o for _, o in engine.obstacles))


def forced(engine: Engine) -> Mapping:
    """The mapping of a growth, whatever is promised of it."""
    entries = []
    for tensor in engine.net.tensors():
        transform = engine.transforms.get(tensor.name, Initialise(tensor.init))
        entries.append(Entry(tensor.name, transform, reason_of_new(False, None), tensor.shape))
    return Mapping(tuple(entries))


def compared(
    parent: Net, child: Net, mapping: Mapping, seed: int = 0
) -> tuple[float, float | None]:
    """How far child and gradients are from the parent's, whose weights are all random."""
    weights = random_weights(parent, seed)
    before, after = module(parent, weights), module(child, grown(mapping, weights, child, seed))
    given, also = inputs(parent, child, seed)
    expected, found = before(*given), after(*also)
    assert expected.std() > 1e-3
    cotangent = torch.randn(expected.shape, generator=generator("cotangent", seed)).double()
    (expected * cotangent).sum().backward()
    (alike(expected, found) * cotangent).sum().backward()
    return difference(expected.detach(), found.detach()), adjointness(before, after, mapping)


def adjointness(before: LoweredNet, after: LoweredNet, mapping: Mapping) -> float | None:
    """How far g_old is from T^T g_new, over all tensors; None of what is interpolated."""
    if any(isinstance(e.transform, Expand) and e.transform.resample for e in mapping):
        return None
    theirs = {name: p.grad for name, p in before.named_parameters() if p.grad is not None}
    ours = {name: p.grad for name, p in after.named_parameters() if p.grad is not None}
    found = {name: torch.zeros_like(gradient) for name, gradient in theirs.items()}
    for entry in mapping.of_child:
        source, gradient = entry.source, ours.get(entry.name)
        if source not in found or gradient is None:
            continue
        if isinstance(entry.transform, Expand | Stages):
            gradient = adjoint(entry.transform, gradient, found[source])
        found[source] += gradient
    most = max(gradient.abs().max().item() for gradient in theirs.values())
    return max((found[n] - g).abs().max().item() for n, g in theirs.items()) / most


def alike(expected: Tensor, found: Tensor) -> Tensor:
    """What the child computes, shaped as the parent's: old logits, and means of finer pixels."""
    if expected.dim() == 4 and found.shape[2:] != expected.shape[2:]:
        return F.adaptive_avg_pool2d(found, expected.shape[2:])
    return found[..., : expected.shape[-1]]


def difference(expected: Tensor, found: Tensor) -> float:
    """Of logits, the old ones; of a finer image, from the old one with each pixel repeated."""
    if expected.dim() == 4 and found.shape[2:] != expected.shape[2:]:
        expected = F.interpolate(expected, size=found.shape[2:], mode="nearest")
    found = found[..., : expected.shape[-1]]
    return ((found - expected).abs().max() / expected.abs().max()).item()


def grown(mapping: Mapping, weights: dict[str, Tensor], child: Net, seed: int) -> dict[str, Tensor]:
    """The child's weights; what is drawn is random, whatever it is drawn by."""
    start = random_weights(child, seed + 7)
    for entry in mapping.of_child:
        init = entry.transform.init if isinstance(entry.transform, Initialise) else ""
        if init in STILL:
            value = Declared(entry.name, entry.shape, init)
            start[entry.name] = draw(value, seed).double()
    apply(mapping, weights, start)
    return start


def random_weights(of: Net, seed: int) -> dict[str, Tensor]:
    """Random values of about the size that training leaves: gates, biases, zeros, all of them."""
    return {name: _drawn(tensor, seed) for name, tensor in of.table.items()}


def generator(name: str, seed: int) -> torch.Generator:
    """Random numbers that depend on a name and a seed alone."""
    return torch.Generator().manual_seed(crc32(f"{name}:{seed}".encode()))


def _drawn(tensor: Declared, seed: int) -> Tensor:
    value = torch.randn(tensor.shape, generator=generator(tensor.name, seed), dtype=torch.float64)
    if tensor.init == "ones":
        return 1 + 0.3 * value
    if len(tensor.shape) == 1:
        return 0.3 * value
    scale = {"embedding": 1.0}.get(tensor.init, prod(tensor.shape[1:]) ** -0.5)
    return value * scale


def module(of: Net, weights: dict[str, Tensor]) -> LoweredNet:
    """A net in float64 with these weights."""
    lowered = lower(of, "cpu").double().eval()
    lowered.load_state_dict(weights)
    return lowered


def inputs(parent: Net, child: Net, seed: int) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs of a child, and of its parent: coarser images, fewer tokens, hashes modulo less."""
    found: dict[str, Tensor] = {}
    for given in child.inputs:
        old = next((i for i in parent.inputs if i.name == given.name), given)
        found[given.name] = _input(given, old, parent, seed)
    theirs = [_parents(found[i.name], i, parent) for i in parent.inputs]
    ours = [_hashed(found[i.name], i, child) for i in child.inputs]
    return theirs, ours


def _input(given: Input, old: Input, parent: Net, seed: int) -> Tensor:
    """One input; ids of words are hashes; masked where the parent reads none."""
    shape = (BATCH, *given.shape.dims)
    drawn = generator(given.name, seed)
    if given.role == "mask":
        read = old.shape.dims[0]
        mask = torch.zeros(shape, dtype=torch.bool)
        mask[:, :read] = True
        mask[0, read - 2 : read] = False
        return mask
    if given.role == "log_snr":
        return torch.linspace(-9, 9, BATCH, dtype=torch.float64)
    if given.role in ("image", "embedding", "number"):
        return torch.randn(shape, generator=drawn, dtype=torch.float64)
    most: dict[str, Callable[[], int]] = {
        "tokens": lambda: parent.result.width,
        "label": lambda: 4,
        "ids": lambda: 10**6,
    }
    return torch.randint(0, most[given.role](), shape, generator=drawn)


def _parents(value: Tensor, given: Input, parent: Net) -> Tensor:
    if given.role == "image" and value.shape[2:] != given.shape.dims[1:]:
        return F.adaptive_avg_pool2d(value, given.shape.dims[1:])
    if given.role in ("ids", "mask"):
        value = value[:, : given.shape.dims[0]]
    return _hashed(value, given, parent)


def _hashed(value: Tensor, given: Input, of: Net) -> Tensor:
    if given.role != "ids":
        return value
    return value % int(of.encoders[str(given.condition)]["vocabulary"])
