"""A step never waits for the device, and what it found is known one step later."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fixture_specs import SPECS, checked
from tiny import break_steps, metrics, phase, plan, state, train
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from growlang.net.generations import refinements
from growlang.plans.plan import Plan
from growlang.spec.objectives import Diffusion
from growlang.spec.optimizers import AdamW, Muon
from growlang.torch_backend.lower import lower
from growlang_runtime.diffusion.generations import Errors
from growlang_runtime.diffusion.objective import denoiser, objective_of
from growlang_runtime.storage.run import Run
from growlang_runtime.storage.status import StatusFile
from growlang_runtime.train.batches import StepBatch, step_batches
from growlang_runtime.train.ema import EMA
from growlang_runtime.train.freezing import freeze
from growlang_runtime.train.optimizer import Factors, Optimizer
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.setup import Setup, set_up
from growlang_runtime.train.state import State
from growlang_runtime.train.trainer import Trainer

CPU, META = torch.device("cpu"), torch.device("meta")
GROWN = "core.transformer.0.mlp.up.weight"
"""A tensor that is given factors of growth."""
Fake = Callable[[Tensor], Tensor]


class OneDevice(TorchDispatchMode):
    """Refuses to copy from one device to another: a step has all that it needs on its own."""

    def __torch_dispatch__(
        self, called: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        found = called(*args, **(kwargs or {}))
        if called in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default):
            devices = {a.device for a in (*args, found) if isinstance(a, Tensor)}
            assert len(devices) == 1, f"{called} between {devices}"
        return found


def on(setup: Setup, fake: Fake, device: torch.device) -> Setup:
    """The same module and state, of tensors without values on a device."""
    own = {
        name: nn.Parameter(fake(p), p.requires_grad) for name, p in setup.module.named_parameters()
    }
    for name, parameter in own.items():
        place, _, leaf = name.rpartition(".")
        setattr(setup.module.get_submodule(place), leaf, parameter)
    before = setup.state
    optimizer = Optimizer(own, before.optimizer.decay, before.optimizer.matrices)
    ema = EMA({n: fake(t) for n, t in before.ema.averages.items()}, before.ema.updates)
    along = tuple(fake(torch.ones(length)) for length in own[GROWN].shape)
    optimizer.factors[GROWN] = Factors(along, along, along)
    ema.born[GROWN], ema._youngest[GROWN] = along, 0
    return replace(setup, device=device, state=State(own, ema, optimizer))


def placed(batch: StepBatch, fake: Fake) -> StepBatch:
    """The batch on the device, as it is when a step begins."""
    given = {name: fake(value) for name, value in batch.conditions.items()}
    return replace(batch, x=fake(batch.x), t=fake(batch.t), conditions=given)


@pytest.mark.parametrize("device", [pytest.param(CPU, marks=pytest.mark.slow), META], ids=str)
def test_forward_backward_clip_update_and_averages_wait_for_nothing(
    data: Path, monkeypatch: pytest.MonkeyPatch, device: torch.device
) -> None:
    """Fake tensors on the CPU, and tensors of another device without values, cannot be read.

    That nothing is copied to a device meanwhile, which would wait too, only the latter tell.
    """
    if device == META:
        monkeypatch.setattr(torch, "autocast", lambda *_: nullcontext())
    how = Muon(rest=AdamW())
    given = plan([phase(optimizer=how, frozen=("time.linear1.weight",), precision="bf16")])
    options = RunOptions(data_root=data, quiet=True, log_every=100)
    setup = set_up(given, options, data, CPU)
    (first,) = setup.data
    freeze(setup.module, frozenset(first.phase.frozen))
    batches = list(step_batches(first, setup.previews.conditioner, 0, 1, META))
    assert batches[0].noise.made is None
    objective = objective_of(first.phase.settings.objective, setup.net)
    mode = FakeTensorMode() if device == CPU else nullcontext()

    def fake(real: Tensor) -> Tensor:
        return torch.empty(real.shape, dtype=real.dtype, device=device)

    with Run.create(data / "fake", setup.plan) as run, mode:
        trainer = Trainer(run, on(setup, fake, device), options, StatusFile(run.path, 2, ""))
        monkeypatch.setattr(Trainer, "lags", True)
        trainer.stepper.begin = lambda values: lambda: [0.0, 0.0]
        for batch in [placed(batch, fake) for batch in batches[:2]]:
            with OneDevice():
                trainer._step(first, objective, batch)
        with OneDevice():
            trainer._settle()
    assert trainer.step == 2
    assert set(trainer.state.ema.updates.values()) == {2}


def test_the_errors_of_generations_wait_for_nothing() -> None:
    model = checked(SPECS.parent / "retain" / "middle.grow").net
    assert refinements(model)
    objective = objective_of(Diffusion(), model)
    module, errors = lower(model, META), Errors(model)
    x, t = torch.empty(2, *model.image.dims, device=META), torch.empty(2, device=META).double()
    conditions = {
        i.name: torch.zeros(2, *i.shape.dims, dtype=torch.int64 if i.role == "ids" else None)
        for i in model.inputs
        if i.condition
    }
    given = {n: v.bool() if n.endswith("mask") else v for n, v in conditions.items()}
    denoise = denoiser(module, model, {n: v.to(META) for n, v in given.items()})
    with OneDevice():
        objective.losses(errors.watching(denoise, x, x), x, x, t).sum().backward()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the loss of some steps NaN, counted from 1 over the run that follows."""

    def at(*steps: int) -> None:
        break_steps(monkeypatch, lambda step: step in steps)

    return at


