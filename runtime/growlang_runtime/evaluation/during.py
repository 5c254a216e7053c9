"""Evaluations while a run trains: `evaluate { every = 5k }`.

The averaged weights are copied to the CPU and measured with a module of their own, under random
states that are put back: nothing of training is touched. The images are kept until the result is
written, so that a run which is stopped meanwhile goes on with the evaluation when it is resumed.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang_runtime.evaluation.evaluate import FOLDER, IMAGES, Bench
from growlang_runtime.report.board import Boards
from growlang_runtime.report.display import Display
from growlang_runtime.report.history import lines_of
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.storage.weights import Weights, model_metadata

EVENT = "evaluation"


class Evaluator:
    """The evaluations of a run. Raises GrowlangError for what no evaluation could measure."""

    def __init__(
        self,
        plan: Plan,
        run: Path,
        data_root: Path,
        device: torch.device,
        batch: int,
        steps: int,
        display: Display,
    ) -> None:
        said = plan.evaluate
        assert said is not None and said.every is not None
        self.plan, self.run, self.every, self.steps = plan, run, said.every, steps
        self.display, self.device = display, device
        with torch.random.fork_rng():
            self.bench = Bench.of(plan, said, data_root, device, batch, lambda text: None)

    @staticmethod
    def of(
        plan: Plan,
        run: Path,
        data_root: Path,
        device: torch.device,
        batch: int,
        steps: int,
        display: Display,
    ) -> Evaluator | None:
        """What a run is evaluated with; None where its spec does not say `every`."""
        if plan.evaluate is None or plan.evaluate.every is None:
            return None
        return Evaluator(plan, run, data_root, device, batch, steps, display)

    def due(self, step: int) -> bool:
        """Whether a step is one after which the run is evaluated, and was not yet."""
        if not step or (step % self.every and step != self.steps):
            return False
        said = lines_of(self.run)
        return not any(v.get("event") == EVENT and v["step"] == step for v in said)

    def evaluate(
        self, step: int, averages: Mapping[str, Tensor], metrics: Metrics, boards: Boards
    ) -> None:
        """Measure the averaged weights of a step where that is due; the run goes on if it fails."""
        if not self.due(step):
            return
        try:
            with torch.random.fork_rng():
                values = self._measure(step, averages)
        except GrowlangError as error:
            self.display.say(f"warning: the evaluation of step {step} failed: {error.as_text()}")
            metrics.write(step=step, event="warning", text=f"evaluation: {error.message}")
            return
        metrics.write(step=step, event=EVENT, **values)
        found = values["metrics"]
        boards.write(step, **{f"evaluation/{name}": value for name, value in found.items()})
        shown = "  ".join(f"{name} {value:.4g}" for name, value in found.items())
        self.display.say(f"evaluation of step {step}: {shown}")

    def _measure(self, step: int, averages: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
        tensors = {name: tensor.detach().float().cpu() for name, tensor in averages.items()}
        net, said = self.plan.child_net(), model_metadata(self.plan)
        weights = Weights(self.run, net, tensors, said, step)
        folder, sample = self.run / FOLDER, self.plan.sample
        found = self.bench.evaluate(weights, sample, f"{self.run}@{step}", folder)
        shutil.rmtree(folder / IMAGES, ignore_errors=True)
        floors = {r.name: r.floor for r in found.results if r.floor is not None}
        return {"metrics": found.values, "floors": floors}
