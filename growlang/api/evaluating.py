"""The Python API for evaluation: what `growlang evaluate` does, as a function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from growlang.api.given import StrPath, checked_spec, path_of
from growlang.diagnostics import GrowlangError
from growlang.torch_backend import require_torch

if TYPE_CHECKING:
    from growlang.checking import Checked
    from growlang.spec.metrics import Metric
    from growlang.spec.recipe import Evaluate
    from growlang_runtime.evaluation.result import Evaluations
    from growlang_runtime.notebook.run import Run


def evaluate(
    runs: StrPath | Run | Sequence[StrPath | Run],
    metrics: str | Sequence[str | Metric] | None = None,
    *,
    spec: StrPath | Checked | None = None,
    output: StrPath | Sequence[StrPath] = (),
    prompts: StrPath | None = None,
    count: int | None = None,
    reference: Literal["training", "held_out"] | None = None,
    guidance: float | Sequence[float] = (),
    steps: int | None = None,
    seed: int | None = None,
    ema: bool | int = True,
    data_root: StrPath | None = None,
    device: str = "cpu",
    batch: int = 16,
    quiet: bool = False,
) -> Evaluations:
    """Measure one or several runs as their specs say in `evaluate`; a row for each.

    A run is RUN, RUN@STEP or RUN@best. Metrics are written as in a spec, such as
    `["fd_efflite0", "kid(subset_size = 50)"]`. What is given is used instead of what the specs say,
    which are as they were when the runs were trained; `spec` is one that is read now.
    With several values of `guidance` there is a row for each. `output` are files of all rows: a
    table (.csv, .json) or a picture (.svg). Each result is written into its run's folder too, with
    its protocol. Raises GrowlangError for what cannot be measured, such as too few images.
    """
    require_torch("an evaluation")
    from growlang_runtime.evaluation.evaluate import Asked
    from growlang_runtime.evaluation.several import evaluate_all
    from growlang_runtime.notebook.run import Run

    several = [runs] if isinstance(runs, str | Run) or not isinstance(runs, Sequence) else runs
    files = [output] if isinstance(output, str) or not isinstance(output, Sequence) else output
    values = guidance if isinstance(guidance, Sequence) else (guidance,)
    given = [metrics] if isinstance(metrics, str) else metrics
    asked = Asked(
        said=None if spec is None else _said(spec),
        metrics=None if given is None else _metrics(given),
        prompts=None if prompts is None else path_of(prompts),
        count=count,
        reference=reference,
        seed=seed,
        guidance=tuple(values),
        steps=steps,
        ema=ema,
        data_root=None if data_root is None else path_of(data_root),
        device=device,
        batch=batch,
        quiet=quiet,
    )
    paths = [run.path if isinstance(run, Run) else path_of(run) for run in several]
    return evaluate_all(paths, asked, [path_of(file) for file in files])


def _said(spec: StrPath | Checked) -> Evaluate:
    """The `evaluate` of a spec. Raises GrowlangError where it has none."""
    checked = checked_spec(spec)
    if checked.resolved.evaluate is None:
        raise GrowlangError(
            f"{checked.path} has no `evaluate`",
            help="write `evaluate { count = 5k  metrics = [fd_efflite0] }` in it",
        )
    return checked.resolved.evaluate


def _metrics(given: Sequence[str | Metric]) -> tuple[Metric, ...]:
    """Metrics of what is written. Raises GrowlangError for what is none."""
    from growlang.resolve.metrics import metrics_of

    made: list[Metric] = []
    for one in given:
        if not isinstance(one, str):
            made.append(one)
            continue
        found, wrong = metrics_of([one])
        if wrong or not found:
            told = wrong[0] if wrong else None
            raise GrowlangError(
                f"cannot read the metric `{one}`" + (f": {told.message}" if told else ""),
                help=told.help if told else "write it as in a spec: kid(subset_size = 50)",
            )
        made += found
    return tuple(made)
