"""Trained weights on the disk: those of a run, of a checkpoint or of a single file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.spelling import nearest
from growlang.net import Net
from growlang.plans.fit import GROWN, TRAINING, averages_in, differences, require_fit
from growlang.plans.plan import ParentPlan, Plan
from growlang.plans.tensor_index import read_index
from growlang.plans.weights_header import (
    CHECKPOINTS,
    MODEL,
    MODEL_INDEX,
    PLAN,
    RECORD,
    contents,
    header,
    header_of,
    is_state,
    semantics_of,
)
from growlang.torch_backend.per_axis import PerAxis, unnamed
from growlang.torch_backend.tensor_files import write_tensors
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.checkpoint import Checkpoint
from growlang_runtime.storage.files import saved
from growlang_runtime.storage.lookup import runs_under
from growlang_runtime.storage.place import located
from growlang_runtime.storage.run import OUT, run_folder

LISTED = 8
"""Runs that a message names."""


@dataclass(frozen=True)
class Weights:
    """Tensors by name, the net that they belong to, and where they come from."""

    path: Path
    net: Net
    tensors: dict[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)
    step: int | None = None
    """Step of the checkpoint that they are of; None for a finished model."""
    remark: str = ""
    """A warning about them, such as that they were widened from half precision."""
    found: str = ""
    """What is to be said of where they were found; empty where they were expected."""

    @property
    def semantics(self) -> int:
        """How the inputs were made that they were trained on (`growlang.plans.plan.SEMANTICS`)."""
        return semantics_of(self.metadata, self.path)

    def require(self, net: Net, whose: str) -> None:
        """Raise GrowlangError unless they are of this net; `whose` says what was expected."""
        if self.net.net_hash != net.net_hash:
            given, wanted = ({t.name: t.shape for t in n.tensors()} for n in (self.net, net))
            found = differences(given, wanted)
            lines = [str(d) for d in found] or ["the same tensors, but a different computation"]
            raise GrowlangError(
                f"{self.path} contains {self.net.name} with net_hash {self.net.net_hash[:12]}, but "
                f"{whose} has net_hash {net.net_hash[:12]}:" + "".join(f"\n  {x}" for x in lines),
                help="retrain it from the current spec under another name (--name), or "
                "revert the change to the spec (`growlang diff "
                f"{shlex.quote(str(self.path))} SPEC` shows it)",
            )


@dataclass(frozen=True)
class Moments:
    """The training state besides the weights, by name.

    The optimizer's moments and step counts, and the averages with their counts of updates. A
    tensor that was never updated has no moments. `grown` has what growth left along the axes of
    tensors, by part and name.
    """

    parts: Mapping[str, dict[str, Tensor]]
    """What the optimizer kept of tensors, by its name of that, such as `first`."""
    steps: Mapping[str, int]
    averages: Sequence[dict[str, Tensor]]
    updates: Mapping[str, int]
    grown: Mapping[str, Mapping[str, PerAxis]] = field(default_factory=dict)

    def along(self, name: str) -> dict[str, PerAxis]:
        """What growth left along the axes of a tensor, by part."""
        return {part: found[name] for part, found in self.grown.items() if name in found}


def model_metadata(plan: Plan) -> dict[str, str]:
    """What a file of weights says about itself: the net, the hashes, and how to sample from it."""
    hashes = {
        "net_hash": plan.net_hash,
        "spec_hash": plan.spec_hash,
        "plan_hash": plan.plan_hash,
        "run_hash": plan.run_hash,
    }
    return header(plan.net, hashes, plan.phases[-1].settings, plan.sample, plan.semantics)


def save_model(path: Path, tensors: Mapping[str, Tensor], plan: Plan) -> None:
    """Write finished weights as one safetensors file, atomically."""
    with saved(path) as temporary:
        write_tensors(temporary, tensors, model_metadata(plan))


def load(path: Path, *, ema: bool | int = True) -> Weights:
    """The weights at `path`: a run (RUN, RUN@STEP, RUN@best), a checkpoint, a safetensors file.

    Of a run, the finished averages if `ema` and the run is over, else its newest checkpoint. Of
    several averages `ema` may be the number of one; the first is 0, which True stands for.
    Raises GrowlangError if there are none, or if they do not fit the net that they name or are not
    finite: no tensor is loaded before that is known.
    """
    path = located(path)
    if path.suffix in (".grow", ".yaml") and path.is_file():
        raise GrowlangError(
            f"{path} is a spec, which has no weights",
            help=f"name a run: `growlang runs` lists them, and `growlang train {path}` makes one",
        )
    if is_state(path):
        path = path.parent
    if path.is_file():
        return _from_file(path)
    if (path / RECORD).exists():
        return _from_checkpoint(_valid(path), ema)
    first = ema is True or (ema == 0 and ema is not False)
    for name in (MODEL, MODEL_INDEX) if first else ():
        if (path / name).exists():
            return _from_file(path / name)
    found, torn = _newest(path, ema)
    if found:
        skipped = "; ".join([*([found.remark] if found.remark else []), *torn])
        return replace(found, remark=skipped)
    if not path.exists():
        beside = {run.name: run for run in runs_under(path.parent)}
        close = "".join(f"did you mean `{beside[n]}`?" for n in nearest(path.name, beside))
        raise GrowlangError(f"no weights at {path}: it does not exist", help=close)
    help = "give a run folder, a checkpoint folder or a model.safetensors"
    if below := [str(run) for run in runs_under(path)][:LISTED]:
        help = f"name one of the runs in it: {', '.join(below)}"
    if (path / PLAN).exists() and not torn:
        help = "the run has not saved any yet: wait for its first checkpoint (--checkpoint-every)"
    raise GrowlangError(
        f"no weights at {path}: no {MODEL} and no valid checkpoint"
        + "".join(f"\n  skipped {line}" for line in torn),
        help=help,
    )


def _newest(path: Path, ema: bool | int) -> tuple[Weights | None, list[str]]:
    """The weights of a run's newest valid checkpoint, and a line on each torn one.

    A run that goes on removes old checkpoints: where one is gone while it is read, there is a newer
    one.
    """
    while True:
        found, torn = checkpoint.newest(path / CHECKPOINTS)
        if found is None:
            return None, torn
        try:
            return _from_checkpoint(found, ema), [f"skipped {line}" for line in torn]
        except (GrowlangError, OSError):
            if found.path.exists():
                raise


def load_moments(path: Path, net: Net) -> Moments:
    """Moments and averages of a run's newest checkpoint, or of a checkpoint folder.

    Raises GrowlangError if there is none, or if it does not fit the net.
    """
    at = path.parent if path.is_file() else path
    found = _valid(at) if (at / RECORD).exists() else checkpoint.newest(at / CHECKPOINTS)[0]
    if found is None:
        raise GrowlangError(
            f"no optimizer moments at {path}: no valid checkpoint",
            help="write `moments = reset` in the recipe, or start from a run with checkpoints",
        )
    require_state(found, net, "write `moments = reset` in the recipe")
    moments, along, *averages = (
        {name: tensor.float() for name, tensor in found.tensors(part).items()}
        for part in ("moment.", "grown.", *averages_in(found.names))
    )
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in moments.items():
        part, _, of = name.partition(".")
        parts.setdefault(part, {})[of] = tensor
    counts = found.record.counts
    grown = {part: unnamed(along, part) for part in GROWN}
    return Moments(parts, counts.optimizer, averages, counts.ema, grown)


def require_state(found: Checkpoint, net: Net, help: str) -> None:
    """Raise GrowlangError with `help` unless a checkpoint's tensors are this net's and finite."""
    try:
        header = header_of(found.state)
        require_fit(found.state, header, net, TRAINING, f"the net {net.name}")
    except GrowlangError as error:
        raise GrowlangError(error.message, help=help) from error


def parent_weights(parent: ParentPlan, run: Path, recipe: str, *, ema: bool | int) -> Weights:
    """The parent's weights in its run folder. Raises GrowlangError if it was not trained."""
    if not run.exists():
        command = ["growlang", "train", parent.spec]
        if recipe != "main":
            command += ["--recipe", recipe]
        out = run.parent.parent
        if run == run_folder(out, parent.model, recipe) and out != OUT:
            command += ["--out", str(out)]
        raise GrowlangError(
            f"the parent {parent.model} is not trained yet: {run} does not exist",
            help=f"train it first: {shlex.join(command)}, or add --with-parents, or name its run "
            "with --parent-run",
        )
    weights = load(run, ema=ema)
    weights.require(Net.from_json(parent.net), f"{parent.spec} (the parent {parent.model})")
    return weights


