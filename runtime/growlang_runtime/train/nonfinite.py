"""Steps whose loss or gradient is not finite: skipped, reported, counted; many end the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from growlang.plans.fit import Difference
from growlang.plans.plan import Plan
from growlang.spec.recipe import Settings
from growlang.torch_backend.shards import local
from growlang.torch_backend.tensor_files import write_tensors
from growlang_runtime.distributed.ranks import ALONE, Ranks, each_once
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.files import saved
from growlang_runtime.train.commands import anew, branching, ways
from growlang_runtime.train.options import RunOptions

LIMIT = 10
"""Steps in a row without a finite loss and gradient after which a run gives up."""


class Streak:
    """Steps in a row that were skipped, up to the last one, and how many were skipped in all."""

    def __init__(self, length: int = 0, total: int = 0) -> None:
        self.length, self.total = length, total

    def skip(self, step: int, loss: float, norm: float) -> str | None:
        """Count a skipped step. Returns a warning if it is the first in a row."""
        self.length += 1
        self.total += 1
        if self.length > 1:
            return None
        return (
            f"skipped step {step}: loss {loss:g}, gradient norm {norm:g}; the weights are "
            f"unchanged, and training stops after {LIMIT} skipped steps in a row"
        )

    def end(self, step: int) -> str | None:
        """Note a finite step. Returns a warning if it ends a streak."""
        length, self.length = self.length, 0
        if not length:
            return None
        first = step - length
        which = f"step {first}" if length == 1 else f"steps {first} to {step - 1}"
        counts = f"{length} in a row, {self.total} in total"
        return f"step {step} is finite again: skipped {which} ({counts})"


def broken(tensors: Mapping[str, Tensor], step: int, ranks: Ranks = ALONE) -> str:
    """What to say of weights that a step left with NaN or infinity; "" if they are finite.

    Each process looks at the rows that it holds; all say the same.
    """
    held = {name: local(tensor) for name, tensor in tensors.items()}
    # NaN and infinity would be in the sums, which are quickly had.
    finite = bool(torch.stack([tensor.sum() for tensor in held.values()]).isfinite().all())
    own = []
    if not finite:
        own = [f"`{name}`" for name, tensor in held.items() if not tensor.isfinite().all()]
    names = each_once(ranks.gather_if(bool(own), own))
    if not names:
        return ""
    which = Difference(f"of {len(tensors):,} tensors", names)
    return (
        f"the weights are not finite after step {step}: NaN or infinity in {which}; they are not "
        "saved"
    )


def given_up(
    streak: Streak,
    step: int,
    phase: str,
    values: tuple[float, float],
    shares: Sequence[Mapping[str, Tensor]],
    run: Path,
) -> str:
    """What to say after too many skipped steps, whose last batch is written into the run.

    `shares` are the tensors of the batch, of each process.
    """
    path = run / f"nonfinite_{step:08d}.safetensors"
    names = [name for name in shares[0] if all(name in share for share in shares)]
    tensors = {name: torch.cat([share[name] for share in shares]) for name in names}
    with saved(path) as temporary:
        write_tensors(temporary, tensors, {"step": str(step)})
    loss, norm = values
    return (
        f"training stopped: the loss or gradient was not finite for {streak.length} steps in a "
        f"row, last at step {step} in phase {phase} (loss {loss:g}, gradient norm {norm:g}); "
        f"the batch of that step is in {path}"
    )


def unfinished(streak: Streak, step: int) -> str:
    """What to say of a run whose last steps were skipped."""
    last = "last step was" if streak.length == 1 else f"last {streak.length} steps were"
    return (
        f"the run's {last} skipped because the loss or gradient was not finite: at step {step} it "
        f"still has the weights of step {step - streak.length}, and does not count as finished"
    )


def ways_out(
    settings: Settings, checkpoints: Path, last: int, plan: Plan, options: RunOptions
) -> str:
    """The help for a run that ended in skipped steps: it would fail again if it were resumed.

    `last` is its last finite step. The steps after it failed with the weights that it left, so
    only an older checkpoint is worth starting from.
    """
    changes = [f"lower `lr` (now {settings.optimizer.lr:g})", "lengthen `warmup`"]
    if settings.precision == "bf16":
        changes.append("set `precision = fp32`")
    found, _ = checkpoint.newest(checkpoints, before=last)
    run = checkpoints.parent
    offers = anew(plan, options, run)
    if found is not None:
        offers = branching(plan, options, run, found.step) | offers
    return (
        f"{', '.join(changes[:-1])} or {changes[-1]}, in the spec or with --set, since --resume "
        f"would repeat the same steps and fail again; then\n    {ways(offers)}"
    )
