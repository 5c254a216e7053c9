"""What each device holds in a phase, in bytes: state, activations, gathered weights, encoders.

It is that of a GPU, and of FSDP2 where there are several: the tensors of a module are spread over
their rows and gathered while it is computed; the rest is what autograd keeps and what
`growlang_runtime` has beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from growlang.net import Net
from growlang.ops.kept import FP32
from growlang.plans.blocks import Block, blocks_of, shard
from growlang.plans.cost import STATE_BYTES
from growlang.plans.matrices import matrices
from growlang.spec.averages import count_of
from growlang.spec.optimizers import Muon, Optimizer
from growlang.spec.recipe import Phase

AHEAD = 2
"""Batches that are on the device before their step."""
PASS_IMAGES = 4
"""Images in fp32 that a pass makes for each of its own: noisy, target, prediction, error."""
ORTHOGONALISED = 5
"""Copies of a whole matrix that Muon's iteration holds at once."""
INPUT_BYTES = {"ids": 8, "label": 8, "mask": 1}
"""Bytes of a number of an input of the net, by its role; the others are in fp32."""


class Setting(NamedTuple):
    """On how many devices a recipe is trained, and how."""

    devices: int = 1
    micro_batch: int | None = None
    """Images in one pass of a device; None: all of its share of the batch."""
    checkpointing: bool = False
    """Whether blocks keep only their inputs for the backward pass, which computes them again."""

    def images(self, batch: int) -> int:
        """Images of a step on the device that has the most."""
        return -(-batch // self.devices)

    def passes(self, batch: int) -> int:
        """Forward and backward passes of a step."""
        return -(-self.images(batch) // (self.micro_batch or self.images(batch)))

    def at_once(self, batch: int) -> int:
        """Images in one pass."""
        return min(self.images(batch), self.micro_batch or self.images(batch))


class Fading(NamedTuple):
    """The net of a bridge, with the parent's ends beside the net that learns."""

    net: Net
    steps: int
    """Of the run, from its start."""


@dataclass(frozen=True, slots=True)
class PhaseMemory:
    """What the fullest device holds in a phase, in bytes."""

    name: str
    batch: int
    images: int
    """Of one pass."""
    weights: int
    ema: int
    moments: int
    """Also of tensors that are frozen here and trained before."""
    gradients: int
    copies: int
    """bf16 copies of weights, which autocast makes: whole ones, also where weights are spread."""
    activations: int
    gathered: int
    """The largest modules that are gathered at once, with a gradient: nothing on one device."""
    inputs: int
    """Batches and the loss."""
    encoders: int
    """Frozen text encoders."""
    peak: int
    """The most that is held at once: activations go while gradients come."""

    @property
    def state(self) -> int:
        """Bytes that stay from step to step."""
        return self.weights + self.ema + self.moments


def phases_memory(
    net: Net,
    phases: Sequence[Phase],
    setting: Setting,
    *,
    carried: Collection[str] = (),
    fading: Fading | None = None,
    encoders: int = 0,
) -> list[PhaseMemory]:
    """What a device holds in each phase of a recipe.

    `carried` are the tensors that begin with moments of the parent's; `encoders` the bytes of the
    frozen encoders.
    """
    found, trained, begun = [], set(carried), 0
    kind = phases[0].settings.optimizer.call if phases else ""
    for phase in phases:
        optimizer = phase.settings.optimizer
        single, each = _single(net, optimizer), len(optimizer.moments())
        if optimizer.call != kind:  # it begins with moments of its own
            trained, kind = set(), optimizer.call
        trained |= net.table.keys() - set(phase.frozen)
        moments = sum(
            (1 if name in single else each) * shard(net.table[name], setting.devices)
            for name in net.table
            if name in trained
        )
        fades = fading if fading and begun < fading.steps else None
        begun += phase.steps or 0
        found.append(_phase(net, phase, setting, moments * STATE_BYTES, fades, encoders, single))
    return found


def _single(net: Net, optimizer: Optimizer) -> Collection[str]:
    """The tensors that have one moment, orthogonalised: the matrices of Muon."""
    return matrices(net) if isinstance(optimizer, Muon) else ()


def _phase(
    net: Net,
    phase: Phase,
    setting: Setting,
    moments: int,
    fading: Fading | None,
    encoders: int,
    single: Collection[str],
) -> PhaseMemory:
    batch, images = phase.settings.batch, setting.at_once(phase.settings.batch)
    computed = fading.net if fading else net
    learns = net.table.keys() - set(phase.frozen)
    blocks = blocks_of(computed, learns, images, phase.settings.precision, setting.devices)
    held = STATE_BYTES * sum(shard(t, setting.devices) for t in net.tensors())
    ends = sum(t.parameters for t in computed.tensors() if t.name not in net.table)
    weights, inputs = held + STATE_BYTES * ends, _inputs(net, images, setting.images(batch))
    apart = setting.passes(batch) > 1 and setting.devices > 1  # spread after the last pass alone
    gradients = sum(b.gradient if apart else b.shard for b in blocks)
    largest = max((net.table[n].parameters for n in learns & set(single)), default=0)
    update = gradients + ORTHOGONALISED * STATE_BYTES * largest
    kept = gradients if setting.passes(batch) > 1 else 0
    at_once = max(_moments_of(blocks, setting, kept), default=0)
    return PhaseMemory(
        phase.name,
        batch,
        images,
        weights=weights,
        ema=held * count_of(phase.settings.ema),
        moments=moments,
        gradients=gradients,
        copies=_copies(blocks, setting.checkpointing),
        activations=_activations(blocks, setting.checkpointing),
        gathered=max(_gathered(blocks, setting.devices), default=0),
        inputs=inputs,
        encoders=encoders,
        peak=weights + held + moments + inputs + encoders + max(at_once, update),
    )


def _inputs(net: Net, images: int, share: int) -> int:
    """Batches with their noise, of which some wait; what a pass makes of its own, and the loss."""
    pixels = FP32 * net.image.size
    read = sum(INPUT_BYTES.get(i.role, FP32) * i.shape.size for i in net.inputs)
    return (1 + AHEAD) * share * (pixels + read) + PASS_IMAGES * images * pixels


def _activations(blocks: Sequence[Block], checkpointing: bool) -> int:
    if not checkpointing:
        return sum(b.kept for b in blocks)
    return sum(b.entry for b in blocks) + max((b.kept - b.entry for b in blocks), default=0)


def _copies(blocks: Sequence[Block], checkpointing: bool) -> int:
    return sum(b.cached if checkpointing else b.copies for b in blocks)


def _gathered(blocks: Sequence[Block], devices: int) -> Iterator[int]:
    """At each block of a backward pass: its weights and those of the one that comes next.

    Beside them its gradient, and the copy of it that is spread.
    """
    if devices == 1:
        return
    before = Block()
    for block in blocks:
        yield block.whole + before.whole + 2 * block.gradient
        before = block


def _moments_of(blocks: Sequence[Block], setting: Setting, gradients: int) -> Iterator[int]:
    """What is held beside the state at the end of the forward pass, and as the backward pass goes.

    `gradients` are those of the passes before.
    """
    again = setting.checkpointing
    entries = sum(b.entry if again else b.kept for b in blocks)
    copies = sum(b.cached if again else b.copies for b in blocks)
    yield gradients + entries + copies
    whole = [*_gathered(blocks, setting.devices)] or [0] * len(blocks)
    made = 0
    for block, gathered in zip(reversed(blocks), reversed(whole), strict=True):
        own = block.kept - block.entry + block.copies if again else 0
        here = entries + own + (0 if again else copies) + gathered + block.flowing
        if gradients:  # a gradient is added to that of the passes before
            yield gradients + here + (block.gradient if setting.devices == 1 else 0)
        else:
            made += block.shard
            yield made + here
        entries -= block.entry if again else block.kept
        copies -= block.copies
