"""Evaluations while a run trains: `evaluate { every = 5k }`.

The averaged weights are copied to the CPU and measured with a module of their own, under random
states that are put back: nothing of training is touched. The images are kept until the result is
written, so that a run which is stopped meanwhile goes on with the evaluation when it is resumed.
Networks that measure are dropped after it: their memory is that of training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang.plans.weights_header import EVALUATIONS
from growlang_runtime.evaluation.evaluate import Bench
from growlang_runtime.evaluation.loaded import drop_loaded
from growlang_runtime.evaluation.result import Evaluation
from growlang_runtime.report.board import Boards
from growlang_runtime.report.display import Display
from growlang_runtime.report.history import lines_of
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.storage.weights import Weights, model_metadata

EVENT = "evaluation"


class Stopped(Exception):
    """An evaluation is given up, since the run is to stop."""


class Options(Protocol):
    """The options of a run that are read here."""

    @property
    def data_root(self) -> Path | None:
        """The folder that data and prompts are relative to; None: the spec's."""

    @property
    def micro_batch(self) -> int | None:
        """Images in one pass; None: the whole batch."""


class Told(Protocol):
    """Where a run tells of itself."""

    metrics: Metrics
    display: Display


class Interruption(Protocol):
    """Whether a run is to stop."""

    signal: int | None


class Evaluator:
    """The evaluations of a run. Raises GrowlangError for what no evaluation could measure."""

    def __init__(
        self, plan: Plan, run: Path, data_root: Path, device: torch.device, batch: int, every: int
    ) -> None:
        assert plan.evaluate is not None
        self.plan, self.run, self.every = plan, run, every
        self.bench = Bench.of(plan, plan.evaluate, data_root, device, batch, lambda text: None)
        self.failed: set[int] = set()
        """Steps whose evaluation has failed; it is not tried again before the run is resumed."""

    @staticmethod
    def of(plan: Plan, run: Path, options: Options, device: torch.device) -> Evaluator | None:
        """What a run is evaluated with; None where its spec does not say `every`."""
        every = plan.evaluate.every if plan.evaluate else None
        if every is None:
            return None
        root = options.data_root or Path(plan.spec).parent
        batch = options.micro_batch or plan.phases[0].settings.batch
        return Evaluator(plan, run, root, device, batch, every)

    def falls_on(self, step: int, steps: int) -> bool:
        """Whether a run of `steps` is evaluated after a step."""
        return step > 0 and (step % self.every == 0 or step == steps)

    def is_due(self, step: int) -> bool:
        """Whether there was no evaluation of that step yet, but for one that was given up."""
        if step in self.failed:
            return False
        said = lines_of(self.run)
        return not any(v.get("event") == EVENT and v["step"] == step for v in said)

    def evaluate(
        self,
        step: int,
        averages: Mapping[str, Tensor],
        told: Told,
        boards: Boards,
        interruption: Interruption,
    ) -> None:
        """Measure the averaged weights of a step and tell of it; the run goes on if it fails.

        It is given up when the run is to stop: then it is due when the run is resumed.
        """
        metrics, display = told.metrics, told.display
        if interruption.signal is not None:
            return
        display.say(f"evaluating step {step}")
        failed = False
        try:
            with torch.random.fork_rng():
                found = self._measure(step, averages, interruption)
        except Stopped:
            return
        except Exception as error:  # whatever fails here, training has not
            self._fail(step, error, told)
            failed = True
        finally:
            drop_loaded()
        if failed:  # and what its frames held is free
            torch.cuda.empty_cache()
            return
        floors = {r.name: r.floor for r in found.results if r.floor is not None}
        values = {name: value if isfinite(value) else None for name, value in found.values.items()}
        metrics.write(step=step, event=EVENT, metrics=values, floors=floors, file=str(found.file))
        boards.write(step, **{f"evaluation/{name}": v for name, v in found.values.items()})
        shown = "  ".join(f"{name} {value:.4g}" for name, value in found.values.items())
        display.say(f"evaluation of step {step}: {shown}")

    def _fail(self, step: int, error: Exception, told: Told) -> None:
        """Warn that an evaluation has failed."""
        self.failed.add(step)
        why, help = f"{type(error).__name__}: {error}", ""
        if isinstance(error, GrowlangError):
            why, help = error.message, error.help
        text = f"the evaluation of step {step} failed: {why}"
        told.display.say(f"warning: {text}" + (f" ({help})" if help else ""))
        told.metrics.write(step=step, event="warning", text=text)

    def _measure(
        self, step: int, averages: Mapping[str, Tensor], interruption: Interruption
    ) -> Evaluation:
        def say(text: str) -> None:
            if interruption.signal is not None:
                raise Stopped

        tensors = {name: tensor.detach().float().cpu() for name, tensor in averages.items()}
        net, said = self.plan.child_net(), model_metadata(self.plan)
        weights = Weights(self.run, net, tensors, said, step)
        folder, sample = self.run / EVALUATIONS, self.plan.sample
        bench = replace(self.bench, say=say)
        return bench.evaluate(weights, sample, f"{self.run}@{step}", folder, keep=False)
