"""When a run is validated, and which of its weights were the best so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from growlang_runtime.distributed.ranks import ALONE, Ranks
from growlang_runtime.report.board import Boards
from growlang_runtime.report.display import Display
from growlang_runtime.report.history import Curve, lowest
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.record import Record, Validated
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.validation import Losses, Validation, usual_interval

if TYPE_CHECKING:
    from growlang_runtime.train.setup import Setup


class Moment(NamedTuple):
    """When a run was validated, and whether its averaged weights did best so far."""

    step: int
    phase: str
    best: bool


def report(losses: Losses, at: Moment, metrics: Metrics, boards: Boards, display: Display) -> None:
    """Tell what a validation found: in the metrics, on boards and on the console."""
    metrics.write(
        step=at.step, event="validation", phase=at.phase, best=at.best, **losses.as_json()
    )
    boards.write(at.step, **losses.scalars())
    levels = [level.averaged for level in losses.levels]
    scores = losses.scores
    display.validated(at.step, at.phase, losses.averaged, losses.plain, levels, at.best, scores)


class Watch:
    """The validation of a run, and the best loss of its averaged weights."""

    def __init__(self, validation: Validation, folder: Path, every: int, size: int) -> None:
        self.validation, self.folder, self.every, self.size = validation, folder, every, size
        self.best = math.inf

    @staticmethod
    def of(setup: Setup, folder: Path, options: RunOptions, steps: int) -> Watch | None:
        """What a run is watched with; None where it holds nothing out."""
        if setup.validation is None:
            return None
        batch = setup.plan.phases[0].settings.batch
        every = options.validate_every or usual_interval(steps, batch, setup.validation.draws)
        return Watch(setup.validation, folder, every, options.micro_batch or batch)

    def measure(
        self, module: nn.Module, averages: Mapping[str, Tensor], device: torch.device
    ) -> Losses:
        """The losses of this step's weights."""
        return self.validation.measure(module, averages, device, self.size)

    def is_best(self, losses: Losses) -> bool:
        """Whether the averaged weights did better than any before."""
        return losses.averaged < self.best

    def keep(
        self,
        losses: Losses,
        record: Record,
        tensors: Mapping[str, Tensor],
        metadata: Mapping[str, str],
        ranks: Ranks = ALONE,
    ) -> None:
        """Write the best weights so far."""
        found = Validated(
            averaged=losses.averaged, plain=losses.plain, identity=self.validation.identity
        )
        told = record.model_copy(update={"validation": found})
        checkpoint.save_best(self.folder, told, tensors, metadata, ranks)
        self.best = losses.averaged

    def recall(self, step: int, told: Curve) -> str:
        """Take over the best loss up to the step that a run resumes at; returns a warning, or "".

        The best weights may be of a later step, which is done again: then the best loss up to here
        is the lowest of those that were `told`.
        """
        checkpoint.restore_best(self.folder)
        path = checkpoint.best_path(self.folder)
        if path is None:
            return ""
        try:
            record = checkpoint.read(path).record
        except checkpoint.TornCheckpoint as torn:
            return f"{path} is damaged ({torn}): the best weights are those from here on"
        found = record.validation
        if found is None or found.identity != self.validation.identity:
            return f"{path} was validated on other images: the best weights are those from here on"
        before = lowest([point for point in told if point.step <= step])
        if record.step <= step:
            self.best = found.averaged
        elif before is not None:
            self.best = before.loss
        return ""
