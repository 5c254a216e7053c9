"""Training a plan into a run folder: a new run, or one that is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang.plans.weights_header import CHECKPOINTS, MODEL, checkpoints_of
from growlang_runtime.data import decoding
from growlang_runtime.device import open_device
from growlang_runtime.report.progress import Display
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.files import require_place
from growlang_runtime.storage.run import Run, exists, recorded_plan, run_folder
from growlang_runtime.train.machine import Machine
from growlang_runtime.train.resume import (
    UNKNOWN_DATA,
    all_torn,
    nothing_to_resume,
    require_checkpoints,
    require_same,
    require_same_data,
    require_whole,
)
from growlang_runtime.train.setup import Sources, set_up
from growlang_runtime.train.trainer import Trainer, TrainResult

Resume = Literal["never", "must", "may"]
"""Whether the run that is to be trained is there already."""


def train(
    plan: Plan,
    *,
    out: Path,
    data_root: Path,
    resume: Resume = "never",
    device: str = "cpu",
    parent_run: Path | None = None,
    checkpoint_every: int = 1000,
    keep_checkpoints: int = 2,
    sample_every: int | None = None,
    log_every: int = 10,
    micro_batch: int | None = None,
    workers: int = 2,
    max_corrupt: int = 0,
    accept_parent: bool = False,
    quiet: bool = False,
) -> TrainResult:
    """Train a plan into `out/MODEL/RECIPE`, or resume the run that is there.

    `resume` says what to do about a run: it must not be there, it must, or it may.
    `accept_parent` allows a parent run that was trained with a different version of its spec.
    `max_corrupt` is how many unusable samples the run may skip.
    Raises GrowlangError if the run exists already, belongs to another plan or is in use, and for
    whatever else keeps it from going on.
    """
    machine = Machine(
        open_device(device),
        checkpoint_every,
        keep_checkpoints,
        sample_every,
        log_every,
        micro_batch,
        workers,
        quiet,
    )
    sources = Sources(out, data_root, parent_run, max_corrupt, accept_parent)
    path = run_folder(out, plan.model, plan.recipe)
    with decoding.quiet():
        return _train(plan, path, resume, sources, machine)


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
    plan: Plan, path: Path, resume: Resume, sources: Sources, machine: Machine
) -> TrainResult:
    if not _require_asked(path, resume):
        require_place(path, "--out")
        return _start(plan, path, sources, machine)
    recorded = recorded_plan(path)
    require_same(path, recorded, plan.as_recorded(recorded))
    with Run(path, recorded.model_copy(update={"sample": plan.sample})) as run:
        return _resume(run, recorded, sources, machine)


def _start(plan: Plan, path: Path, sources: Sources, machine: Machine) -> TrainResult:
    """Train a plan into a new run, which is removed if its first step fails."""
    setup = set_up(plan, sources, machine.device)
    with Run.create(path, setup.plan) as run:
        trainer = Trainer(run, setup, machine)
        trainer.restore(None)
        trainer.display.say(f"started {path}: {trainer.steps} steps")
        try:
            return trainer.run_phases()
        except GrowlangError:
            if trainer.step == 0:
                run.remove()  # there is nothing to resume, and the corrected try needs its place
            raise


def _resume(run: Run, recorded: Plan, sources: Sources, machine: Machine) -> TrainResult:
    """Resume a run from its newest valid checkpoint, or from the start if it has none.

    `recorded` is the plan in its folder, from which the run's differs in `sample` alone.
    """
    if run.model.exists():
        require_whole(run.model)
        steps = sum(phase.steps or 0 for phase in run.plan.phases)
        Display(0, machine.quiet).say(f"{run.path} is finished: all {steps} steps are done")
        return TrainResult(run.path, steps, steps)
    require_checkpoints(run.path)
    found, torn = checkpoint.newest(run.checkpoints)
    if torn and found is None:
        raise all_torn(run.path, torn)
    setup = set_up(run.plan, sources, machine.device, found is not None)
    require_same_data(run.path, run.plan, setup.plan)
    trainer = Trainer(run, setup, machine)
    trainer.restore(found)
    if run.plan.data is None:
        trainer.warn(UNKNOWN_DATA)
    if setup.plan != recorded:
        run.record(setup.plan)
    trainer.display.say(f"resumed {run.path} at step {trainer.step} of {trainer.steps}")
    for line in torn:
        trainer.warn(f"removed a damaged checkpoint: {line}")
    checkpoint.forget_after(run.checkpoints, found)
    return trainer.run_phases()
