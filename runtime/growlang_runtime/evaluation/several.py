"""Several evaluations side by side: runs, or values of guidance, in one table and one picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from growlang.diagnostics import GrowlangError
from growlang_runtime.evaluation.chart import chart
from growlang_runtime.evaluation.evaluate import Asked, evaluate
from growlang_runtime.evaluation.result import Evaluations
from growlang_runtime.report.samples import free
from growlang_runtime.storage.files import require_place, save_text

HELP = "free disk space, or choose another path with --output"


def evaluate_all(runs: Sequence[Path], asked: Asked, files: Sequence[Path]) -> Evaluations:
    """Evaluate runs one after the other, and write what they have in common to files.

    A number is added to the name of a file that exists.
    """
    if not runs:
        raise GrowlangError("no runs given", help="name a run's folder: runs/MODEL/RECIPE")
    for file in files:
        _writer(file)
        require_place(file, "--output")
    found = Evaluations(tuple(row for run in runs for row in evaluate(run, asked)))
    written = []
    for file in files:
        path = free(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_text(path, _writer(file)(found), HELP)
        written.append(path)
    return replace(found, files=tuple(written))


def as_csv(found: Evaluations) -> str:
    """A line for each evaluation and metric."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("run", "step", "guidance", "metric", "value", "floor", "better", "images"))
    for one in found.rows:
        for r in one.results:
            about = (one.run, one.step, one.guidance, r.name)
            rows.writerow((*about, r.value, r.floor, r.better, r.protocol.get("generated")))
    return out.getvalue()


def as_json(found: Evaluations) -> str:
    """All of it, protocols included."""
    return json.dumps(found.as_json(), indent=1) + "\n"


WRITERS: dict[str, Callable[[Evaluations], str]] = {
    ".csv": as_csv,
    ".json": as_json,
    ".svg": chart,
}


def _writer(file: Path) -> Callable[[Evaluations], str]:
    """Raises GrowlangError for an ending that nothing is written as."""
    if file.suffix.lower() not in WRITERS:
        raise GrowlangError(
            f"{file}: evaluations are written as {', '.join(WRITERS)}",
            help=f"use --output {file.with_suffix('.csv') if file.name else 'evaluation.csv'}",
        )
    return WRITERS[file.suffix.lower()]
