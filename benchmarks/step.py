"""A training step: the compiled graph against hand-written code, a frozen core against all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.hand_written import Core32
from benchmarks.measuring import ROOT, Result, ratio, result, show, taken
from growlang.checking import Checked, check
from growlang.net import Input, Net
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import lower

BATCH = 16
STEPS = 30
WARM_UP = 3


class Step:
    """Forward, squared error, backward and fused AdamW on one batch; a call is one step."""

    def __init__(self, module: nn.Module, batch: Sequence[Tensor], frozen: Sequence[str]) -> None:
        self.module, self.batch = module, batch
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name not in frozen)
        trained = [p for p in module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)

    def __call__(self) -> None:
        """Train one step."""
        error: Tensor = self.module(*self.batch).square().mean()
        error.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def checked(path: str) -> Checked:
    """The checked spec. Raises RuntimeError if it has findings."""
    report = check(ROOT / Path(path))
    if report.checked is None:
        raise RuntimeError(f"{path} has findings")
    return report.checked


def batch_of(net: Net) -> list[Tensor]:
    """Random values of the net's inputs, in order."""
    torch.manual_seed(0)
    return [_value(i, net) for i in net.inputs]


def _value(wanted: Input, net: Net) -> Tensor:
    shape = (BATCH, *wanted.shape.dims)
    if wanted.role == "mask":
        return torch.ones(shape, dtype=torch.bool)
    if wanted.role == "ids":
        return torch.randint(net.encoders[wanted.condition]["vocabulary"], shape)
    return torch.randn(shape)


def interleaved(one: Callable[[], None], other: Callable[[], None]) -> list[tuple[float, float]]:
    """Seconds of both, in turn, each first in every other pair."""
    for _ in range(WARM_UP):
        one()
        other()
    pairs = []
    for i in range(STEPS):
        if i % 2:
            b, a = taken(other), taken(one)
        else:
            a, b = taken(one), taken(other)
        pairs.append((a, b))
    return pairs


def peak(work: Callable[[], None]) -> int:
    """Most bytes that PyTorch has allocated at once during a call, beyond those before it."""
    with torch.profiler.profile(profile_memory=True) as profiler:
        work()
    assert profiler.profiler is not None
    events = profiler.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    held = most = 0
    for _, change in changes:
        held += change
        most = max(most, held)
    return most


def against_hand_written() -> list[Result]:
    """Time and peak memory of the compiled graph over those of hand-written code."""
    net = checked("benchmarks/core_32.grow").net
    compiled = lower(net)
    initialise(compiled, net, seed=0)
    hand, batch = Core32(net, deepcopy(compiled)), batch_of(net)
    torch.testing.assert_close(compiled(*batch), hand(*batch), rtol=0, atol=0)
    ours, theirs = Step(compiled, batch, ()), Step(hand, batch, ())
    pairs = interleaved(ours, theirs)
    most, least = peak(ours), peak(theirs)
    detail = f"{most / 2**20:.2f} MiB / {least / 2**20:.2f} MiB"
    return [
        ratio("step: compiled / hand-written", pairs, 1.03, "core_32, same weights and result"),
        result("peak memory of a step: compiled / hand-written", [most / least], "x", 1, detail),
    ]


def frozen_against_full(path: str, target: float | None) -> Result:
    """Time of a step of the phase that freezes the core over one that trains everything."""
    spec = checked(path)
    net, phase = spec.net, spec.phases("grown")[0]
    modules = [lower(net) for _ in range(2)]
    for module in modules:
        initialise(module, net, seed=0)
    batch = batch_of(net)
    pairs = interleaved(Step(modules[0], batch, phase.frozen), Step(modules[1], batch, ()))
    share = sum(n.flops for n in net.of("core")) / sum(n.flops for n in net.nodes)
    name = f"step: core frozen / all trained, {net.name}"
    return ratio(name, pairs, target, f"the core has {share:.0%} of the FLOPs")


def measure() -> list[Result]:
    """Ratios of the time of training steps, on one thread."""
    torch.set_num_threads(1)
    return [
        *against_hand_written(),
        frozen_against_full("benchmarks/deep_64.grow", 0.9),
        frozen_against_full("examples/emoji/emoji_64.grow", None),
    ]


if __name__ == "__main__":
    show(measure())
