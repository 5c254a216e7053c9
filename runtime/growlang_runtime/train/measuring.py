"""What is made of the averaged weights while a run trains: sample grids, and evaluations."""

from __future__ import annotations

from collections.abc import Callable

from growlang.torch_backend.shards import gathered
from growlang_runtime.diffusion.objective import Loss
from growlang_runtime.evaluation.during import Evaluator
from growlang_runtime.report.board import Boards
from growlang_runtime.storage.checkpoint import checkpoint_name
from growlang_runtime.storage.run import Run
from growlang_runtime.train import precision
from growlang_runtime.train.freezing import training_mode
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.setup import Setup
from growlang_runtime.train.signals import Interruption
from growlang_runtime.train.telling import Telling


class Measuring:
    """Draws and evaluates the averaged weights of a run, each step's once."""

    def __init__(
        self,
        run: Run,
        setup: Setup,
        options: RunOptions,
        told: Telling,
        interruption: Interruption,
        warn: Callable[[str], None],
    ) -> None:
        self.setup, self.ranks, self.told, self.warn = setup, setup.ranks, told, warn
        self.samples, self.compiled = run.samples, options.compile
        self.interruption = interruption
        self.evaluator = Evaluator.of(setup.plan, run.path, options, setup.device)
        self.steps = setup.data[-1].span.end

    def draw(self, step: int, objective: Loss, board: Boards) -> None:
        """Draw the sample grid of a step, if there is none yet."""
        setup, previews = self.setup, self.setup.previews
        path = self.samples / f"{checkpoint_name(step)}.{previews.ending}"
        if not self.ranks.tell(path.exists):
            averages, own = setup.state.ema.averages, path if self.ranks.first else None
            setup.module.eval()
            with precision.apart(setup.device, compiled=self.compiled):
                finite = previews.draw(setup.module, averages, objective, own)
            if not finite:
                self.warn(f"NaN or infinity in the images of {path}")
            training_mode(setup.module)
        if previews.ending == "png":
            board.grid(step, path)
        self.told.seconds.lap("samples")

    def is_evaluation_due(self, step: int) -> bool:
        """Whether `evaluate { every = ... }` asks for an evaluation of a step that has none."""
        evaluator = self.evaluator
        if evaluator is None or not evaluator.falls_on(step, self.steps):
            return False
        return self.ranks.tell(lambda: evaluator.is_due(step))

    def evaluate(self, step: int, board: Boards) -> None:
        """Measure the averaged weights of a step, for which an evaluation is due."""
        evaluator = self.evaluator
        assert evaluator is not None
        averages = gathered(self.setup.state.ema.averages, self.ranks.first)
        self.ranks.tell_late(
            lambda: evaluator.evaluate(step, averages, self.told, board, self.interruption)
        )
        self.told.seconds.lap("evaluation")
