"""All that a run trains with, made before its first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.net import ComponentName, Net
from growlang.plans.plan import Plan
from growlang.plans.weights_header import run_of
from growlang.spec.feasibility import long_warmups
from growlang.spec.lengths import misfits
from growlang.torch_backend.lower import LoweredNet
from growlang_runtime.classification.previews import Predictions
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.data.corrupt import Budget
from growlang_runtime.distributed.ranks import ALONE, Ranks
from growlang_runtime.language.previews import TextPreviews
from growlang_runtime.report.previews import Previews
from growlang_runtime.storage.weights import Weights
from growlang_runtime.train.batches import Data, identities, indexes_of, open_data
from growlang_runtime.train.bridge import Bridge, build_bridge
from growlang_runtime.train.detail import detail_variances, unmeasured
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.parents import with_parent_run
from growlang_runtime.train.start import (
    build,
    mapping_of,
    start_state,
    start_weights,
    with_weights_hash,
)
from growlang_runtime.train.state import State
from growlang_runtime.train.validation import Validation

NOTHING_HELD_OUT = (
    "--validate-every has no effect: the recipe holds nothing out; write `holdout = 2%`, or "
    "`validate = NAME`"
)


@dataclass(frozen=True)
class Setup:
    """A plan whose lengths are known, its data, and its net with the state of step 0."""

    plan: Plan
    net: Net
    device: torch.device
    module: LoweredNet
    state: State
    data: list[Data]
    budget: Budget
    previews: Previews | TextPreviews | Predictions
    bridge: Bridge | None
    remarks: tuple[str, ...]
    """Warnings for the start of the run."""
    found: str = ""
    """What is to be said of where the parent's run was found."""
    validation: Validation | None = None
    ranks: Ranks = ALONE
    """The processes that train together."""


def set_up(
    plan: Plan,
    options: RunOptions,
    data_root: Path,
    device: torch.device,
    step: int | None = None,
    ranks: Ranks = ALONE,
) -> Setup:
    """Open the data, read the start weights unless a checkpoint of `step` replaces them; build.

    What is quick comes first, so that a mistake is reported before a large net is built. Raises
    GrowlangError for whatever cannot be opened or does not fit the plan.
    """
    net = plan.child_net()
    mesh = ranks.mesh(device.type)
    budget = Budget(options.max_corrupt, data_root)
    indexes = indexes_of(plan, net, data_root, device)
    data = open_data(plan.phases, net, indexes, budget, plan.draws)
    known = {"phases": [d.phase for d in data], "data": identities(data)}
    declared, plan = plan, plan.model_copy(update=known)
    weights = None
    if step is None:
        plan, weights = _with_start(plan, options, data_root)
    conditioner = Conditioner(net, semantics=plan.semantics, device=device)
    validation = Validation(plan, net, conditioner, indexes, budget) if plan.validation else None
    kind = TextPreviews if net.of_tokens else Predictions if net.predicts else Previews
    previews = kind(plan, net, conditioner, data[0].images, data_root)
    plan = plan.model_copy(update={"sample": previews.sample})
    require_shares(plan, options, ranks.size)
    module = build(plan, net, device, mesh, checkpointing=options.activation_checkpointing)
    measured = _measured(plan, net, weights, data[0], options) if step is None else {}
    state = start_state(plan, net, module, weights, measured)
    bridge = None
    if (step or 0) < (plan.start.bridge or 0):
        old = weights or start_weights(plan, options.out, data_root, options.parent_run)
        assert old is not None
        bridge = build_bridge(plan, module, old.tensors, data[0].images, options.workers)
    remarks = [*_of_start(plan, weights, options), *late_warmups(declared, plan)]
    remarks += map(str, misfits(plan.recipe, plan.start, plan.phases, net, plan.mapping.new))
    remarks += [*words_split_differently(plan, net, weights), *previews.warnings]
    remarks += [*_of_validation(validation, options), *_of_passes(plan, options, ranks)]
    return Setup(
        plan,
        net,
        device,
        module,
        state,
        data,
        budget,
        previews,
        bridge,
        tuple(remarks),
        weights.found if weights else "",
        validation,
        ranks,
    )


