"""The steps of a run that are skipped: counted and told; many in a row end it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor

from growlang.diagnostics import Exit, GrowlangError
from growlang_runtime.storage.record import Record
from growlang_runtime.storage.run import Run
from growlang_runtime.train import nonfinite
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.setup import Setup
from growlang_runtime.train.step import Found, Stepped
from growlang_runtime.train.telling import Telling


class Skips:
    """Counts and tells the skipped steps of a run. All processes call it together."""

    def __init__(
        self,
        run: Run,
        setup: Setup,
        options: RunOptions,
        told: Telling,
        warn: Callable[[str], None],
    ) -> None:
        self.run, self.plan, self.options = run, setup.plan, options
        self.data, self.ranks = setup.data, setup.ranks
        self.told, self.warn = told, warn
        self.streak = nonfinite.Streak()

    def restore(self, record: Record) -> None:
        """Take over what an earlier part of the run counted."""
        self.streak = nonfinite.Streak(record.nonfinite, record.skipped)

    def end(self, step: int) -> None:
        """Note a finite step."""
        if text := self.streak.end(step):
            self.warn(text)

    def skip(self, done: Stepped, found: Found) -> None:
        """Tell of a skipped step. Raises GrowlangError after many in a row."""
        phase, step = done.data.phase.name, done.step
        self.told.metrics.write(
            step=step,
            event="skipped",
            phase=phase,
            loss=str(found.loss),
            grad_norm=str(found.norm),
        )
        if text := self.streak.skip(step, found.loss, found.norm):
            self.warn(text)
        if self.streak.length >= nonfinite.LIMIT:
            values, path = (found.loss, found.norm), self.run.path
            shares = self.ranks.gather(done.batch.drawn())
            given_up = partial(nonfinite.given_up, self.streak, step, phase, values)
            raise self._failure(self.ranks.tell(lambda: given_up(shares, path)), step)

    def require_finite(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Raise GrowlangError if a step left NaN or infinity in the weights."""
        if text := nonfinite.broken(tensors, step, self.ranks):
            raise self._failure(text, step)

    def require_ended(self, steps: int) -> None:
        """Raise GrowlangError if the last of a run's `steps` was skipped."""
        if self.streak.length:
            raise self._failure(nonfinite.unfinished(self.streak, steps), steps)
        if self.streak.total:
            self.warn(f"{self.streak.total} of {steps} steps were skipped")

    def _failure(self, text: str, step: int) -> GrowlangError:
        """The error that ends the run after a step, with its help; it is in the metrics too."""
        self.told.metrics.write(step=step, event="failed", text=text)
        self.told.status.command = None  # the same steps would fail again
        phase = next(d.phase for d in self.data if step <= d.span.end)
        known = self.run.checkpoints, step - self.streak.length, self.plan, self.options
        help = self.ranks.tell(lambda: nonfinite.ways_out(phase.settings, *known))
        return GrowlangError(text, help=help, exit_status=Exit.NONFINITE)
