"""The state at step 0: drawn from the seed, or taken over from a parent."""

from __future__ import annotations

from collections import abc
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from growlang.diagnostics import Exit, GrowlangError
from growlang.growth.composition import unchanged
from growlang.growth.mapping import Mapping
from growlang.net import Net
from growlang.plans.plan import Plan
from growlang.spec.averages import count_of
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import LoweredNet, lower
from growlang.torch_backend.shards import put
from growlang.torch_backend.tensor_files import contents_hash
from growlang.torch_backend.transforms import apply
from growlang_runtime.distributed.sharding import recompute, shard
from growlang_runtime.storage.lookup import Found, Wanted, find
from growlang_runtime.storage.place import located
from growlang_runtime.storage.run import AFRESH, run_folder
from growlang_runtime.storage.weights import Weights, load, load_moments, parent_weights
from growlang_runtime.train.bridge import begin_at_zero
from growlang_runtime.train.carrying import carry
from growlang_runtime.train.state import State

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


def build(
    plan: Plan,
    net: Net,
    device: torch.device,
    mesh: DeviceMesh | None = None,
    *,
    checkpointing: bool = False,
) -> LoweredNet:
    """The net on the device, its tensors drawn from the first phase's seed.

    Over a mesh of processes each tensor is drawn by all and spread: none holds the whole net.
    With `checkpointing` its blocks keep only their inputs for the backward pass.
    """
    module = lower(net)
    if checkpointing:
        recompute(module)
    if mesh is not None:
        shard(module, mesh)
    initialise(module, net, plan.phases[0].settings.seed, device, plan.draws)
    return module


def parent_run(plan: Plan, out: Path, given: Path | None) -> Found:
    """The run that the plan starts from; `given` overrides where it is looked for.

    A run that began knows it. Otherwise it is `OUT/MODEL/RECIPE`, or the only one under `out` or
    `runs`. Raises GrowlangError if there are several, or if what is given is not there.
    """
    if plan.parent is None:
        raise GrowlangError(
            f"recipe {plan.recipe} of {plan.model} starts from a parent, but the model has none",
            help="write `start = scratch`, or declare a parent: "
            f'`model {plan.model} grows "PARENT.grow"`',
        )
    recipe = plan.start.recipe or plan.parent.recipe
    if given is not None:
        path = located(given)
        if not path.exists():
            raise GrowlangError(
                f"there is no run of the parent at {given}",
                help="name its folder with --parent-run, or leave that out to take the one under "
                "the output root",
            )
        return Found(path)
    run = plan.parent.run
    known = (run.weights, run.path) if run else ()
    if there := [Path(path) for path in known if path and Path(path).exists()]:
        return Found(there[0])
    found = find(Wanted(plan.parent.model, recipe, plan.parent.net_hash), out)
    return found or Found(run_folder(out, plan.parent.model, recipe))


def start_weights(plan: Plan, out: Path, data_root: Path, given: Path | None) -> Weights | None:
    """The weights that the plan starts from, checked against its nets; None from scratch.

    Raises GrowlangError if they are missing, belong to another net, or are not those that the
    plan was made with.
    """
    start = plan.start
    if start.origin == "scratch":
        return None
    if start.origin == "path":
        weights = load(data_root / (start.path or ""), ema=start.ema)
        if weights.net.net_hash != plan.net_hash:
            whose = plan.parent or plan
            weights.require(Net.from_json(whose.net), f"{whose.spec} ({whose.model})")
    else:
        run = parent_run(plan, out, given)
        assert plan.parent is not None
        recipe = start.recipe or plan.parent.recipe
        wanted = start.average if start.ema and start.average else start.ema
        weights = parent_weights(plan.parent, run.path, recipe, ema=wanted)
        weights = replace(weights, found=run.said)
    recorded = plan.start_weights_hash
    found = contents_hash(weights.tensors)
    if recorded is not None and recorded != found:
        raise GrowlangError(
            f"the weights at {weights.path} have changed since the run was started: their hash was "
            f"{recorded[:12]}, and is {found[:12]}",
            help=f"restore them, or {AFRESH}",
            exit_status=Exit.CHANGED,
        )
    return weights


def with_weights_hash(plan: Plan, weights: Weights | None) -> Plan:
    """The plan, knowing the contents of the weights that it starts from."""
    return plan if weights is None else plan.starting_from(contents_hash(weights.tensors))


def mapping_of(plan: Plan, net: Net, weights: Weights | None) -> Mapping:
    """What becomes of the weights that a run starts from: of its own net's, nothing."""
    same = weights and plan.start.origin == "path" and weights.net.net_hash == plan.net_hash
    return unchanged(net) if same else plan.mapping


def _fill(module: nn.Module, measured: abc.Mapping[str, Tensor]) -> None:
    for name, value in measured.items():
        put(module.get_parameter(name), value)


def start_state(
    plan: Plan,
    net: Net,
    module: nn.Module,
    weights: Weights | None,
    measured: abc.Mapping[str, Tensor] = MappingProxyType({}),
) -> State:
    """The state of `module` after it took over the weights, and the moments if they are carried.

    `measured` are the tensors that the data gives.

    Averages begin at the start weights with no updates counted, and no tensor has moments, so that
    Adam corrects the first steps for bias. With `moments = carry` kept tensors go on with the
    parent's moments, averages and counts; only what is new begins like that.
    """
    settings = plan.phases[0].settings
    optimizer, count = settings.optimizer, count_of(settings.ema)
    if weights is None:
        _fill(module, measured)
        return State.of(module, net, optimizer, count)
    mapping = mapping_of(plan, net, weights)
    apply(mapping, weights.tensors, {n: p.detach() for n, p in module.named_parameters()})
    _fill(module, measured)
    if plan.start.bridge:
        begin_at_zero(plan, module)
    state = State.of(module, net, optimizer, count)
    if plan.start.moments == "carry":
        moments = load_moments(weights.path, weights.net)
        carry(state, moments, mapping, plan.start.new_moments)
    return state
