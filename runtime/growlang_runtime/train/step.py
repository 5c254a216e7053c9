"""One step of training: the gradients of a batch in parts, their norm, the update, the averages.

No step waits for the device. What one computed is read when the gradients of the next one are
under way: until then neither the averages nor the counts on the CPU know whether it was skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from growlang.spec.automatic import known
from growlang_runtime.diffusion.generations import Errors
from growlang_runtime.diffusion.objective import Objective, denoiser, objective_of
from growlang_runtime.train import readback
from growlang_runtime.train.batches import Data, StepBatch
from growlang_runtime.train.learning_rate import learning_rate, scales
from growlang_runtime.train.optimizer import clip_gradients, gradient_norm, is_skipped
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.readback import Readback
from growlang_runtime.train.setup import Setup


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
        self.micro_batch = options.micro_batch
        self.errors = Errors(setup.net)
        self.begin = readback.begin

    def take(
        self,
        data: Data,
        objective: Objective,
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
        norm = gradient_norm(state.weights)
        read = self.begin(torch.stack([loss, norm]))
        clip_gradients(state.weights, norm, settings.grad_clip)
        scale = scales(data.phase, data.span, step, self.new)
        state.optimizer.step(settings.optimizer, lr, scale, is_skipped(loss, norm))
        return Stepped(step + 1, data, batch, lr, self.errors, read)

    def average(self, data: Data) -> None:
        """Move the averages towards the weights of a step that was not skipped."""
        self.state.ema.update(self.state.weights, known(data.phase.settings.ema))

    def gradients(
        self,
        data: Data,
        objective: Objective,
        batch: StepBatch,
        step: int,
        *,
        watched: bool = False,
    ) -> Tensor:
        """Add up the gradients of the mean loss over the batch; returns that loss."""
        settings, device = data.phase.settings, self.device
        for weight in self.state.weights.values():
            weight.grad = None
        # Dropout draws from the global generator: it must depend on the step alone.
        torch.manual_seed((settings.seed << 32) + step & (1 << 63) - 1)
        total = torch.zeros((), device=device)
        if self.bridge and not self.bridge.lasts(step):
            self.bridge = None
        module: nn.Module = self.bridge.module if self.bridge else self.module
        net = self.bridge.net if self.bridge else self.net
        if self.bridge:
            objective = objective_of(settings.objective, net)
        self.errors = Errors(net)
        for part in batch.parts(self.micro_batch or settings.batch, device):
            with torch.autocast(device.type, torch.bfloat16, settings.precision == "bf16"):
                given = part.conditions
                if self.bridge:
                    given = given | self.bridge.inputs(step, len(part.x), device)
                denoise = denoiser(module, net, given)
                if watched:
                    denoise = self.errors.watching(denoise, part.x, part.eps)
                losses = objective.losses(denoise, part.x, part.eps, part.t)
            loss = losses.sum() / settings.batch
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total
