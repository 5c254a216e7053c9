"""Training: a plan's phases from its start weights, or from a checkpoint, to finished weights."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from torch import Tensor

from growlang.diagnostics import Exit, GrowlangError
from growlang.torch_backend.shards import gathered
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.data.decoders import versions
from growlang_runtime.diffusion.agreement import require_agreement, require_sampler
from growlang_runtime.diffusion.objective import Loss, Objective, loss_of
from growlang_runtime.report.board import Boards, open_boards
from growlang_runtime.report.history import history_of
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.background import Background
from growlang_runtime.storage.checkpoint import Checkpoint
from growlang_runtime.storage.record import Environment, Record
from growlang_runtime.storage.run import AFRESH, Run
from growlang_runtime.storage.status import StatusFile
from growlang_runtime.storage.weights import model_metadata, require_state, save_model
from growlang_runtime.train import precision
from growlang_runtime.train.batches import Data, StepBatch, step_batches
from growlang_runtime.train.commands import command
from growlang_runtime.train.environment import changes, environment
from growlang_runtime.train.freezing import Proof, freeze, training_mode
from growlang_runtime.train.measuring import Measuring
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.result import TrainResult
from growlang_runtime.train.seen import Seen
from growlang_runtime.train.setup import Setup
from growlang_runtime.train.signals import Interruption, Stopped
from growlang_runtime.train.skipping import Skips
from growlang_runtime.train.step import Found, Stepped, Stepper
from growlang_runtime.train.telling import Measured, Telling
from growlang_runtime.train.timer import Timer
from growlang_runtime.train.watch import Moment, Watch, report


class Trainer:
    """The loop over phases and steps of one run."""

    def __init__(self, run: Run, setup: Setup, options: RunOptions, status: StatusFile) -> None:
        self.run, self.options, self.device = run, options, setup.device
        self.ranks = setup.ranks
        self.plan, self.net = setup.plan, setup.net
        self.module, self.state = setup.module, setup.state
        self.data, self.budget, self.previews = setup.data, setup.budget, setup.previews
        self.remarks, self.found = setup.remarks, setup.found
        self.steps = self.data[-1].span.end
        self.step = 0
        self.stepper = Stepper(setup, options)
        self.pending: Stepped | None = None
        """The last step, while it is not known what it found."""
        self.watch = Watch.of(setup, run.checkpoints, options, self.steps)
        tokens = self.net.result.positions if self.net.of_tokens else 0
        quiet, first = options.quiet, self.ranks.first
        self.told = Telling(run, self.steps, quiet, status, written=first, tokens=tokens)
        self.metrics, self.display = self.told.metrics, self.told.display
        self.skips = Skips(run, setup, options, self.told, self.warn)
        self.proof = Proof(self.state.weights, self.metrics, self.display)
        self.seen = Seen(self.budget, self.ranks, self.metrics, self.display, self.warn)
        self.interruption = Interruption()
        self.measuring = Measuring(run, setup, options, self.told, self.interruption, self.warn)
        self.background = Background()
        self.saved: int | None = None
        """The step of the newest checkpoint."""
        self.since_saved = Timer(options.checkpoint_minutes, options.clock)

    @property
    def lags(self) -> bool:
        """Whether what a step found is read only when the next one is under way."""
        return self.device.type != "cpu"

    def warn(self, text: str) -> None:
        """Print a warning on stderr and record it in the metrics."""
        self.display.say(f"warning: {text}")
        self.metrics.write(step=self.step, event="warning", text=text)

    def restore(self, found: Checkpoint | None) -> None:
        """Take over the state of a checkpoint, and drop the metrics of later steps.

        Raises GrowlangError if the data is not what it was.
        """
        if watch := self.watch:
            begun = found.step if found else self.step
            text, watch.best = self.ranks.tell(lambda: self._recalled(watch, begun))
            if text:
                self.warn(text)
        if found is None:
            self.metrics.forget_after(-1)
            self._report_start()
            return
        record = found.record
        if record.images != (now := self._images()):
            raise GrowlangError(
                "the data has changed since the run was started: its phases had "
                f"{record.images} images, and have {now}",
                help=f"restore the data, or {AFRESH}",
                exit_status=Exit.CHANGED,
            )
        help = f"move {found.path} away to continue from the checkpoint before it"
        require_state(found, self.net, help)
        self.stepper.trained_by(self.data, found.step)
        self.state.load(found, record.counts)
        self.step = self.saved = found.step
        self.skips.restore(record)
        self.proof.hashes = record.frozen
        self.seen.restore(record)
        self.metrics.forget_after(self.step)
        for line in changes(record.environment, self._environment()):
            self.warn(line)
        self.metrics.write(step=self.step, event="resumed", checkpoint=found.path.name)
        self._report_data()

    def _recalled(self, watch: Watch, begun: int) -> tuple[str, float]:
        """A warning about the best weights so far, or "", and their loss."""
        return watch.recall(begun, history_of(self.run.path).averaged), watch.best

    def _report_start(self) -> None:
        """Report what is to be known of the data and the parent before the first step."""
        self._report_data()
        if self.found:
            self.display.say(self.found)
        for remark in self.remarks:
            self.warn(remark)

    def _report_data(self) -> None:
        """Warn of what the indexes of the data show."""
        for text in dict.fromkeys(text for data in self.data for text in data.images.warnings):
            self.warn(text)
        self.seen.corrupt((), self.step)

    def _environment(self) -> Environment:
        return environment(
            self.device,
            self.options.micro_batch,
            compile=self.options.compile,
            processes=self.ranks.size,
            decoder=versions(phase.settings.decoder for phase in self.plan.phases),
        )

    def _images(self) -> list[int]:
        return [len(data.images) for data in self.data]

    def run_phases(self) -> TrainResult:
        """Train all phases that are not done."""
        self.board = self.ranks.agree(self._boards)
        self.since_saved.start()
        self.told.seconds.start()
        told = self.told
        with self.board, self.interruption, self.display, self.background, told.surviving():
            for data in self.data:
                if self.step == self.saved and data.span.first < self.step <= data.span.end:
                    self._draw_due(data)  # which a stop behind the checkpoint left out
                if self.step >= data.span.end:
                    continue
                self._phase(data)
                if signal := self._cut_short():
                    return self._result(signal)
            self._evaluate()
            if signal := self._cut_short():
                return self._result(signal)
            self.seen.tell_totals(self.step)
            self.background.join()
            self.skips.require_ended(self.steps)
            weights, skipped = self._save_model(), len(self.budget)
            self.metrics.write(step=self.step, event="finished", weights=weights, corrupt=skipped)
            if skipped:
                self.display.say(
                    f"skipped {skipped} unusable images (--max-corrupt {self.budget.most})"
                )
            self.display.say(f"finished: {self.run.model}")
        return self._result(None)

    def _cut_short(self) -> int | None:
        """The signal that the run stops for before all of it is done, the last evaluation too."""
        signal = self._stopped().signal
        if signal is None or self._is_done():
            return None
        self.background.join()
        self.display.say(
            f"stopped after step {self.step} of {self.steps}; continue with: "
            f"{command(self.plan, self.options, '--resume')}"
        )
        return signal

    def _is_done(self) -> bool:
        """Whether all steps are trained, and the last one is evaluated."""
        return self.step == self.steps and not self.measuring.is_evaluation_due(self.step)

    def _boards(self) -> Boards:
        """What the run is told to; of several processes, only the first tells it."""
        if not self.ranks.first:
            return Boards([], self.warn)
        logs = self.options.log or ()
        return open_boards(self.run.path, self.step + 1, self.plan, logs, self.warn)

    def _stopped(self) -> Stopped:
        """What one of the processes stops for, told to all: they stop at the same step."""
        due = self.ranks.first and self.since_saved.due()
        return Stopped.of(self.ranks.largest(2 * (self.interruption.signal or 0) + due))

    def _save_model(self) -> str:
        """Write the averages as the finished weights; returns the hash of their contents."""
        averages = gathered(self.state.ema.averages, self.ranks.first)
        return self.ranks.tell(lambda: self._write_model(averages))

    def _write_model(self, averages: Mapping[str, Tensor]) -> str:
        save_model(self.run.model, averages, self.plan)
        return contents_hash(averages)

    def _result(self, signal: int | None) -> TrainResult:
        result = TrainResult(self.run.path, self.step, self.steps, signal)
        self.board.status = result.exit_status
        self.told.end(result)
        return result

    def _begin(self, data: Data) -> Loss:
        """Begin a phase, or go on with it: what is frozen, the optimizer, what it is called."""
        phase = data.phase
        freeze(self.module, frozenset(phase.frozen))
        if self.stepper.use(phase):
            call = phase.settings.optimizer.call
            self.display.say(f"phase {phase.name}: `{call}` begins with moments of its own")
        self.stepper.begin_phase()
        self.proof.begin(phase, self.step, goes_on=self.step > data.span.first)
        if self.plan.branch is not None and self.saved is None:
            self._save(data)  # what the run goes on from may be gone when it is resumed
        objective = loss_of(phase.settings.objective, self.net)
        if isinstance(objective, Objective):
            require_agreement(objective, phase.settings.objective.call)
        self.metrics.write(step=self.step, event="phase", phase=phase.name, until=data.span.end)
        self.board.phase(self.step, phase.name, self.data.index(data))
        self.told.status.tell(self.step, phase=phase.name)
        self.told.seconds.lap("other")
        return objective

    def _phase(self, data: Data) -> None:
        objective, end = self._begin(data), data.span.end
        if self._evaluate() and self._stopped().signal:
            return  # a run that was stopped in an evaluation goes on with it
        begun = self.step
        with closing(
            step_batches(
                data,
                self.previews.conditioner,
                self.step,
                self.options.workers,
                self.device,
                self.ranks.share(data.phase.settings.batch),
            )
        ) as batches:
            for batch in batches:
                self.told.seconds.lap("data")
                self.seen.corrupt(batch.corrupt, self.step + 1)
                self._step(data, objective, batch)
                self.background.poll()
                self.told.seconds.lap("step")
                if self.step == begun + 1 and isinstance(objective, Objective):
                    call = data.phase.settings.objective.call
                    require_sampler(objective, call, self.plan.sample.sampler)
                    self.told.seconds.lap("other")
                if self.step == end:
                    self._settle()
                    self.proof.end(data.phase, self.step)
                    self.told.seconds.lap("other")
                if self.watch and self._due(self.watch.every, end):
                    self._validate(data, self.watch)
                    self.told.seconds.lap("validation")
                self._evaluate()
                stopped = self._stopped()
                by_steps = self._due(self.options.checkpoint_every, end)
                if by_steps or stopped.save:
                    self._save(data)
                    self.told.seconds.lap("checkpoint")
                if stopped.signal:
                    return
                self._draw_due(data)

    def _due(self, every: int | None, end: int) -> bool:
        return self.step == end or (every is not None and self.step % every == 0)

    def _step(self, data: Data, objective: Loss, batch: StepBatch) -> None:
        watched = self._logs(self.step + 1)
        self.pending = self.stepper.take(
            data, objective, batch, self.step, self._settle, watched=watched
        )
        self.step += 1
        self.seen.read(batch.readings)
        self.told.rate.count(data.phase.settings.batch)
        self.display.advance(self.step, data.phase.name)
        if not self.lags:
            self._settle()

    def _settle(self) -> None:
        """Take note of what the last step found, once: averages, skipped steps, metrics."""
        done, self.pending = self.pending, None
        if done is None:
            return
        found = done.found()
        if found.finite:
            self.stepper.average(done.data)
            self.skips.end(done.step)
        else:
            self.skips.require_finite(self.state.weights, done.step - 1)
            self.skips.skip(done, found)
        if self._logs(done.step):
            self._log(done, found)

    def _logs(self, step: int) -> bool:
        return step % self.options.log_every == 0 or step == self.steps

    def _log(self, done: Stepped, found: Found) -> None:
        values = found.loss, done.lr, found.norm
        at = Measured(done.step, done.data.phase.name, *values, self.skips.streak.length)
        self.told.step(at, done.errors.means(self.ranks), self.device, self.board)

    def _draw_due(self, data: Data) -> None:
        """Draw the sample grid of this step from the averaged weights, if one is due."""
        if not self._due(self.options.sample_every, data.span.end):
            return
        self._settle()
        objective = loss_of(data.phase.settings.objective, self.net)
        self.measuring.draw(self.step, objective, self.board)

    def _evaluate(self) -> bool:
        """Measure the averaged weights where `evaluate { every = ... }` asks for it."""
        if not self.measuring.is_evaluation_due(self.step):
            return False
        self._settle()
        self.measuring.evaluate(self.step, self.board)
        return True

    def _validate(self, data: Data, watch: Watch) -> None:
        """Measure the loss on held-out images; the weights that did best so far are kept."""
        self._settle()
        with precision.apart(self.device, compiled=self.options.compile):
            measured = watch.measure(self.module, self.state.ema.averages, self.device)
        losses = self.ranks.tell(lambda: measured)
        training_mode(self.module)
        self.seen.corrupt(watch.validation.corrupt, self.step)
        best = watch.is_best(losses)
        if best:
            tensors = self.state.tensors()
            self.skips.require_finite(tensors, self.step)
            record, metadata = self._record(data), model_metadata(self.plan)
            watch.keep(losses, record, tensors, metadata, self.ranks)
        at = Moment(self.step, data.phase.name, best)
        report(losses, at, self.metrics, self.board, self.display)

    def _record(self, data: Data) -> Record:
        """What a checkpoint records of this step beside its tensors."""
        self.seen.read({}, all=True)
        return Record(
            step=self.step,
            phase=data.phase.name,
            counts=self.state.counts(),
            nonfinite=self.skips.streak.length,
            skipped=self.skips.streak.total,
            frozen=self.proof.hashes,
            images=self._images(),
            corrupt=self.budget.names,
            environment=self._environment(),
            readings=self.seen.tally.counts,
            branch=self.plan.branch,
        )

    def _save(self, data: Data) -> None:
        """Begin to write a checkpoint; older ones go then, unless steps are being skipped."""
        self._settle()
        tensors = self.state.tensors()
        self.skips.require_finite(tensors, self.step)
        folder = self.run.checkpoints
        record, metadata = self._record(data), model_metadata(self.plan)
        ends = frozenset(d.span.end for d in self.data)
        prunes, keep = not self.skips.streak.length, self.options.keep_checkpoints

        def write(copies: Mapping[str, Tensor]) -> None:
            checkpoint.save(folder, record, copies, metadata, self.ranks)
            if prunes:
                self.ranks.tell(lambda: checkpoint.prune(folder, keep, ends))

        def written() -> None:
            self.metrics.write(step=record.step, event="checkpoint")

        if self.ranks.size == 1:
            self.background.submit(tensors, write, written)
        else:  # which write together, and so not beside the exchanges of a step
            write(tensors)
            written()
        self.saved = self.step
        self.since_saved.start()
