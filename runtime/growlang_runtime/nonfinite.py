"""Steps whose loss or gradient is not finite: skipped, told, counted, and at last given up on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from growlang.fit import Difference
from growlang.spec import Settings
from growlang_runtime import checkpoint
from growlang_runtime.batches import StepBatch

LIMIT = 10
"""Steps in a row without a finite loss and gradient after which a run gives up."""


class Streak:
    """Steps in a row that were skipped, up to the last one, and how many were skipped in all."""

    def __init__(self, length: int = 0, total: int = 0) -> None:
        self.length, self.total = length, total

    def skip(self, step: int, loss: float, norm: float) -> str | None:
        """Count a skipped step. Returns what is to be told where it is the first in a row."""
        self.length += 1
        self.total += 1
        if self.length > 1:
            return None
        return (
            f"step {step} is skipped, its loss is {loss:g} and its gradient norm {norm:g}: the "
            f"weights stay as they are; after {LIMIT} skipped steps in a row the run gives up"
        )

    def end(self, step: int) -> str | None:
        """Note a finite step. Returns what is to be told where it ends a streak."""
        length, self.length = self.length, 0
        if not length:
            return None
        first = step - length
        which = f"step {first} was" if length == 1 else f"steps {first} to {step - 1} were"
        return (
            f"step {step} is finite again: {which} skipped, {length} in a row, {self.total} since "
            "the run began"
        )


def broken(tensors: Mapping[str, Tensor], step: int) -> str:
    """What to say of weights that a step left with NaN or infinity; "" if they are finite."""
    names = [f"`{name}`" for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if not names:
        return ""
    which = Difference(f"of {len(tensors):,} tensors", names)
    return (
        f"the weights are not finite after step {step}: NaN or infinity is in {which}; they are "
        "not saved"
    )


def given_up(
    streak: Streak, step: int, phase: str, values: tuple[float, float], batch: StepBatch, run: Path
) -> str:
    """What to say after too many skipped steps, whose last batch is written into the run."""
    path = run / f"nonfinite_{step:08d}.safetensors"
    temporary = path.with_name(f".{path.name}.tmp")
    tensors = {"x": batch.x, "eps": batch.eps, "t": batch.t, **batch.conditions}
    with checkpoint.whole(temporary, path):
        checkpoint.write_tensors(temporary, tensors, {"step": str(step)})
    loss, norm = values
    return (
        f"{streak.length} steps in a row had no finite loss and gradient, the last one step "
        f"{step} of phase {phase} (loss {loss:g}, gradient norm {norm:g}); its batch is in {path}"
    )


def unfinished(streak: Streak, step: int) -> str:
    """What to say of a run whose last steps were skipped."""
    last = "last step was" if streak.length == 1 else f"last {streak.length} steps were"
    return (
        f"the run's {last} skipped, as the loss or gradient was not finite: it has come to step "
        f"{step} with the weights of step {step - streak.length}, and is not finished"
    )


def ways_out(settings: Settings, checkpoints: Path, last: int) -> str:
    """What to do about a run that has broken down: it would do so again if it were resumed.

    `last` is its last finite step. What that step left, later ones could not be computed from: a
    checkpoint is of use only if it is older.
    """
    changes = [f"lower `lr` (it is {settings.optimizer.lr:g})", "lengthen `warmup`"]
    if settings.precision == "bf16":
        changes.append("set `precision = fp32`")
    found, _ = checkpoint.newest(checkpoints, before=last)
    whence = ""
    if found is not None:
        whence = (
            f', from the start or, with `start = "{found.path.resolve()}"` in the recipe, from '
            f"the checkpoint of step {found.step}"
        )
    return (
        f"{', '.join(changes[:-1])} or {changes[-1]}, and train into another output root with "
        f"--out{whence}; --resume would do the same steps again, and end in the same way"
    )
