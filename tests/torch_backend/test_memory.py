"""What a device is said to hold, against bytes that are counted: of tensors, and by a tracker.

Eight devices are a fake process group: FSDP2 spreads and gathers, and nothing is sent. Kernels and
casts are a GPU's (tests/gpu.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
import torch
from fixture_specs import checked
from gpu import OnGPU, kept
from torch import Tensor, nn
from torch.distributed import destroy_process_group, init_device_mesh, init_process_group
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
from torch.distributed.fsdp import fully_shard
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils.checkpoint import checkpoint

from growlang.checking import Checked
from growlang.compiling import compiled
from growlang.fitting import fading
from growlang.net import Input, Net
from growlang.ops.kept import FP32
from growlang.plans.memory import PASS_IMAGES, PhaseMemory, Setting
from growlang.torch_backend import attention
from growlang.torch_backend.lower import LoweredNet, lower

SPECS = Path(__file__).parents[1] / "fixtures" / "memory"
DEVICES = 8
CLOSE = 0.15


@pytest.fixture(scope="module")
def mesh() -> Iterator[Any]:
    init_process_group("fake", store=FakeStore(), rank=0, world_size=DEVICES)
    yield init_device_mesh("cpu", (DEVICES,))
    destroy_process_group()


class Case(NamedTuple):
    """A phase of a spec, and how it is trained."""

    spec: str
    phase: str
    devices: int = DEVICES
    checkpointing: bool = False
    micro_batch: int | None = None

    @property
    def setting(self) -> Setting:
        return Setting(self.devices, self.micro_batch, self.checkpointing)


SHARDED = [
    Case("base", "all"),
    Case("base", "body", checkpointing=True),
    Case("grown", "fade"),
    Case("grown", "all", micro_batch=1),
    Case("retained", "ends"),
    Case("retained", "all", checkpointing=True),
]
ALONE = [
    Case(spec, phase, 1)
    for spec, phase in (
        ("base", "ends"),
        ("base", "all"),
        ("grown", "fade"),
        ("grown", "all"),
        ("retained", "ends"),
    )
]


def predicted(case: Case, spec: Checked) -> PhaseMemory:
    found = compiled(spec).memory(
        case.devices,
        micro_batch=case.micro_batch,
        activation_checkpointing=case.checkpointing,
    )
    return next(phase for phase in found.phases if phase.name == case.phase)


def value(given: Input, images: int) -> Tensor:
    """Something for an input of a net."""
    if given.role in ("ids", "label"):
        return torch.zeros(images, *given.shape.dims, dtype=torch.int64)
    if given.role == "mask":
        return torch.ones(images, *given.shape.dims, dtype=torch.bool)
    wide = given.role in ("level", "fade")
    return torch.rand(images, *given.shape.dims, dtype=torch.float64 if wide else torch.float32)


def spread(module: LoweredNet, own: Net, mesh: Any, bf16: bool, checkpointing: bool) -> list[Any]:
    """Shard a module as the runtime does; returns its copies of weights in bf16, as they come."""
    casts: list[Any] = [{}]
    for node in module.graph.nodes:
        if node.op != "call_module":
            continue
        part = cast(Any, module.get_submodule(str(node.target)))
        if next(part.parameters(), None) is None:
            continue

        def forward(*given: Any, compute: Any = part.forward) -> Any:
            with OnGPU(bf16, casts[0]):
                return compute(*given)

        part.forward = (
            partial(checkpoint, forward, use_reentrant=False) if checkpointing else forward
        )
        if mesh is not None and any(n.startswith(f"{node.target}.") for n in own.table):
            fully_shard(part, mesh=mesh)
    if mesh is not None:
        ends = {p for n, p in module.named_parameters() if n not in own.table}
        fully_shard(module, mesh=mesh, ignored_params=ends)
    return casts


def local(tensor: Tensor) -> int:
    """Bytes of a tensor on this device."""
    held = cast(Any, tensor).to_local() if hasattr(tensor, "to_local") else tensor
    return int(held.nbytes)


class Counted(NamedTuple):
    """Bytes of a step on one of eight devices."""

    weights: int
    gradients: int
    peak: int
    """Of everything but averages, moments and what waits for its step."""


class Trained(NamedTuple):
    """A net as a phase trains it, with inputs for one pass."""

    net: Net
    module: LoweredNet
    inputs: list[Tensor]
    bf16: bool


def trained(case: Case, spec: Checked) -> Trained:
    found = compiled(spec)
    phase = next(p for p in found.schedule if p.name == case.phase)
    fade = fading(spec, "main") if case.phase == "fade" else None
    net = fade.net if fade else spec.net
    module = lower(net, "cpu")
    for name, weight in module.named_parameters():
        nn.init.normal_(weight, std=0.02)
        weight.requires_grad_(name in spec.net.table and name not in phase.frozen)
    images = case.setting.at_once(phase.settings.batch)
    inputs = [value(given, images) for given in net.inputs]
    return Trained(net, module, inputs, phase.settings.precision == "bf16")


def counted(case: Case, spec: Checked, mesh: Any, passes: int) -> Counted:
    """The most that is held, which a tracker of tensors tells, and what is left after the step."""
    _, module, inputs, bf16 = trained(case, spec)
    casts = spread(module, spec.net, mesh, bf16, case.checkpointing)
    weights = dict(module.named_parameters())
    tracker = FSDPMemTracker(module)
    tracker.track_inputs((inputs,))
    with tracker:
        for number in range(passes):
            tracker.reset_mod_stats()
            cast(Any, module).set_requires_gradient_sync(number == passes - 1)
            casts[0] = {}
            error = module(*inputs).float() - inputs[0]
            casts[0] = {}
            error.square().mean().backward()
            del error
    peak = tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]
    gradients = sum(local(w.grad) for w in weights.values() if w.grad is not None)
    return Counted(sum(map(local, weights.values())), gradients, peak)


def waiting(said: PhaseMemory, net: Net) -> int:
    """What is held beside a pass: state, and the batches that wait for their step."""
    own = PASS_IMAGES * said.images * FP32 * net.image.size
    return said.ema + said.moments + said.inputs - own


@pytest.mark.parametrize("case", SHARDED, ids=lambda c: "-".join(map(str, c)))
def test_a_device_of_eight_holds_what_is_counted(
    case: Case, mesh: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "PLAIN_TOKENS", 0)
    spec = checked(SPECS / f"{case.spec}.grow")
    said = predicted(case, spec)
    passes = case.setting.passes(said.batch)
    found = counted(case, spec, mesh, passes)
    assert said.weights == found.weights
    if passes == 1:  # else they are whole until the last pass
        assert said.gradients == found.gradients
    assert said.peak - waiting(said, spec.net) == pytest.approx(found.peak, rel=CLOSE)


@pytest.mark.parametrize("case", ALONE, ids=lambda c: "-".join(map(str, c)))
def test_activations_are_what_autograd_keeps(case: Case) -> None:
    spec = checked(SPECS / f"{case.spec}.grow")
    said = predicted(case, spec)
    _, module, inputs, bf16 = trained(case, spec)
    activations, copies = kept(lambda: module(*inputs), module.parameters(), bf16=bf16)
    assert said.activations == pytest.approx(activations, rel=CLOSE)
    assert said.copies == pytest.approx(copies, rel=CLOSE)
    assert said.gathered == 0