def test_what_is_known_a_step_later_gives_the_same_run(
    data: Path, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., None]
) -> None:
    """Skipped steps, phases, checkpoints and a resume included: as if each step were waited for."""

    def phases() -> Plan:
        return plan([phase("cold", 5, frozen=("time.linear1.weight",), ema=0.9), phase("warm", 6)])

    broken(2, 4, 5, 9)
    now = train(phases(), data, "now", quiet=True, checkpoint_every=3)
    monkeypatch.setattr(Trainer, "lags", True)
    broken(2, 4, 5, 9)
    later = train(phases(), data, "later", quiet=True, checkpoint_every=3)
    assert state(later) == state(now)
    assert told(later.run) == told(now.run)


def told(run: Path) -> set[tuple[Any, ...]]:
    """What the metrics say of each step; they may say it in another order."""
    wanted = ("step", "phase", "event", "loss", "lr", "grad_norm", "skipped", "text")
    return {tuple(line.get(name) for name in wanted) for line in metrics(run)}


def test_a_streak_ends_a_run_that_lags_at_the_same_step(
    data: Path, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., None]
) -> None:
    messages = []
    for lags in (False, True):
        monkeypatch.setattr(Trainer, "lags", lags)
        broken(*range(3, 40))
        with pytest.raises(Exception, match="for 10 steps in a row, last at step 12") as error:
            train(plan([phase(steps=30)]), data, f"lags-{lags}", quiet=True)
        messages.append(str(error.value).replace(str(lags), ""))
    assert messages[0] == messages[1]


def test_a_skipped_update_changes_nothing_of_any_kind(data: Path) -> None:
    weights = {name: nn.Parameter(torch.randn(4, 4)) for name in ("plain", "grown", "matrix")}
    optimizer = Optimizer(weights, frozenset(weights), {"matrix": (4,)})
    along = (torch.full((4,), 2.0), torch.ones(4))
    optimizer.factors["grown"] = Factors(along, along, (torch.zeros(4), torch.zeros(4)))
    settings = Muon(rest=AdamW())

    def everything() -> list[Tensor]:
        moments = [optimizer.first, optimizer.second, optimizer.momentum, optimizer.steps]
        return [t.detach().clone() for of in (weights, *moments) for t in of.values()]

    def step(gradient: float, skipped: float) -> list[Tensor]:
        for weight in weights.values():
            weight.grad = torch.full((4, 4), gradient)
        optimizer.step(settings, 0.1, {}, torch.tensor(skipped))
        return everything()

    before = step(1.0, 0.0)
    for gradient in (float("nan"), float("inf"), 1.0):
        after = step(gradient, 1.0)
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    moved = step(1.0, 0.0)
    assert not any(torch.equal(a, b) for a, b in zip(before, moved, strict=True))
