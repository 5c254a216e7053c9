"""How long a training step takes on this machine, by training a few."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang.spec.recipe import Sample
from growlang.spec.samplers import DDIM
from growlang_runtime.report.history import lines_of
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.training import train

WARMED_UP = 3
"""Steps that are not counted: the first ones allocate memory and choose kernels."""


def seconds_per_step(plan: Plan, options: RunOptions) -> float:
    """Seconds of a step of a plan: the median over the run, which is trained into `options.out`.

    Loading, optimizer and averages are in it, as in the run that is planned. Raises GrowlangError
    as `train` does.
    """
    short = plan.model_copy(update={"sample": Sample(sampler=DDIM(steps=1), prompts=[""])})
    result = train(short, replace(options, log_every=1, quiet=True))
    rates = images_per_second(result.run)
    return plan.phases[0].settings.batch / median(rates[WARMED_UP:] or rates)


def images_per_second(run: Path) -> list[float]:
    """The rate of each step by a run's metrics. Raises GrowlangError if one was skipped."""
    lines = list(lines_of(run))
    for line in lines:
        if line.get("event") == "skipped":
            raise GrowlangError(
                f"step {line['step']} of the measuring was not finite: its loss is {line['loss']}",
                help="a training from here would fail too: try another --device or --size",
            )
    return [max(1e-2, line["images_per_s"]) for line in lines if "images_per_s" in line]
