"""Runs whose recipe changes its course: they go on as if they had never been interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tiny import interrupt_at, phase, plan, state, train, write_data

from growlang.spec.optimizers import SGD, Adam, Optimizer
from growlang.spec.rates import CosineDecay, Epochs
from growlang.spec.recipe import Phase
from growlang_runtime.storage.run import recorded_plan


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
