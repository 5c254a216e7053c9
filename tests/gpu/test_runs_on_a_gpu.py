"""Runs on a GPU: that they repeat, wait for nothing, and hold what docs/memory.md says.

`make test-gpu` runs it in about a minute; `GROWLANG_GPU_TESTS=cpu make test-gpu` rehearses it on a
CPU, where the same code runs and what only a GPU can break is not looked at.
"""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import text_models
import torch
from fixture_specs import checked
from on_device import (
    FIXTURES,
    LONG,
    PATIENCE,
    SLOW,
    environment,
    losses,
    on_both,
    two_phases,
    waits,
    write_large,
)
from tiny import interrupt_at, metrics, phase, plan, state, train
from torch import Tensor

from growlang.compiling import compiled
from growlang.planning import plan as planned
from growlang.spec.objectives import EDM, Diffusion, Flow, MinSNR, SoftMinSNR
from growlang.spec.optimizers import SGD, Adam, AdamW, Muon
from growlang.spec.schedules import LinearBeta
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.background import Background
from growlang_runtime.train.result import TrainResult
from growlang_runtime.train.trainer import Trainer
from growlang_runtime.train.transfer import Ring, link_to

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("default"),  # what other packages deprecate fails nothing here
]


# --- determinism ---------------------------------------------------------------------------------


REPEATED = {
    "fp32": {},
    "bf16": {"precision": "bf16"},
    "muon": {"optimizer": Muon(lr=1e-3, rest=AdamW(lr=1e-3))},
    "sgd": {"optimizer": SGD(lr=1e-2)},
}


