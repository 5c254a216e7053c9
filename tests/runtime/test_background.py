"""Checkpoints in the background: of the step that they are of, one at a time, none lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from tiny import full_disk, metrics, phase, plan, train
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.torch_backend.tensor_files import tensor_hash
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.background import Background

PATIENCE = 600
"""Seconds that a test waits for a thread before it fails."""


def test_what_is_changed_after_submitting_is_not_written() -> None:
    tensors = {"a": torch.arange(4.0), "b": torch.ones(2, 2)}
    free, found, seen = Event(), [dict[str, Tensor]()], list[int]()

    def write(copies: Mapping[str, Tensor]) -> None:
        free.wait(PATIENCE)
        found.append({name: tensor.clone() for name, tensor in copies.items()})
        seen.extend(tensor.data_ptr() for tensor in copies.values())

    with Background() as background:
        for step in range(3):
            background.submit(tensors, write, lambda: None)
            for tensor in tensors.values():
                tensor.add_(1)
            background.poll()  # waits for nothing
            free.set()
            background.join()
            assert torch.equal(found[-1]["a"], torch.arange(4.0) + step)
    assert len(set(seen)) == 2, "the buffers are kept"


def test_only_what_a_cuda_event_waits_for_is_copied_without_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    copy = Tensor.copy_

    def noted(self: Tensor, other: Tensor, non_blocking: bool = False) -> Tensor:
        asked.append(non_blocking)
        return copy(self, other, non_blocking)

    monkeypatch.setattr(Tensor, "copy_", noted)
    with Background() as background:
        background.submit({"a": torch.ones(1)}, lambda _: None, lambda: None)
    assert asked == [False]


def test_one_is_written_at_a_time_and_each_is_told_once() -> None:
    told: list[str] = []
    tensor = {"a": torch.zeros(1)}
    with Background() as background:
        for name in "abc":
            background.submit(
                tensor, lambda _, n=name: told.append(f"write {n}"), lambda n=name: told.append(n)
            )
    assert told == ["write a", "a", "write b", "b", "write c", "c"]


def test_a_failure_is_raised_once_and_does_not_hide_another() -> None:
    def fail(copies: Mapping[str, Tensor]) -> None:
        raise OSError("broken")

    with Background() as background:
        background.submit({}, fail, lambda: None)
        with pytest.raises(OSError, match="broken"):
            background.join()
        background.join()
    with pytest.raises(OSError, match="broken"), Background() as background:
        background.submit({}, fail, lambda: None)
    with pytest.raises(ValueError, match="first"), Background() as background:
        background.submit({}, fail, lambda: None)
        raise ValueError("first")


def hashes(run: Path, step: int) -> dict[str, str]:
    found = checkpoint.read(run / "checkpoints" / f"step_{step:08d}")
    return {name: tensor_hash(tensor) for name, tensor in found.tensors().items()}


def test_training_goes_on_meanwhile_and_the_checkpoint_is_that_of_its_step(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one is held back until the third step is done."""
    given = plan([phase(steps=5)])
    options = {"quiet": True, "checkpoint_every": 2, "keep_checkpoints": 9}
    plain = train(given, data, "plain", **options)
    save, write, third = checkpoint.save, Metrics.write, Event()

    def late(*arguments: Any) -> Path:
        assert third.wait(PATIENCE)
        return save(*arguments)

    def told(self: Metrics, **values: Any) -> None:
        write(self, **values)
        if values["step"] == 3 and "loss" in values:
            third.set()

    monkeypatch.setattr(checkpoint, "save", late)
    monkeypatch.setattr(Metrics, "write", told)
    result = train(given, data, "late", **options)
    for step in (2, 4, 5):
        assert hashes(result.run, step) == hashes(plain.run, step)
    events = [v["step"] for v in metrics(result.run) if v.get("event") == "checkpoint"]
    assert events == [2, 4, 5]


@pytest.mark.parametrize("ends", ["signal", "end"])
def test_signals_and_the_end_wait_for_it(
    data: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    save, say, done = checkpoint.save, Metrics.write, list[int]()

    def noted(*arguments: Any) -> Path:
        found = save(*arguments)
        done.append(int(found.name.removeprefix("step_")))
        return found

    def hit(self: Metrics, **values: Any) -> None:
        say(self, **values)
        if ends == "signal" and values["step"] == 2 and "loss" in values:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(checkpoint, "save", noted)
    monkeypatch.setattr(Metrics, "write", hit)
    result = train(plan(), data, quiet=True)
    last = 2 if ends == "signal" else 4
    assert (result.exit_status, done) == (143 if ends == "signal" else 0, [last])


def test_a_full_disk_ends_the_run_with_the_message_that_it_had(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = checkpoint.save

    def full(*arguments: Any) -> Path:
        with full_disk(4096):
            return save(*arguments)

    monkeypatch.setattr(checkpoint, "save", full)
    words = "cannot write .*step_00000002.*the disk is full, or a quota or file size limit"
    with pytest.raises(GrowlangError, match=words) as error:
        train(plan([phase(steps=50)]), data, quiet=True, checkpoint_every=2)
    assert "continue with --resume" in error.value.help
    assert list((data / "runs/tiny/main/checkpoints").iterdir()) == []
