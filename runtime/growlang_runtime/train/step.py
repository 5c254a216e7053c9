"""One step of training: the gradients of a batch in parts, their norm, the update, the averages.

No step waits for the device. What one computed is read when the gradients of the next one are
under way: until then neither the averages nor the counts on the CPU know whether it was skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from growlang.net import Net
from growlang.plans.learning_rate import learning_rate, scales
from growlang.spec.averages import averages_of
from growlang.spec.recipe import Phase
from growlang_runtime.diffusion.generations import Errors
from growlang_runtime.diffusion.objective import Loss, denoiser, loss_of
from growlang_runtime.distributed.dropout import Masks, dropping
from growlang_runtime.distributed.sharding import gather_gradients
from growlang_runtime.train import readback
from growlang_runtime.train.batches import Data, StepBatch
from growlang_runtime.train.compiled import compile_blocks
from growlang_runtime.train.freezing import training_mode
from growlang_runtime.train.optimizer import clip_gradients, gradient_norm, is_skipped
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.readback import Readback
from growlang_runtime.train.setup import Setup
from growlang_runtime.train.state import orthogonal_of


class Found(NamedTuple):
    """What a step found, read from the device."""

    loss: float
    """The mean loss of the batch."""
    norm: float
    """The norm of all gradients before they were clipped."""

    @property
    def finite(self) -> bool:
        """Whether both are finite; where they are not, nothing was updated."""
        return math.isfinite(self.loss) and math.isfinite(self.norm)


class Stepped(NamedTuple):
    """A step that may still be under way."""

    step: int
    """Steps of the run that are done with it."""
    data: Data
    batch: StepBatch
    lr: float
    errors: Errors
    """Of this step, by generation."""
    read: Readback

    def found(self) -> Found:
        """What it found. Waits until its gradients are there."""
        return Found(*self.read())


class Stepper:
    """Computes the steps of a run: each changes the weights, the averages and the moments."""

    def __init__(self, setup: Setup, options: RunOptions) -> None:
        self.device, self.net, self.module = setup.device, setup.net, setup.module
        self.state, self.bridge = setup.state, setup.bridge
        self.new = setup.plan.mapping.new
        self.micro_batch, self.ranks = options.micro_batch, setup.ranks
        self.errors = Errors(setup.net)
        self.begin = readback.begin
        self.compile = options.compile

    def use(self, phase: Phase) -> bool:
        """Let a phase's optimizer go on; returns whether its moments begin anew."""
        optimizer = phase.settings.optimizer
        return self.state.optimizer.use(optimizer, orthogonal_of(self.net, optimizer))

    def trained_by(self, data: Sequence[Data], step: int) -> None:
        """Make room for the moments that the optimizer of the last step before `step` left."""
        done = [part for part in data if part.span.first < step]
        self.use(done[-1].phase if done else data[0].phase)

    def begin_phase(self) -> None:
        """Make the modules ready for what trains in the phase, which is known by now."""
        bridge = [self.bridge.module] if self.bridge else []
        for module in bridge:
            training_mode(module)
        if self.compile:
            compile_blocks(self.module, *bridge)

    def take(
        self,
        data: Data,
        objective: Loss,
        batch: StepBatch,
        step: int,
        settle: Callable[[], None],
        *,
        watched: bool,
    ) -> Stepped:
        """Train on the batch of `step` of the run; `watched`: count its errors by generation.

        `settle` is called between the gradients and the update: the weights are still those of the
        step before.
        """
        settings, state = data.phase.settings, self.state
        lr = learning_rate(data.phase, data.span, step)
        loss = self.gradients(data, objective, batch, step, watched=watched)
        settle()
        loss, norm = self._over_all(loss, gradient_norm(state.weights))
        read = self.begin(torch.stack([loss, norm]))
        self.errors.bring(self.begin)
        clip_gradients(state.weights, norm, settings.grad_clip)
        scale = scales(data.phase, data.span, step, self.new)
        state.optimizer.step(settings.optimizer, lr, scale, is_skipped(loss, norm))
        return Stepped(step + 1, data, batch, lr, self.errors, read)

    def average(self, data: Data) -> None:
        """Move the averages towards the weights of a step that was not skipped."""
        self.state.average(averages_of(data.phase.settings.ema))

    def _over_all(self, loss: Tensor, norm: Tensor) -> tuple[Tensor, Tensor]:
        """The loss and the norm of all processes, from those of their own images and rows."""
        if self.ranks.size == 1:
            return loss, norm
        both = torch.stack([loss.double(), norm.double().square()])
        loss, squared = self.ranks.sum(both).unbind()
        return loss.float(), squared.sqrt().float()

    def _computed(self, step: int) -> tuple[Callable[..., Tensor], Net]:
        """What computes a step, and its net: the bridge's, while there is one that lasts."""
        if self.bridge and not self.bridge.lasts(step):
            self.bridge = None
        if self.bridge is None:
            return self.module, self.net
        several = self.ranks.size > 1
        module = self.bridge.within(self.module) if several else self.bridge.module
        return module, self.bridge.net

    def gradients(
        self,
        data: Data,
        objective: Loss,
        batch: StepBatch,
        step: int,
        *,
        watched: bool = False,
    ) -> Tensor:
        """Add up the gradients of the mean loss over the batch; returns that loss.

        Of several processes each passes its own images, and returns their part of the loss.
        """
        settings, device = data.phase.settings, self.device
        for weight in self.state.weights.values():
            weight.grad = None
        total = torch.zeros((), device=device)
        module, net = self._computed(step)
        if self.bridge:
            objective = loss_of(settings.objective, net)
        self.errors = Errors(net)
        share = self.ranks.largest_share(settings.batch)
        size = self.micro_batch or share
        count = -(-share // size)
        # Dropout draws from the global generator: it must depend on the step alone.
        seed = (settings.seed << 32) + step & (1 << 63) - 1
        torch.manual_seed(seed)
        place = self.ranks.share(settings.batch).start
        for number, part in enumerate(batch.parts(size, device, count), 1):
            gather_gradients(self.module, number == count)
            with dropping(self.ranks, Masks(seed, settings.batch, place)):
                with torch.autocast(device.type, torch.bfloat16, settings.precision == "bf16"):
                    given = part.conditions
                    if self.bridge:
                        given = given | self.bridge.inputs(step, len(part.x), device)
                    denoise = denoiser(module, net, given)
                    if watched:
                        denoise = self.errors.watching(denoise, part.x, part.eps)
                    losses = objective.of_batch(given).losses(
                        denoise, part.x, part.eps, objective.trained_at(part.t)
                    )
                loss = losses.sum() / settings.batch
                # The gradients of processes are averaged.
                (loss * self.ranks.size).backward()  # type: ignore[no-untyped-call]
            place += len(part.x)
            total += loss.detach()
        return total
