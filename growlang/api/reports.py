"""The Python API for what runs have to tell: lists, states, comparisons and pages."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from growlang.api.given import StrPath, path_of

if TYPE_CHECKING:
    from growlang_runtime.report.comparison import Comparison
    from growlang_runtime.report.page.document import ReportPage
    from growlang_runtime.report.runs import Runs, RunSummary


def runs(folder: StrPath = "runs") -> Runs:
    """The runs in a folder and the folders in it: `runs`, and a text to print.

    Raises GrowlangError if there is no such folder.
    """
    from growlang_runtime.report.runs import runs_in

    return runs_in(path_of(folder))


def status(run: StrPath) -> RunSummary:
    """How a run fares: its `state`, step, losses, what `status.json` says, and a text to print.

    Raises GrowlangError if there is no run.
    """
    from growlang_runtime.report.runs import status_of

    return status_of(path_of(run))


def compare(a: StrPath, b: StrPath, output: StrPath | None = None) -> Comparison:
    """Two runs side by side: `settings` that differ, `losses` at common steps, curves to print.

    Each is RUN, RUN@STEP or RUN@best. With `output`, their sample grids are written beside each
    other as a PNG. Raises GrowlangError if one is no run, or if `output` exists.
    """
    from growlang_runtime.report.comparison import compare as compared

    return compared(path_of(a), path_of(b), None if output is None else path_of(output))


def report(runs: StrPath | Sequence[StrPath], output: StrPath | None = None) -> ReportPage:
    """One self-contained HTML page about a run, or several overlaid; also written to `output`.

    It has the curves with phases and resumes, where the time went, sample grids over the steps,
    evaluations, plan and lineage, hashes of frozen tensors, what was skipped and left out, and the
    environment. Each run is RUN, RUN@STEP or RUN@best. Raises GrowlangError if one is no run, or if
    a file that is no report is at `output`.
    """
    from growlang_runtime.report.page.document import report as made

    several = [runs] if isinstance(runs, str | os.PathLike) else runs
    return made([path_of(run) for run in several], None if output is None else path_of(output))
