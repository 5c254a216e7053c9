"""Training a plan into a run folder: a new run, or one that is resumed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from growlang.diagnostics import Exit, GrowlangError
from growlang.plans.plan import Plan
from growlang.plans.weights_header import CHECKPOINTS, MODEL, PLAN, checkpoints_of
from growlang.spec.automatic import told
from growlang.torch_backend.device import open_device
from growlang_runtime.data import decoding, progress
from growlang_runtime.distributed.ranks import Ranks, joined
from growlang_runtime.report.board import require_boards
from growlang_runtime.report.display import Display
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.aside import move_aside
from growlang_runtime.storage.checkpoint import Checkpoint
from growlang_runtime.storage.files import require_place
from growlang_runtime.storage.run import Run, exists, is_vacant, recorded_plan, run_folder
from growlang_runtime.storage.status import StatusFile, read_status
from growlang_runtime.train import precision
from growlang_runtime.train.branching import (
    Source,
    again,
    open_source,
    require_same_branch,
    take_over,
)
from growlang_runtime.train.commands import command
from growlang_runtime.train.environment import computed_on, processor
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.precision import Flags
from growlang_runtime.train.result import TrainResult
from growlang_runtime.train.resume import (
    UNKNOWN_DATA,
    all_torn,
    already_there,
    listed,
    nothing_to_resume,
    require_checkpoints,
    require_same,
    require_same_data,
    require_whole,
)
from growlang_runtime.train.setup import Setup, set_up
from growlang_runtime.train.threads import choose_threads, kept, use_threads
from growlang_runtime.train.trainer import Trainer


class RunFailed(GrowlangError):
    """A run that had begun has failed; what it had done is kept in its folder, `run`."""

    def __init__(self, error: GrowlangError, run: Path) -> None:
        super().__init__(error.message, help=error.help, exit_status=error.exit_status)
        self.run = run


def train(plan: Plan, options: RunOptions) -> TrainResult:
    """Train a plan into `OUT/MODEL/NAME`, or resume the run that is there.

    Raises GrowlangError if the run exists already, belongs to another plan or is in use, and for
    whatever else keeps it from going on. Where torchrun or srun started several processes, they
    train together, each with its share of every batch; all of them call it.
    """
    data_root = options.data_root or Path(plan.spec).parent
    flags = Flags(options.tf32, options.deterministic)
    with joined() as ranks, precision.computing(flags), decoding.quiet():
        options = replace(options, quiet=options.quiet or not ranks.first)
        with progress.shown(options.quiet):
            return _train(plan, options, data_root, ranks)


def folder_of(plan: Plan, options: RunOptions) -> Path:
    """The folder of a plan's run."""
    return run_folder(options.out, plan.model, options.name or plan.recipe)


def needs_parent(plan: Plan, options: RunOptions) -> bool:
    """Whether training a plan reads the weights of a parent, which a checkpoint replaces.

    Raises GrowlangError if there is a run, or none, against what the options say.
    """
    there = require_asked(plan, options)
    if options.from_run is not None:
        return plan.start.bridge is not None
    path = folder_of(plan, options)
    kept = there and not options.fresh
    return not (kept and ((path / MODEL).exists() or checkpoints_of(path / CHECKPOINTS)))


def require_asked(plan: Plan, options: RunOptions) -> bool:
    """Whether there is a run of a plan. Raises GrowlangError if the options say otherwise."""
    path = folder_of(plan, options)
    there = path.is_symlink() or path.exists()
    if options.resume == "may" and there and is_vacant(path):
        return False
    if options.resume == "must" and not there:
        raise nothing_to_resume(path, plan, options)
    if options.resume == "never" and there and not options.fresh:
        raise already_there(path, plan, options)
    if there and options.fresh and not (path / PLAN).exists():
        raise exists(path)
    return there


def _train(plan: Plan, options: RunOptions, data_root: Path, ranks: Ranks) -> TrainResult:
    recorded = ranks.tell(lambda: _recorded(plan, options))
    path = folder_of(plan, options)
    if recorded is None:
        device = ranks.agree(lambda: _prepared(options, ranks))
        return _start(plan, path, options, data_root, device, ranks)
    with (
        Run.joint(ranks, path, _going_on(recorded, plan)) as run,
        _status(run, options, ranks) as status,
    ):
        device = ranks.agree(lambda: _prepared(options, ranks))
        ranks.tell(lambda: _require_same(path, recorded, plan, options))
        return _resume(run, recorded, options, data_root, device, ranks, status)


