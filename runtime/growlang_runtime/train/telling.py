"""What a run tells while it trains: its metrics, boards, progress on stderr and `status.json`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from time import perf_counter
from typing import NamedTuple

import torch

from growlang.diagnostics import Exit, GrowlangError, exit_of
from growlang.torch_backend.device import peak_memory
from growlang_runtime.distributed.ranks import FAILED, LOST, claims, is_lost
from growlang_runtime.report.board import Boards
from growlang_runtime.report.display import Display, Rate
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.report.seconds import Seconds, waiting
from growlang_runtime.storage.run import Run
from growlang_runtime.storage.status import StatusFile
from growlang_runtime.train.result import TrainResult


class Measured(NamedTuple):
    """What is told of a step: the mean loss of its batch, learning rate, norm of the gradient."""

    step: int
    phase: str
    loss: float
    lr: float
    grad_norm: float
    skipped: int
    """How many steps in a row were skipped up to this one."""


class Telling:
    """Where a run tells of itself. Of several processes only the first has it `written`."""

    def __init__(
        self,
        run: Run,
        steps: int,
        quiet: bool,
        status: StatusFile,
        clock: Callable[[], float] = perf_counter,
        *,
        written: bool = True,
        tokens: int = 0,
    ) -> None:
        self.metrics = Metrics(run.metrics, written=written)
        self.display = Display(steps, quiet, tokens)
        self.status = status
        self.rate = Rate()
        self.seconds = Seconds(clock)

    def step(
        self, at: Measured, errors: Mapping[str, float], device: torch.device, boards: Boards
    ) -> None:
        """Tell of a step, and of the time since the one that was told before."""
        self.seconds.lap("step")
        rate, memory, seconds = self.rate.read(), peak_memory(device), self.seconds.read()
        values = {"loss": at.loss, "lr": at.lr, "grad_norm": at.grad_norm}
        skipped = {"skipped": at.skipped} if at.skipped else {}
        self.metrics.write(
            step=at.step,
            phase=at.phase,
            **values,
            images_per_s=round(rate, 2),
            memory=memory,
            seconds=seconds,
            **errors,
            **skipped,
        )
        boards.write(at.step, **values, images_per_s=rate, **errors)
        wait = waiting(seconds)
        self.display.show(*at[:3], rate, at.skipped, data_wait=wait, memory=memory)
        self.status.tell(
            at.step,
            phase=at.phase,
            loss=at.loss if isfinite(at.loss) else None,
            images_per_s=round(rate, 2),
            seconds_left=self.display.left,
        )

    @contextmanager
    def surviving(self) -> Iterator[None]:
        """Where another process of the run is lost, say so at once, and how the run goes on.

        torchrun ends what is left of the run a moment later.
        """
        try:
            yield
        except Exception as error:
            if not is_lost(error):
                claims(FAILED, exit_of(error))
                raise
            lost = GrowlangError(
                "another process of this run ended: it was killed, or its node was lost",
                help=f"continue with: {self.status.command}",
                exit_status=Exit.LOST,
            )
            self.status.end("interrupted", Exit.LOST, lost.message)
            if claims(LOST, Exit.LOST) is None:
                Display(0, quiet=False).say(lost.as_text())
            raise lost from error

    def end(self, result: TrainResult) -> None:
        """Tell how the run ended, and where its last seconds went."""
        if seconds := self.seconds.read():
            self.metrics.write(step=result.step, event="seconds", seconds=seconds)
        self.status.tell(result.step)
        if result.signal is None:
            self.status.end("finished", result.exit_status)
        else:
            self.status.interrupted(result.signal)