@pytest.mark.parametrize("name", REPEATED)
def test_a_deterministic_run_repeats_and_goes_on_bit_for_bit(
    name: str, device: torch.device, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, averages and moments; the second run names the device by its number."""
    made = two_phases(**REPEATED[name])
    whole = train(made, data, "whole", device=str(device), **SLOW)
    numbered = "cuda:0" if device.type == "cuda" else "cpu"
    again = train(made, data, "again", device=numbered, **SLOW)
    assert state(again) == state(whole)
    for step in (2, 5):
        with monkeypatch.context() as patch:
            interrupt_at(patch, step)
            stopped = train(made, data, "cut", device=str(device), resume="may", **SLOW)
        # What a step found is read while the next one computes: the signal comes in that one.
        assert stopped.step - step in ((0, 1) if device.type == "cuda" else (0,))
    resumed = train(made, data, "cut", device=str(device), resume="must", **SLOW)
    assert state(resumed) == state(whole)
    assert losses(resumed) == losses(whole)
    told = [line["text"] for line in metrics(resumed.run) if line.get("event") == "warning"]
    assert not any("bit-for-bit" in text for text in told)


def test_a_process_that_is_stopped_by_a_signal_goes_on_bit_for_bit(
    device: torch.device, data: Path
) -> None:
    """A process of its own sets what cuBLAS needs before CUDA starts."""
    made = two_phases()
    (data / "plan.json").write_text(made.model_dump_json())
    command = [sys.executable, str(FIXTURES / "gpu" / "stopped.py"), str(data), str(device), "5"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 143, done.stderr
    assert "continue with: growlang train tiny.grow" in done.stderr
    assert f"steps on {device}" in done.stderr
    resumed = train(made, data, "cut", device=str(device), resume="must", **SLOW)
    assert resumed.finished
    whole = train(made, data, "whole", device=str(device), **SLOW)
    assert state(resumed) == state(whole)


def test_a_process_of_torchrun_trains_as_one_alone(device: torch.device, data: Path) -> None:
    """Through the command line, of a spec; what torchrun needs of NCCL is there."""
    spec = (FIXTURES / "retain" / "base.grow").read_text()
    (data / "base.grow").write_text(spec.replace("dots.tar", "data.tar"))
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=1"]
    options = ["--device", str(device), "--deterministic", "--log-every", "1", "--name", "ran"]
    command = [*run, "-m", "growlang", "train", "base.grow", *options]
    done = subprocess.run(command, cwd=data, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = planned(checked(data / "base.grow"))
    alone = train(made, data, name="alone", device=str(device), **SLOW)
    ran = TrainResult(data / "runs" / "base" / "ran", 3, 3)
    assert state(ran) == state(alone)
    assert losses(ran) == losses(alone)


def test_a_model_of_text_repeats_and_is_near_the_cpus(device: torch.device, tmp_path: Path) -> None:
    text_models.write_lines(tmp_path / "lines.jsonl")
    made = text_models.plan_of(tmp_path, **{"dropout = 0.1": "dropout = 0.0"})
    cpu, there = on_both(made, tmp_path, device, deterministic=True)
    again = train(made, tmp_path, "again", device=str(device), **SLOW)
    assert state(again) == state(there)
    assert losses(there) == pytest.approx(losses(cpu), rel=5e-3)


# --- nothing waits -------------------------------------------------------------------------------

WAITLESS: dict[str, dict[str, Any]] = {
    "v": {},
    "bf16": {"precision": "bf16", "objective": Flow()},
    "edm": {"objective": EDM(), "optimizer": Muon(lr=1e-3, rest=AdamW(lr=1e-3))},
    "discrete": {"objective": Diffusion(predict="eps", schedule=LinearBeta(steps=50))},
    "weighted": {"objective": Diffusion(weight=SoftMinSNR()), "optimizer": SGD(lr=1e-3)},
    "min_snr": {"objective": Diffusion(weight=MinSNR()), "optimizer": Adam(lr=1e-3)},
}


@pytest.mark.parametrize("name", WAITLESS)
def test_a_step_does_not_wait_for_the_device(
    name: str, device: torch.device, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With metrics of each step. In one pass: two launch more than the 1,024 that CUDA queues."""
    made = plan([phase(steps=6, **WAITLESS[name])])
    options = {"device": str(device), "quiet": True}
    found, ahead = waits(device, monkeypatch, lambda: train(made, data, **options))
    assert found == []
    assert ahead == [True] * (3 if device.type == "cuda" else 0)


def test_batches_arrive_whole_while_the_device_computes(device: torch.device) -> None:
    """Of pinned buffers that are used again and again, with a device that is behind."""
    link = link_to(device)
    if link is None:
        pytest.skip("a CPU has no copies in the background")
    ring, arrived = Ring(link), []
    given = [{"x": torch.full((1 << 20,), float(i))} for i in range(12)]
    torch.cuda._sleep(LONG // 20)
    for tensors in given:
        sent = ring.send(tensors).receive()
        arrived.append(sent["x"] * 2)
        torch.cuda._sleep(LONG // 200)
        del sent  # its memory is free for the next copy, which must not overtake the product
    for number, found in enumerate(arrived):
        assert torch.equal(found.cpu(), torch.full((1 << 20,), 2.0 * number))
    assert all(b.is_pinned() for buffers in ring._buffers for b in buffers.values())


# --- checkpoints ---------------------------------------------------------------------------------


def test_a_background_copy_is_that_of_its_moment(device: torch.device) -> None:
    """The device is busy when it is asked for, and changes the tensors right after."""
    tensors = {"a": torch.zeros(1 << 24, device=device), "b": torch.ones(3, 5, device=device)}
    found: list[dict[str, Tensor]] = []
    pinned: list[bool] = []

    def write(copies: Mapping[str, Tensor]) -> None:
        found.append({name: tensor.clone() for name, tensor in copies.items()})
        pinned.extend(tensor.is_pinned() for tensor in copies.values())

    with Background() as background:
        for _ in range(4):
            if device.type == "cuda":
                torch.cuda._sleep(LONG // 40)
            for tensor in tensors.values():
                tensor.add_(1)
            background.submit(tensors, write, lambda: None)
            for tensor in tensors.values():
                tensor.add_(10)
    for number, copies in enumerate(found):
        assert all(
            torch.equal(copies[name], torch.full_like(copies[name], start + 11 * number))
            for name, start in (("a", 1), ("b", 2))
        )
    assert set(pinned) == {device.type == "cuda"}


def test_a_checkpoint_is_the_state_at_its_step_while_training_goes_on(
    device: torch.device, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one is held back until the metrics of the third step are written."""
    states: dict[int, dict[str, Tensor]] = {}
    begin, save, write, third = Trainer._save, checkpoint.save, Metrics.write, Event()

    def noted(self: Trainer, *given: Any) -> None:
        self._settle()
        states[self.step] = {n: t.cpu().clone() for n, t in self.state.tensors().items()}
        begin(self, *given)

    def late(*given: Any) -> Path:
        assert third.wait(PATIENCE)
        return save(*given)

    def told(self: Metrics, **values: Any) -> None:
        write(self, **values)
        if values["step"] == 3 and "loss" in values:
            third.set()

    monkeypatch.setattr(Trainer, "_save", noted)
    monkeypatch.setattr(checkpoint, "save", late)
    monkeypatch.setattr(Metrics, "write", told)
    options = {"checkpoint_every": 2, "keep_checkpoints": 9, "quiet": True}
    run = train(plan([phase(steps=7, ema=0.5)]), data, device=str(device), **options).run
    assert [*states] == [2, 4, 6, 7]
    for step, expected in states.items():
        found = checkpoint.read(run / "checkpoints" / f"step_{step:08d}").tensors()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


# --- memory --------------------------------------------------------------------------------------


class Measured(Exception):
    """Enough steps were measured."""


@pytest.mark.parametrize("recipe", ["fp32", "bf16", "frozen"])
def test_the_memory_of_steps_is_what_compile_says(
    recipe: str,
    device: torch.device,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    write_large(tmp_path)
    shutil.copy(FIXTURES / "gpu" / "large.grow", tmp_path)
    small = {} if device.type == "cuda" else {"width": "32", "depth": "1", "batch": "2"}
    spec = checked(tmp_path / "large.grow", **small)
    said = compiled(spec, recipe).memory(1).phases[0]
    peaks, step = list[int](), Trainer._step

    def measured(self: Trainer, *given: Any) -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        step(self, *given)
        if device.type == "cuda":
            torch.cuda.synchronize()
            peaks.append(torch.cuda.max_memory_allocated() - before)
        if self.step == 5:
            raise Measured

    monkeypatch.setattr(Trainer, "_step", measured)
    gc.collect()
    before = torch.cuda.memory_allocated() if device.type == "cuda" else 0
    with pytest.raises(Measured):
        train(planned(spec, recipe), tmp_path, name=recipe, device=str(device), quiet=True)
    if device.type != "cuda":
        return
    peak = max(peaks[2:])
    text = f"{recipe}: predicted {said.peak / 2**20:.0f} MiB, measured {peak / 2**20:.0f} MiB"
    print(f"{text}, measured / predicted {peak / said.peak:.3f}")
    record_property("memory", text)
    more = 0.35 if recipe == "fp32" else 0.15  # convolutions in fp32 work in memory of their own
    assert 0.85 * said.peak < peak < (1 + more) * said.peak, text
