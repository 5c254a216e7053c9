"""Runs whose recipe changes its course: they go on as if they had never been interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from tiny import CORE, interrupt_at, metrics, phase, plan, state, train, write_data

from growlang.diagnostics import GrowlangError
from growlang.spec.averages import Power
from growlang.spec.objectives import Diffusion
from growlang.spec.optimizers import SGD, Adam, AdamW, Muon, Optimizer
from growlang.spec.rates import CosineDecay, Epochs
from growlang.spec.recipe import Phase
from growlang.torch_backend.tensor_files import tensor_hash
from growlang_runtime.storage.checkpoint import newest
from growlang_runtime.storage.run import recorded_plan
from growlang_runtime.storage.weights import load
from growlang_runtime.train.ema import EMA


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path)


def interrupted(
    phases: Sequence[Phase], at: int, data: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, str], dict[str, str]]:
    """The last states of a run as a whole, and of one that was stopped after a step."""
    whole = train(plan(phases), data, name="whole")
    with monkeypatch.context() as patched:
        interrupt_at(patched, at)
        stopped = train(plan(phases), data, name="stopped")
    assert stopped.step == at
    resumed = train(plan(phases), data, name="stopped", resume="must")
    assert resumed.step == whole.step
    return state(whole), state(resumed)


def test_a_warm_up_in_epochs_is_recorded_and_resumed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = {"warmup": Epochs(count=3), "lr_schedule": CosineDecay(min=1e-3)}
    phases = [phase("main", 8, **how)]
    whole, resumed = interrupted(phases, 4, data, monkeypatch)
    assert whole == resumed
    recorded = recorded_plan(data / "runs" / "tiny" / "stopped")
    assert recorded.phases[0].warmup_steps == 5  # of 6 images by 4
    assert recorded.declared == plan(phases).declared


@pytest.mark.parametrize("how", [SGD(lr=1e-3), Adam(lr=1e-3, weight_decay=0.1)], ids=repr)
def test_every_optimizer_resumes_to_the_same_tensors(
    how: Optimizer, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, resumed = interrupted([phase(steps=4, optimizer=how)], 2, data, monkeypatch)
    assert whole == resumed
    kept = {name.split(".")[1] for name in whole if name.startswith("moment.")}
    assert kept == {*how.moments()}


ADAMW, FASTER, SIGNS = AdamW(lr=1e-3), AdamW(lr=2e-3), SGD(lr=1e-3)
MUON = Muon(lr=1e-3)


@pytest.mark.parametrize("at", [2, 3, 5, 7])
@pytest.mark.parametrize("kinds", [(ADAMW, SIGNS, ADAMW), (MUON, ADAMW, MUON)], ids=repr)
def test_a_run_resumes_over_a_change_of_optimizer(
    kinds: tuple[Optimizer, ...], at: int, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the change, at it, and after it; the first phase's frozen core trains later."""
    first, second, third = kinds
    phases = [
        phase("first", 3, optimizer=first, frozen=CORE),
        phase("second", 3, optimizer=second, objective=Diffusion(predict="x")),
        phase("third", 3, optimizer=third),
    ]
    whole, resumed = interrupted(phases, at, data, monkeypatch)
    assert whole == resumed


def test_only_an_optimizer_of_the_same_kind_goes_on_with_the_moments(data: Path) -> None:
    def counts(second: Optimizer) -> set[int]:
        phases = [phase("a", 3, optimizer=ADAMW), phase("b", 2, optimizer=second)]
        run = train(plan(phases), data, name=f"{second.call}-{second.lr:g}").run
        found, _ = newest(run / "checkpoints")
        assert found is not None
        return set(found.record.counts.optimizer.values())

    assert counts(FASTER) == {5}
    assert counts(SIGNS) == {2}


def test_the_objective_of_a_phase_trains_it(data: Path) -> None:
    losses = []
    for predict in ("v", "x"):
        phases = [phase("a", 2), phase("b", 1, objective=Diffusion(predict=predict))]  # type: ignore[arg-type]
        losses.append(metrics_of(train(plan(phases), data, name=predict).run))
    assert losses[0][:2] == losses[1][:2] and losses[0][2] != losses[1][2]


def metrics_of(run: Path) -> list[float]:
    return [line["loss"] for line in metrics(run) if "loss" in line]


SEVERAL: list[float | Power] = [0.5, Power(sigma_rel=0.1)]


def test_several_averages_are_trained_stored_resumed_and_chosen(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = [phase("a", 4, ema=SEVERAL), phase("b", 4, ema=SEVERAL)]
    whole, resumed = interrupted(phases, 5, data, monkeypatch)
    assert whole == resumed
    parts = {".".join(name.split(".")[:2]) for name in whole if name.startswith("ema.")}
    assert parts == {"ema.0", "ema.1"}
    run = data / "runs" / "tiny" / "whole"
    first, second, plain = (load(run, ema=ema).tensors for ema in (True, 1, False))
    name = "core.transformer.0.attend.self.modulation.weight"
    assert tensor_hash(first[name]) == whole[f"ema.0.{name}"]
    assert tensor_hash(second[name]) == whole[f"ema.1.{name}"]
    assert tensor_hash(plain[name]) == whole[f"model.{name}"]
    with pytest.raises(GrowlangError, match="no average 2"):
        load(run, ema=2)
    alone = train(plan([phase("a", 4, ema=0.5), phase("b", 4, ema=0.5)]), data, name="alone")
    assert state(alone)[f"ema.{name}"] == whole[f"ema.0.{name}"]


def test_the_power_average_has_the_profile_of_the_paper() -> None:
    power = Power(sigma_rel=0.1)
    assert (power.gamma, Power(sigma_rel=0.05).gamma) == pytest.approx((6.94, 16.97), abs=0.01)
    weights = {"w": torch.zeros(1, dtype=torch.float64)}
    ema = EMA.of({"w": torch.full((1,), 9.0, dtype=torch.float64)})
    seen = []
    for n in range(2000):  # each step leaves a mark: the average is the sum of its profile
        weights["w"].fill_(n)
        ema.update(weights, power)
        seen.append(float(ema.averages["w"]))
    gamma = power.gamma
    assert seen[-1] / 2000 == pytest.approx((gamma + 1) / (gamma + 2), abs=1e-3)
