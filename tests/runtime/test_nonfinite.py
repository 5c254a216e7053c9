"""Steps without a finite loss and gradient: what is told, what is kept, and how the run ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import break_steps, metrics, phase, plan, train

from growlang.diagnostics import GrowlangError
from growlang.spec.optimizers import AdamW
from growlang.spec.recipe import Start
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.report.samples import Places
from growlang_runtime.sample import sample
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.record import Record
from growlang_runtime.storage.status import read_status
from growlang_runtime.storage.weights import load
from growlang_runtime.train.optimizer import Optimizer

UP = "core.transformer.0.mlp.up.bias"

Break = Callable[[Collection[int]], None]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Makes the loss of some steps NaN, counted from 1 over the runs that follow."""

    def at(steps: Collection[int]) -> None:
        break_steps(monkeypatch, lambda step: step in steps)

    return at


def folder(data: Path, out: str = "runs") -> Path:
    return data / out / "tiny" / "main"


def steps_kept(run: Path) -> list[int]:
    return sorted(int(p.name.removeprefix("step_")) for p in (run / "checkpoints").iterdir())


def test_a_streak_is_told_when_it_begins_and_when_it_ends(
    data: Path, broken: Break, capfd: pytest.CaptureFixture[str]
) -> None:
    broken({3, 4, 5, 7})
    result = train(plan([phase(steps=8)]), data)
    assert result.exit_status == 0
    err = capfd.readouterr().err.splitlines()
    told = [line.removeprefix("warning: ") for line in err if line.startswith("warning")]
    assert told == [
        "skipped step 3: loss nan, gradient norm nan; the weights are unchanged, and training "
        "stops after 10 skipped steps in a row",
        "step 6 is finite again: skipped steps 3 to 5 (3 in a row, 3 in total)",
        "skipped step 7: loss nan, gradient norm nan; the weights are unchanged, and training "
        "stops after 10 skipped steps in a row",
        "step 8 is finite again: skipped step 7 (1 in a row, 4 in total)",
        "4 of 8 steps were skipped",
    ]
    assert [line["text"] for line in metrics(result.run) if line.get("event") == "warning"] == told
    progress = [line for line in err if line.startswith("main  step")]
    assert len(progress) == 8
    assert "step 4/8  loss nan" in progress[3]
    assert "  2 skipped" in progress[3]


def test_metrics_go_on_during_a_streak(data: Path, broken: Break) -> None:
    broken({3, 4})
    result = train(plan([phase(steps=5)]), data, quiet=True)
    measured = [line for line in metrics(result.run) if "lr" in line]
    assert [line["step"] for line in measured] == [1, 2, 3, 4, 5]
    assert [line["loss"] is None for line in measured] == [False, False, True, True, False]
    assert [line.get("skipped") for line in measured] == [None, None, 1, 2, None]
    skipped = [line["step"] for line in metrics(result.run) if line.get("event") == "skipped"]
    assert skipped == [3, 4]


def test_skipped_steps_change_nothing_but_the_count_of_steps(data: Path, broken: Break) -> None:
    broken({3, 4})
    result = train(plan([phase(steps=5)]), data, checkpoint_every=1, keep_checkpoints=9, quiet=True)
    before, after = (
        checkpoint.read(result.run / "checkpoints" / f"step_{step:08d}") for step in (2, 4)
    )
    assert contents_hash(before.tensors()) == contents_hash(after.tensors())
    assert before.record.counts == after.record.counts
    assert [c.record.nonfinite for c in (before, after)] == [0, 2]


