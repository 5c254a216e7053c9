"""Evaluations while a run trains: they leave it untouched, and a run is not lost by one."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from evaluations import evaluated, small  # noqa: F401
from tiny import metrics, phase, state, train

from growlang.diagnostics import GrowlangError
from growlang.spec.metrics import KID, CLIPScore, FDEffLite0, HeldOutLoss, Metric, Retrieval
from growlang_runtime import sample
from growlang_runtime.evaluation import retrieval
from growlang_runtime.evaluation.during import Evaluator
from growlang_runtime.evaluation.loaded import loaded_once
from growlang_runtime.evaluation.result import Evaluation
from growlang_runtime.evaluation.subject import Measured
from growlang_runtime.train.step import Stepper


def test_evaluations_leave_training_untouched(data: Path) -> None:
    every = evaluated(Retrieval(), HeldOutLoss(), count=2, every=2)
    plain = evaluated(Retrieval(), HeldOutLoss(), count=2)
    with_, without = train(every, data, quiet=True), train(plain, data, name="plain", quiet=True)
    assert state(with_) == state(without)
    said = [v for v in metrics(with_.run) if v.get("event") == "evaluation"]
    assert [v["step"] for v in said] == [2, 4]
    losses = {
        v["step"]: v["averaged"] for v in metrics(with_.run) if v.get("event") == "validation"
    }
    assert said[-1]["metrics"]["held_out_loss"] == pytest.approx(losses[4], rel=1e-6)
    assert not (with_.run / "evaluation/images").exists()
    assert len([*(with_.run / "evaluation").glob("step_*.json")]) == 2


def test_a_run_that_is_stopped_in_an_evaluation_goes_on_with_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = evaluated(Retrieval(), every=2)
    whole = train(made, data, quiet=True)
    counted, draw = 0, sample.Drawer.draw

    def stopped(drawer: sample.Drawer, *args: Any, **kwargs: Any) -> torch.Tensor:
        nonlocal counted
        counted += 1
        if counted == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return draw(drawer, *args, **kwargs)

    monkeypatch.setattr(sample.Drawer, "draw", stopped)
    first = train(made, data, name="stopped", quiet=True)
    assert (first.step, first.signal) == (2, signal.SIGTERM)
    counted = 100
    again = train(made, data, name="stopped", resume="must", quiet=True)
    assert counted == 100 + 1 + 3  # one chunk of three was left, then those of the last step
    assert state(again) == state(whole)
    lines = [
        [(v["step"], v["metrics"]) for v in metrics(run) if v.get("event") == "evaluation"]
        for run in (whole.run, again.run)
    ]
    assert lines[0] == lines[1]


def test_an_evaluation_while_training_takes_away_its_own_images_and_networks_alone(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[int] = []
    load = loaded_once(lambda: loads.append(1))
    of, measure = Evaluator._measure, retrieval.retrieval

    def beside_manual(self: Evaluator, *args: Any) -> Evaluation:
        (self.run / "evaluation/images/manual").mkdir(parents=True, exist_ok=True)
        return of(self, *args)

    def loading(*args: Any) -> Measured:
        load()
        load()
        return measure(*args)

    monkeypatch.setattr(Evaluator, "_measure", beside_manual)
    monkeypatch.setattr(retrieval, "retrieval", loading)
    found = train(evaluated(Retrieval(), count=2, every=2), data, quiet=True)
    assert [p.name for p in (found.run / "evaluation/images").iterdir()] == ["manual"]
    assert loads == [1, 1]


def test_the_evaluation_of_the_last_step_is_not_lost(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = evaluated(Retrieval(), every=4)
    draw = sample.Drawer.draw

    def stopped(drawer: sample.Drawer, *args: Any, **kwargs: Any) -> torch.Tensor:
        os.kill(os.getpid(), signal.SIGTERM)
        return draw(drawer, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(sample.Drawer, "draw", stopped)
        first = train(made, data, quiet=True)
        assert (first.step, first.exit_status) == (4, 143)
        patch.setattr(Stepper, "take", None)
        second = train(made, data, resume="must", quiet=True)  # all steps are done, it is not
        assert (second.step, second.exit_status) == (4, 143)
    assert not (first.run / "model.safetensors").exists()
    last = train(made, data, resume="must", quiet=True)
    assert last.exit_status == 0 and (last.run / "model.safetensors").exists()
    assert [v["step"] for v in metrics(last.run) if v.get("event") == "evaluation"] == [4]


def test_an_evaluation_that_fails_does_not_end_the_run(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("no memory is left")

    freed: list[int] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append(1))
    monkeypatch.setattr(sample.Drawer, "draw", full)
    phases = [phase("one", steps=2), phase("two", steps=2)]
    made = evaluated(Retrieval(), every=2).model_copy(update={"phases": phases})
    found = train(made, data, quiet=True)
    texts = [v["text"] for v in metrics(found.run) if v.get("event") == "warning"]
    assert found.exit_status == 0
    assert texts == [
        f"the evaluation of step {step} failed: OutOfMemoryError: no memory is left"
        for step in (2, 4)  # once each, at the end of a phase and of the run
    ]
    assert len(freed) == 2


@pytest.mark.parametrize("metric", [KID(subset_size=2), CLIPScore(weights="none/clip")])
def test_missing_weights_are_told_before_the_first_step(data: Path, metric: Metric) -> None:
    with pytest.raises(GrowlangError, match=f"`{metric.call}` (needs|cannot load)"):
        train(evaluated(metric, every=2), data, quiet=True)
    assert not (data / "runs/tiny/main").exists()


def test_an_evaluation_that_no_run_could_make_is_refused(data: Path) -> None:
    with pytest.raises(GrowlangError, match=r"none\.txt"):
        train(evaluated(Retrieval(), every=2, prompts="none.txt"), data, quiet=True)
    with pytest.raises(GrowlangError, match="needs at least 1,281"):
        train(evaluated(FDEffLite0(), every=2), data, name="few", quiet=True)