def _status(run: Run, options: RunOptions, ranks: Ranks) -> StatusFile:
    """What says from now on how a run fares; that of a finished run stays as it is."""
    before = read_status(run.path)
    steps = sum(phase.steps or 0 for phase in run.plan.phases)
    again = command(run.plan, options, "--resume")
    written = ranks.first and not run.model.exists()
    status = StatusFile(run.path, steps, again, written=written)
    status.tell(before.step if before else 0)
    return status


def _prepared(options: RunOptions, ranks: Ranks) -> torch.device:
    """The device that this process computes on, once it computes as the options say."""
    require_boards(options.log or ())
    if options.threads == "auto" and ranks.size > 1:
        raise GrowlangError(
            "`--threads auto` measures in one process, and there are several",
            help="give each its share of the cores: --threads N",
        )
    if isinstance(options.threads, int):
        use_threads(options.threads)
    return _open_device(options, ranks)


def _open_device(options: RunOptions, ranks: Ranks, recorded: str | None = None) -> torch.device:
    """The device of the options; of several GPUs on a machine, that of this process."""
    device = open_device(options.device, recorded)
    if ranks.size == 1 or device.type == "cpu":
        return device
    if device.type != "cuda" or device.index is not None:
        raise GrowlangError(
            f"`--device {options.device}` is for one process: several train on `cpu` or `cuda`",
            help="write --device cuda: each process takes the GPU of its number",
        )
    return open_device(f"cuda:{ranks.local}")


def _recorded(plan: Plan, options: RunOptions) -> Plan | None:
    """The plan of the run that is to go on; None for a new one, for which there is a place."""
    path = folder_of(plan, options)
    if not require_asked(plan, options) or options.fresh:
        require_place(path, "--out")
        return None
    return recorded_plan(path)


def _require_same(path: Path, recorded: Plan, plan: Plan, options: RunOptions) -> None:
    """Raise GrowlangError unless a plan is that of the run that is to go on."""
    require_same(path, recorded, plan.as_recorded(recorded), options)
    require_same_branch(path, recorded, options)


def _going_on(recorded: Plan, plan: Plan) -> Plan:
    """The plan of a resumed run: what no training tensor depends on is as the spec says it now."""
    names = ("sample", "validation", "evaluate")
    return recorded.model_copy(update={name: getattr(plan, name) for name in names})


def _start(
    plan: Plan,
    path: Path,
    options: RunOptions,
    data_root: Path,
    device: torch.device,
    ranks: Ranks,
) -> TrainResult:
    """Train a plan into a new run, which is removed if its first step fails."""
    source, written = None, options.from_run
    if written is not None:
        source = ranks.tell(lambda: open_source(plan, written, options))
        setup = set_up(source.joined(plan), options, data_root, device, source.step, ranks)
        _require_steps_left(setup, source)
    else:
        setup = set_up(plan, options, data_root, device, ranks=ranks)
    display = Display(0, options.quiet)
    with _room(path, display, ranks) as aside:
        if source is not None and aside is not None:
            source = source.moved(path, aside)
            known = setup.plan.model_copy(update={"branch": source.branch})
            setup = replace(setup, plan=known)
        with (
            Run.joint(ranks, path, setup.plan, new=True) as run,
            _status(run, options, ranks) as status,
        ):
            trainer: Trainer | None = None
            first = source.step if source else 0
            try:
                trainer = Trainer(run, setup, options, status)
                _begin(trainer, source)
                return _trained(trainer, first)
            except BaseException as error:
                lost = getattr(error, "exit_status", None) is Exit.LOST  # the same try goes on
                if trainer is None or (trainer.step <= first and not lost):
                    run.remove()  # nothing to resume, and the corrected try needs its place
                raise


def _trained(trainer: Trainer, first: int = -1) -> TrainResult:
    """Train what is left of a run. Raises RunFailed where it fails after step `first`."""
    try:
        return trainer.run_phases()
    except GrowlangError as error:
        if trainer.step <= first:
            raise
        raise RunFailed(error, trainer.run.path) from error