def _from_file(path: Path) -> Weights:
    header, net, remark = contents(path)
    tensors = dict[str, Tensor]()
    for part, own in read_index(path).headers.items():
        with safe_open(part, framework="pt") as file:
            tensors |= {name: file.get_tensor(name).float() for name in own.tensors}
    return Weights(path, net, tensors, header.metadata, remark=remark)


def _from_checkpoint(found: Checkpoint, ema: bool | int) -> Weights:
    header, net, remark = contents(found.state)
    part = found.tensors(
        "model." if ema is False else _average(found, int(ema is not True and ema))
    )
    tensors = {name: tensor.float() for name, tensor in part.items()}
    return Weights(found.path, net, tensors, header.metadata, found.step, remark)


def _average(found: Checkpoint, number: int) -> str:
    """The prefix of an average in a checkpoint. Raises GrowlangError if there are not so many."""
    there = averages_in(found.names)
    if 0 <= number < len(there):
        return there[number]
    last = len(there) - 1
    raise GrowlangError(
        f"no average {number} in {found.path}: its recipe has {len(there)}",
        help=f"write --ema with a number from 0 to {last}" if last else "leave out --ema",
    )


def _valid(path: Path) -> Checkpoint:
    try:
        return checkpoint.read(path)
    except checkpoint.TornCheckpoint as torn:
        raise GrowlangError(
            f"the checkpoint {path} is damaged: {torn}",
            help="use an older one, or the run folder, which picks the newest valid one",
        ) from torn
