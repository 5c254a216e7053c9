"""Whether a parent's run is the one that the parent's spec describes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import ParentPlan, ParentRun, Plan
from growlang.plans.weights_header import PLAN, parsed, run_of
from growlang.signatures.canonical import canonical
from growlang.spec.recipe import Settings
from growlang_runtime.storage.run import recorded_plan
from growlang_runtime.storage.weights import Weights
from growlang_runtime.train.resume import declared_differences, listed


def with_parent_run(plan: Plan, weights: Weights | None, accept: bool) -> Plan:
    """The plan, knowing what the run was trained with whose weights it starts from.

    Raises GrowlangError with what differs if the parent's spec on the disk no longer describes
    that run, unless `accept`, which records the differences, or the plan has recorded them.
    """
    parent = plan.parent
    if parent is None or weights is None or plan.start.origin != "parent":
        return plan
    run = _run(weights, parent)
    found = list(run[1])
    if found and not accept and not (parent.run and parent.run.accepted == found):
        raise GrowlangError(
            f"the parent run {run[0].path} was trained with a different version of {parent.spec}; "
            f"changes since (old -> new):{listed(found)}",
            help=_ways_out(parent, run[0]),
        )
    checkpoint = str(weights.path) if weights.step is not None else None
    known = run[0].model_copy(update={"accepted": found, "weights": checkpoint})
    return plan.model_copy(update={"parent": parent.model_copy(update={"run": known})})


def _run(weights: Weights, parent: ParentPlan) -> tuple[ParentRun, Iterator[str]]:
    """The run that wrote the weights, and how it differs from what the parent's spec says."""
    folder = run_of(weights.path)
    plan = recorded_plan(folder) if (folder / PLAN).exists() else None
    if plan is not None and _wrote(plan, weights):
        last = plan.phases[-1].settings
        known = ParentRun(
            path=str(folder),
            spec_hash=plan.spec_hash,
            params=plan.params,
            objective=canonical(last.objective),
            run_hash=plan.run_hash,
        )
        return known, _differences(plan.lineage, parent.declared)
    return _alone(weights, parent)


def _wrote(plan: Plan, weights: Weights) -> bool:
    """Whether the run of a plan wrote the weights: a file may have been put into its folder."""
    said = weights.metadata
    if "run_hash" in said:  # which those of 0.1 lack
        return said["run_hash"] == plan.run_hash
    return said.get("plan_hash") == plan.plan_hash


def _alone(weights: Weights, parent: ParentPlan) -> tuple[ParentRun, Iterator[str]]:
    """As `_run`, of weights that lie outside of their run's folder: they have their last phase."""
    said = weights.metadata
    if "settings" not in said:
        raise GrowlangError(
            f"{weights.path} does not say what it was trained for: its metadata has no `settings`",
            help="name weights that `growlang train` wrote, or their run's folder",
        )
    settings: Settings = parsed(Settings, said["settings"], weights.path)
    known = ParentRun(
        path=str(weights.path),
        spec_hash=said.get("spec_hash", ""),
        objective=canonical(settings.objective),
        run_hash=said.get("run_hash", ""),
    )
    if parent.declared is None or known.spec_hash == parent.spec_hash:
        return known, iter(())
    phase = list(parent.declared["phases"].values())[-1]
    was, now = (
        {"phases": {"last": phase | {"settings": of, "frozen": [], "lr_scale": []}}}
        for of in (canonical(settings), phase["settings"])
    )
    return known, declared_differences(was, now)


def _differences(was: dict[str, Any], now: dict[str, Any] | None) -> Iterator[str]:
    """What differs over the generations that both have."""
    if now is None:
        return
    old, new = ({k: v for k, v in said.items() if k != "parent"} for said in (was, now))
    yield from declared_differences(old, new)
    if "parent" in was and "parent" in now:
        for line in _differences(was["parent"], now["parent"]):
            yield f"its parent's {line}"


def _ways_out(parent: ParentPlan, run: ParentRun) -> str:
    command = ["growlang", "train", parent.spec, "--name", "NAME"]
    if parent.recipe != "main":
        command[3:3] = ["--recipe", parent.recipe]
    given = " ".join(f"--set {name}={value}" for name, value in run.params.items())
    return (
        f"revert the change{f' (the run was trained with {given})' if given else ''}; or "
        f"retrain the parent ({shlex.join(command)}) and name it with --parent-run; or use "
        "this run anyway with --accept-parent, which is recorded in the plan"
    )