def require_shares(plan: Plan, options: RunOptions, processes: int) -> None:
    """Raise GrowlangError for a phase whose batch gives a process nothing to do in a pass."""
    for phase in plan.phases:
        batch = phase.settings.batch
        if options.micro_batch == 1 and batch % processes:
            raise GrowlangError(
                f"phase {phase.name} has {batch} images in a batch, which {processes} processes "
                "cannot pass one at a time: some have one more than others",
                help=f"use --micro-batch 2, or `batch = {batch - batch % processes or processes}`",
            )
        if batch < processes:
            raise GrowlangError(
                f"phase {phase.name} has {batch} images in a batch, and there are {processes} "
                "processes: each needs one",
                help=f"start at most {batch} processes, or set `batch = {processes}`",
            )


def _with_start(plan: Plan, options: RunOptions, data_root: Path) -> tuple[Plan, Weights | None]:
    """The weights that a run starts from, if any, and the plan that knows them and their run."""
    weights = start_weights(plan, options.out, data_root, options.parent_run)
    plan = with_parent_run(plan, weights, options.accept_parent)
    return with_weights_hash(plan, weights), weights


def _measured(
    plan: Plan, net: Net, weights: Weights | None, data: Data, options: RunOptions
) -> dict[str, Tensor]:
    """What the data gives of the tensors that the start weights do not."""
    unknown = unmeasured(net, mapping_of(plan, net, weights))
    return detail_variances(unknown, data.images, options.workers)


def late_warmups(declared: Plan, known: Plan) -> list[str]:
    """A line for each warm-up that never ends, which the lengths of epochs alone have shown."""
    reported = long_warmups(declared.phases)
    lines = []
    for long in long_warmups(known.phases):
        if long not in reported:
            whole = f"phase {long.phase}" if long.phase else f"recipe {known.recipe}"
            lines.append(
                f"`{long.setting}` is {long.warmup:,} steps, but {whole} has only {long.steps:,}: "
                "the learning rate never reaches `lr`"
            )
    return lines


def words_split_differently(plan: Plan, net: Net, weights: Weights | None) -> list[str]:
    """A line for each condition that keeps a word embedding trained on other words."""
    if weights is None or weights.semantics == plan.semantics:
        return []
    names = {e.name for e in plan.mapping if e.source}
    if weights.net.net_hash == plan.net_hash:
        names = set(net.table)
    taken = set(map(ComponentName.of_tensor, names))
    return [
        f"condition `{name}` keeps a word embedding that was trained by an earlier version, which "
        "split captions that are not plain ASCII into different words: those start untrained"
        for name, call in net.encoders.items()
        if call["op"] == "words" and name in taken
    ]


def _of_start(plan: Plan, weights: Weights | None, options: RunOptions) -> list[str]:
    """What is to be said of the weights that a run starts from."""
    if weights is None:
        return []
    found = [weights.remark] if weights.remark else []
    asked = options.parent_run is not None and run_of(weights.path) != options.parent_run
    if weights.step is not None and plan.start.origin == "parent" and plan.start.ema and not asked:
        found.append(f"the parent run is not finished: starting from {weights.path}")
    return found


def _of_passes(plan: Plan, options: RunOptions, ranks: Ranks) -> list[str]:
    """That no batch is split, where that is asked for."""
    micro = options.micro_batch
    most = max(ranks.largest_share(phase.settings.batch) for phase in plan.phases)
    if micro is None or micro <= most:
        return []
    whole = "a batch has" if ranks.size == 1 else "a process has, of a batch,"
    return [f"--micro-batch {micro} splits nothing: {whole} at most {most} images"]


def _of_validation(validation: Validation | None, options: RunOptions) -> Sequence[str]:
    """What is to be said of what is held out, or that nothing is where it is asked for."""
    if validation is not None:
        return validation.mix.warnings
    return [] if options.validate_every is None else [NOTHING_HELD_OUT]
