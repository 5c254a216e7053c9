"""Training a plan into a run folder: a new run, or one that is resumed."""

from __future__ import annotations

from pathlib import Path

import torch

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang.plans.weights_header import CHECKPOINTS, MODEL, checkpoints_of
from growlang.spec.automatic import told
from growlang.torch_backend.device import open_device
from growlang_runtime.data import decoding
from growlang_runtime.report.display import Display
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.files import require_place
from growlang_runtime.storage.run import Run, exists, recorded_plan, run_folder
from growlang_runtime.train.environment import computed_on, processor
from growlang_runtime.train.options import Resume, RunOptions
from growlang_runtime.train.resume import (
    UNKNOWN_DATA,
    all_torn,
    nothing_to_resume,
    require_checkpoints,
    require_same,
    require_same_data,
    require_whole,
)
from growlang_runtime.train.setup import set_up
from growlang_runtime.train.threads import choose_threads, kept, use_threads
from growlang_runtime.train.trainer import Trainer, TrainResult


def train(plan: Plan, options: RunOptions) -> TrainResult:
    """Train a plan into `OUT/MODEL/RECIPE`, or resume the run that is there.

    Raises GrowlangError if the run exists already, belongs to another plan or is in use, and for
    whatever else keeps it from going on.
    """
    device = open_device(options.device)
    if isinstance(options.threads, int):
        use_threads(options.threads)
    path = run_folder(options.out, plan.model, plan.recipe)
    data_root = options.data_root or Path(plan.spec).parent
    with decoding.quiet():
        return _train(plan, path, options, data_root, device)


def needs_parent(path: Path, resume: Resume) -> bool:
    """Whether training into `path` reads the weights of a parent, which a checkpoint replaces.

    Raises GrowlangError if there is a run, or none, against what `resume` says.
    """
    _require_asked(path, resume)
    return not ((path / MODEL).exists() or checkpoints_of(path / CHECKPOINTS))


def _require_asked(path: Path, resume: Resume) -> bool:
    """Whether there is something at `path`. Raises GrowlangError if `resume` says otherwise."""
    there = path.is_symlink() or path.exists()
    if resume == "must" and not there:
        raise nothing_to_resume(path)
    if resume == "never" and there:
        raise exists(path)
    return there


def _train(
    plan: Plan, path: Path, options: RunOptions, data_root: Path, device: torch.device
) -> TrainResult:
    if not _require_asked(path, options.resume):
        require_place(path, "--out")
        return _start(plan, path, options, data_root, device)
    recorded = recorded_plan(path)
    require_same(path, recorded, plan.as_recorded(recorded))
    with Run(path, _going_on(recorded, plan)) as run:
        return _resume(run, recorded, options, data_root, device)


def _going_on(recorded: Plan, plan: Plan) -> Plan:
    """The plan of a resumed run: what no training tensor depends on is as the spec says it now."""
    return recorded.model_copy(update={"sample": plan.sample, "validation": plan.validation})


def _start(
    plan: Plan, path: Path, options: RunOptions, data_root: Path, device: torch.device
) -> TrainResult:
    """Train a plan into a new run, which is removed if its first step fails."""
    setup = set_up(plan, options, data_root, device)
    with Run.create(path, setup.plan) as run:
        trainer = Trainer(run, setup, options)
        trainer.restore(None)
        if options.threads == "auto" and device.type == "cpu":
            choose_threads(trainer)
        trainer.display.say(f"started {path}: {trainer.steps} steps on {computed_on(device)}")
        for line in told(setup.plan.phases):
            trainer.display.say(line)
        try:
            return trainer.run_phases()
        except GrowlangError:
            if trainer.step == 0:
                run.remove()  # there is nothing to resume, and the corrected try needs its place
            raise


def _resume(
    run: Run, recorded: Plan, options: RunOptions, data_root: Path, device: torch.device
) -> TrainResult:
    """Resume a run from its newest valid checkpoint, or from the start if it has none.

    `recorded` is the plan in its folder, from which that of `run` differs in `sample`
    and `validation` alone.
    """
    if run.model.exists():
        require_whole(run.model)
        steps = sum(phase.steps or 0 for phase in run.plan.phases)
        Display(0, options.quiet).say(f"{run.path} is finished: all {steps} steps are done")
        return TrainResult(run.path, steps, steps)
    require_checkpoints(run.path)
    found, torn = checkpoint.newest(run.checkpoints)
    if torn and found is None:
        raise all_torn(run.path, torn)
    if found:
        before = found.record.environment
        device = open_device(options.device, before.device)
        use_threads(kept(options.threads, before, processor()))
    setup = set_up(run.plan, options, data_root, device, found.step if found else None)
    require_same_data(run.path, run.plan, setup.plan)
    trainer = Trainer(run, setup, options)
    trainer.restore(found)
    if run.plan.data is None:
        trainer.warn(UNKNOWN_DATA)
    if setup.plan != recorded:
        run.record(setup.plan)
    if options.threads == "auto" and found is None and device.type == "cpu":
        choose_threads(trainer)
    trainer.display.say(
        f"resumed {run.path} at step {trainer.step} of {trainer.steps} on {computed_on(device)}"
    )
    for line in torn:
        trainer.warn(f"removed a damaged checkpoint: {line}")
    checkpoint.forget_after(run.checkpoints, found)
    return trainer.run_phases()