def test_no_older_checkpoint_goes_during_a_streak(
    data: Path, broken: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(range(4, 8))
    seen: dict[int, list[int]] = {}
    save = checkpoint.save

    def noted(path: Path, record: Record, *rest: Any) -> Path:
        seen[record.step] = steps_kept(path.parent)
        return save(path, record, *rest)

    monkeypatch.setattr(checkpoint, "save", noted)
    result = train(plan([phase(steps=9)]), data, checkpoint_every=1, keep_checkpoints=2, quiet=True)
    assert seen[4] == [2, 3]
    assert seen[8] == [2, 3, 4, 5, 6, 7]
    assert steps_kept(result.run) == [7, 8, 9]  # the last one is a phase's end


def test_a_signal_during_a_streak_saves_and_the_run_goes_on(
    data: Path, broken: Break, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    given = plan([phase(steps=6)])
    broken({3, 4})
    whole = train(given, data, "whole", quiet=True)
    broken({3, 4})
    write = Metrics.write

    def hit(self: Metrics, **values: Any) -> None:
        write(self, **values)
        if values["step"] == 3 and values.get("event") == "skipped":
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "write", hit)
        stopped = train(given, data, quiet=True)
    assert (stopped.exit_status, stopped.step, steps_kept(stopped.run)) == (143, 3, [3])
    broken({1})
    resumed = train(given, data, resume="must")
    assert contents_hash(load(resumed.run).tensors) == contents_hash(load(whole.run).tensors)
    assert "skipped steps 3 to 4 (2 in a row, 2 in total)" in capfd.readouterr().err


def test_a_run_that_ends_in_a_streak_is_not_finished(data: Path, broken: Break) -> None:
    given = plan([phase(steps=6)])
    broken({5, 6})
    with pytest.raises(GrowlangError, match=r"last 2 steps were skipped.* weights of step 4"):
        train(given, data, quiet=True, checkpoint_every=2, keep_checkpoints=9)
    assert not (folder(data) / "model.safetensors").exists()
    assert steps_kept(folder(data)) == [2, 4, 6]
    assert not any(line.get("event") == "finished" for line in metrics(folder(data)))
    with pytest.raises(GrowlangError, match="does not count as finished") as error:
        train(given, data, resume="must", quiet=True)
    assert not (folder(data) / "model.safetensors").exists()
    assert "from its checkpoint of step 2" in error.value.help


def test_a_run_that_gives_up_names_a_way_that_works(data: Path, broken: Break) -> None:
    """Not the checkpoints of the streak, nor the last before it: from them no step is finite."""
    broken(range(6, 99))
    options = {"quiet": True, "checkpoint_every": 1, "keep_checkpoints": 9}
    given = plan([phase(steps=20)])
    with pytest.raises(GrowlangError, match=r"10 steps in a row, last at step 15") as error:
        train(given, data, **options)
    batch = folder(data) / "nonfinite_00000015.safetensors"
    assert str(batch) in error.value.message
    assert batch.exists()
    assert [p.name for p in folder(data).glob("model*")] == []
    assert f"--from {folder(data)}@4 --name main-2" in error.value.help
    assert "lower `lr` (now 0.01)" in error.value.help
    assert "--resume would repeat the same steps" in error.value.help
    said = read_status(folder(data))
    assert said is not None
    assert (said.state, said.reason, said.command) == ("failed", error.value.message, None)

    broken(range(1, 99))
    with pytest.raises(GrowlangError, match="10 steps in a row"):
        train(given, data, resume="must", **options)
    broken({})
    start = Start(origin="path", path=str(folder(data) / "checkpoints" / "step_00000004"))
    lower = plan([phase(steps=2, optimizer=AdamW(lr=1e-3))], start=start)
    assert train(lower, data, "lower", quiet=True).finished


def test_without_an_older_checkpoint_the_way_is_from_the_start(data: Path, broken: Break) -> None:
    broken(range(1, 99))
    with pytest.raises(GrowlangError, match="10 steps in a row") as error:
        train(plan([phase(steps=20, precision="bf16")]), data, quiet=True)
    assert "set `precision = fp32`, in the spec or with --set" in error.value.help
    assert "--from" not in error.value.help


def test_an_update_that_breaks_the_weights_ends_the_run_before_it_is_saved(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Optimizer.step

    def overflow(self: Optimizer, *arguments: Any) -> None:
        step(self, *arguments)
        if self.steps[UP] == 3:
            with torch.no_grad():
                self.weights[UP][0] = float("inf")

    monkeypatch.setattr(Optimizer, "step", overflow)
    for out, every in (("saved", 1), ("later", 100)):
        words = rf"the weights are not finite after step 3: NaN or infinity in .*`(model\.)?{UP}`"
        with pytest.raises(GrowlangError, match=words):
            train(plan([phase(steps=9)]), data, out, quiet=True, checkpoint_every=every)
        assert not (folder(data, out) / "model.safetensors").exists()
    assert steps_kept(folder(data, "saved")) == [1, 2]
    assert steps_kept(folder(data, "later")) == []


def test_images_that_are_not_finite_are_told(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    nan = torch.full((2, 1, 8, 8), float("nan"))
    monkeypatch.setattr("growlang_runtime.report.previews.generate", lambda *_: nan)
    monkeypatch.setattr("growlang_runtime.sample.generate", lambda *_: nan)
    result = train(plan(), data)
    grid = result.run / "samples" / "step_00000004.png"
    assert f"warning: NaN or infinity in the images of {grid}" in capfd.readouterr().err
    assert grid.exists()
    with pytest.raises(
        GrowlangError, match="gave NaN or infinity, although its weights are finite"
    ):
        sample(result.run, prompts=["a", "b"], places=Places(data / "grid.png"))
    assert not (data / "grid.png").exists()
