"""A run's own step against a loop by hand, and what checkpoints, averages and logs add to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.hand_written import Core32
from benchmarks.measuring import Result, ratio, result, show, taken
from benchmarks.rig import Handwritten, Rig, blocks, plan_of, rig, write_images
from growlang.torch_backend.tensor_files import tensor_hash
from growlang_runtime.train.batches import StepBatch
from growlang_runtime.train.options import RunOptions

SPEC = "gpu_core.grow"
PARAMS = {"width": "128", "depth": "2", "side": "32", "batch": "16", "train.precision": "fp32"}
PAIRS, STEPS, EVERY = 8, 4, 50
LOGGED = 10
"""Steps between lines of metrics: the default."""
PHASE = 1000
"""Steps of a phase, at whose start and end frozen tensors are hashed: a short one."""


def steps(rig: Rig, count: int, step: Callable[[int], None]) -> Callable[[], None]:
    """So many steps, and what they leave to be done."""

    def work() -> None:
        for number in range(count):
            step(number)
        rig.wait()

    return work


def against_hand_written(rig: Rig) -> Result:
    """The step of a run, with nothing logged, over that of a loop by hand."""
    given = rig.some(STEPS)
    hand = Handwritten(rig, Core32(rig.trainer.net, rig.trainer.module))
    ours = steps(rig, STEPS, lambda i: rig.step(given[i]))
    theirs = steps(rig, STEPS, lambda i: hand.step(given[i]))
    for work in (ours, theirs):
        work()
    pairs = blocks(ours, theirs, PAIRS, taken)
    return ratio("training: step of a run / by hand", pairs, 1.02, f"{STEPS} steps, {SPEC}")


def with_checkpoints(rig: Rig) -> Result:
    """So many steps with a checkpoint, which is written meanwhile, over as many without."""
    (batch,) = rig.some(1)

    def one(number: int) -> None:
        rig.step(batch)
        rig.trainer.background.poll()

    def saved(number: int) -> None:
        one(number)
        if number == 0:
            rig.trainer._save(rig.data)

    plain, saving = steps(rig, EVERY, one), steps(rig, EVERY, saved)
    pairs = blocks(saving, plain, 4, taken)
    return ratio(f"training: with a checkpoint every {EVERY} steps / without", pairs, 1.03)


def beside_the_step(rig: Rig) -> Result:
    """What averages, lines of metrics and proofs of frozen tensors take, as a share of a step."""
    trainer, (batch,) = rig.trainer, rig.some(1)
    step = steps(rig, 1, lambda _: rig.step(batch))
    step()
    shares = []
    for _ in range(PAIRS):
        whole = taken(step)
        average = taken(lambda: trainer.stepper.average(rig.data))
        log = _logged(rig, batch)
        proof = taken(lambda: [tensor_hash(t) for t in trainer.state.weights.values()])
        shares.append((average + log / LOGGED + 2 * proof / PHASE) / whole)
    note = f"of a step; a line each {LOGGED} steps, all tensors hashed twice in {PHASE}"
    return result("training: averages, logs and proofs", shares, "x", 0.02, note)


def _logged(rig: Rig, batch: StepBatch) -> float:
    """Seconds that a line of metrics takes, on boards and in `status.json` too."""
    trainer = rig.trainer
    taking = rig.data, rig.objective, batch, trainer.step
    done = trainer.stepper.take(*taking, lambda: None, watched=True)
    found = done.found()
    return taken(lambda: trainer._log(done, found))


def measure() -> list[Result]:
    """Ratios of the time of real training steps, on one thread."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        write_images(Path(folder), 64, 32)
        options = RunOptions(
            data_root=Path(folder), device="cpu", quiet=True, log_every=10**6, checkpoint_minutes=0
        )
        with rig(plan_of(SPEC, PARAMS), Path(folder), options) as ready:
            return [against_hand_written(ready), with_checkpoints(ready), beside_the_step(ready)]


if __name__ == "__main__":
    show(measure())
