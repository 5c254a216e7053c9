"""Several runs, one after the other: what is said between them, and how they end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from growlang.plans.plan import Plan
from growlang_runtime.distributed.ranks import is_joined
from growlang_runtime.report.display import Display
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.result import TrainResult
from growlang_runtime.train.training import RunFailed, folder_of, require_asked


class OneOf(NamedTuple):
    """A run that is to be trained: its plan, its options, and what trains it."""

    plan: Plan
    options: RunOptions
    train: Callable[[], TrainResult]

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return folder_of(self.plan, self.options)


def train_several(runs: Sequence[OneOf]) -> int:
    """Train each run; returns 0, the exit status of the first that failed, or 128 + the signal.

    What is wrong about one that only the folders show is raised before the first begins. A run that
    fails once it was trained is told, and the next one goes on; at the end they are listed.
    """
    if len(runs) == 1:
        return runs[0].train().exit_status
    say = Display(0, runs[0].options.quiet).say
    for run in runs:
        require_asked(run.plan, run.options)
    failed: dict[Path, int] = {}
    for number, run in enumerate(runs, 1):
        try:
            say(f"run {number} of {len(runs)}: {run.folder}")
            status = _status(run, say, failed)
        except KeyboardInterrupt:
            status = 128 + signal.SIGINT
        if status:
            instead = " in place of --fresh" if run.options.fresh else ""
            say(
                f"stopped at run {number} of {len(runs)}; continue with the same command and "
                f"--resume-or-start{instead}"
            )
            return status
    if failed:
        say(f"{len(failed)} of {len(runs)} runs failed: {', '.join(map(str, failed))}")
    return next(iter(failed.values()), 0)


def _status(run: OneOf, say: Callable[[str], None], failed: dict[Path, int]) -> int:
    """Train a run; returns its exit status, and 0 for one that failed, which is listed.

    Raises GrowlangError for one that could not begin: what keeps it from that keeps the others too.
    So does a failure of several processes, which need not be where this one is.
    """
    try:
        return run.train().exit_status
    except RunFailed as error:
        if error.run != run.folder or is_joined():
            raise
        say(error.as_text())
        failed[run.folder] = error.exit_status
        return 0