def _begin(trainer: Trainer, source: Source | None) -> None:
    """Give a new run the state of its first step, and say where it begins."""
    run, say = trainer.run.path, trainer.display.say
    if source is None:
        trainer.restore(None)
        _choose_threads(trainer)
        say(f"started {run}: {trainer.steps} steps on {computed_on(trainer.device)}")
        for line in told(trainer.plan.phases):
            say(line)
        return
    trainer.stepper.trained_by(trainer.data, source.step)
    begun = take_over(trainer.state, source)
    trainer.step = source.step
    trainer.restore(None)
    changes = source.changes(trainer.plan)
    trainer.metrics.write(
        step=source.step, event="branched", run=source.branch.run, changes=changes
    )
    _choose_threads(trainer)
    where = f"step {source.step} of {trainer.steps} on {computed_on(trainer.device)}"
    say(f"started {run} from {source.branch}: {where}")
    if changes:
        say(f"changes since (old -> new):{listed(changes)}")
    for line in source.torn:
        trainer.warn(f"passed over a damaged checkpoint: {line}")
    if begun:
        trainer.warn(f"the moments of {len(begun)} tensors begin anew with this optimizer")


def _choose_threads(trainer: Trainer) -> None:
    """Choose the number of threads where it is asked for, and there are steps left to compute."""
    asked = trainer.options.threads == "auto" and trainer.device.type == "cpu"
    if asked and trainer.step < trainer.steps:
        choose_threads(trainer)


@contextmanager
def _room(path: Path, display: Display, ranks: Ranks) -> Iterator[Path | None]:
    """Move the run at `path` aside, if there is one; it is put back if no new one came to be."""
    aside = ranks.tell(lambda: move_aside(path) if path.exists() else None)
    try:
        if aside is not None:
            display.say(f"moved the old run {path} to {aside}")
        yield aside
    except BaseException:
        if aside is not None and ranks.first and not path.exists():
            aside.rename(path)
            display.say(f"moved {aside} back to {path}")
        raise


def _require_steps_left(setup: Setup, source: Source) -> None:
    """Raise GrowlangError where a run would go on from a step at which its recipe is over."""
    last, plan = setup.data[-1], setup.plan
    end = last.span.end
    if source.step < end:
        return
    own = "" if plan.recipe == "main" else f".{plan.recipe}"
    longer = last.span.steps + max(last.span.steps, source.step - end + 1)
    raise GrowlangError(
        f"{source.branch} is at step {source.step}, and recipe {plan.recipe} ends at step {end}: "
        "there is nothing left to train",
        help=f"make the recipe longer, such as --set train{own}.phase.{last.phase.name}.for="
        f"{longer}, or name an earlier checkpoint: RUN@STEP",
    )


def _newest(run: Run, options: RunOptions) -> tuple[Checkpoint | None, list[str]] | None:
    """The checkpoint to resume from, if there is one, and the torn ones; None of a finished run."""
    if run.model.exists():
        require_whole(run.model)
        return None
    require_checkpoints(run.path)
    found, torn = checkpoint.newest(run.checkpoints)
    if torn and found is None:
        raise all_torn(run.path, torn, run.plan, options)
    return found, torn


def _resume(
    run: Run,
    recorded: Plan,
    options: RunOptions,
    data_root: Path,
    device: torch.device,
    ranks: Ranks,
    status: StatusFile,
) -> TrainResult:
    """Resume a run from its newest valid checkpoint, or from the start if it has none.

    `recorded` is the plan in its folder, from which that of `run` differs in `sample`,
    `validation` and `evaluate` alone.
    """
    newest = ranks.tell(lambda: _newest(run, options))
    if newest is None:
        steps = sum(phase.steps or 0 for phase in run.plan.phases)
        Display(0, options.quiet).say(f"{run.path} is finished: all {steps} steps are done")
        return TrainResult(run.path, steps, steps)
    found, torn = newest
    branch, source = run.plan.branch, None
    if branch and found is None:
        source = ranks.tell(lambda: again(run.plan, branch, options))
    begun = found or (source.found if source else None)
    count = None
    if found:
        before = found.record.environment
        device = ranks.agree(lambda: _open_device(options, ranks, before.device))
        count = kept(options.threads, before, processor())
        use_threads(count)
    setup = set_up(run.plan, options, data_root, device, begun.step if begun else None, ranks)
    require_same_data(run.path, run.plan, setup.plan, options)
    trainer = Trainer(run, setup, options, status)
    if source is not None:
        _begin(trainer, source)
    else:
        trainer.restore(found)
    if setup.plan != recorded:
        run.record(setup.plan)
    if source is not None:
        return _trained(trainer)
    if run.plan.data is None:
        trainer.warn(UNKNOWN_DATA)
    if count is None:
        _choose_threads(trainer)
    trainer.display.say(
        f"resumed {run.path} at step {trainer.step} of {trainer.steps} on {computed_on(device)}"
    )
    for line in torn:
        trainer.warn(f"removed a damaged checkpoint: {line}")
    ranks.tell(lambda: checkpoint.forget_after(run.checkpoints, found))
    return _trained(trainer)
