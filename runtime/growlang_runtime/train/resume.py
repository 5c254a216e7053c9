"""Whether the run in a folder can be resumed, and still matches its spec."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from growlang.diagnostics import Exit, GrowlangError
from growlang.diagnostics.literals import literal
from growlang.growth.mapping import Entry
from growlang.plans.plan import Plan
from growlang.plans.tensor_file import read_header
from growlang.plans.weights_header import CHECKPOINTS, MODEL, PLAN, checkpoints_of
from growlang.spec.recipe import Phase
from growlang_runtime.report.history import lines_of
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.run import AFRESH, exists, recorded_plan
from growlang_runtime.train.commands import anew, branching, command, ways
from growlang_runtime.train.options import RunOptions

SHOWN = 8
"""Differences that a message names; of the rest it gives the number."""
LONGEST = 80
"""Characters of a value that a message shows."""


def nothing_to_resume(path: Path, plan: Plan, options: RunOptions) -> GrowlangError:
    """The error for resuming where there is no run."""
    start = command(plan, options)
    return GrowlangError(
        f"there is no run at {path}: nothing to resume",
        help=f"remove --resume to start a new run, or use --resume-or-start: {start}",
    )


def already_there(path: Path, plan: Plan, options: RunOptions) -> GrowlangError:
    """The error for starting a run where there is one, or where a process trains."""
    error = exists(path)
    if error.exit_status is Exit.IN_USE or not (path / PLAN).exists():
        return error
    offers = _continuing(path, plan, options) | anew(plan, options, path)
    if checkpoints_of(path / CHECKPOINTS):
        offers |= branching(plan, options, path)
    return GrowlangError(error.message, help=ways(offers))


def _continuing(path: Path, plan: Plan, options: RunOptions) -> dict[str, str]:
    """The way to resume the run at `path`, where a command does."""
    try:
        recorded = recorded_plan(path)
    except GrowlangError:
        return {}
    if (path / MODEL).exists():
        return {}  # it is finished
    if plan.as_recorded(recorded).run_hash == recorded.run_hash:
        return {"continue it": command(plan, options, "--resume")}
    if recorded.params == plan.params:
        return {}
    again = command(plan, options, "--resume", params=recorded.params)
    return {f"continue it as it was started, {_params(recorded)}": again}


def all_torn(path: Path, torn: list[str], plan: Plan, options: RunOptions) -> GrowlangError:
    """The error for resuming a run whose checkpoints are all damaged, but perhaps its best one."""
    help = f"restore one, or {AFRESH}"
    if best := _best(path):
        offers = branching(plan, options, path, best.step, best=True) | anew(plan, options, path)
        help = f"restore one, or\n    {ways(offers)}"
    return GrowlangError(
        f"cannot resume the run {path}: all its checkpoints are damaged"
        + "".join(f"\n  {line}" for line in torn),
        help=help,
    )


def _best(path: Path) -> checkpoint.Checkpoint | None:
    """The checkpoint of a run's best weights, if it is whole."""
    best = checkpoint.best_path(path / CHECKPOINTS)
    try:
        return checkpoint.read(best) if best else None
    except checkpoint.TornCheckpoint:
        return None


def require_checkpoints(path: Path) -> None:
    """Raise GrowlangError if the run at `path` had checkpoints and they are missing.

    A run that ended before its first checkpoint never had any: it starts over.
    """
    folder = path / CHECKPOINTS
    if folder.is_dir() and (checkpoints_of(folder) or not (last := _saved(path))):
        return
    reached = f" (the last one was at step {last})" if folder.is_dir() else ""
    raise GrowlangError(
        f"cannot resume the run {path}: its checkpoints are missing{reached}",
        help=f"restore {folder}, or {AFRESH}",
    )


def _saved(path: Path) -> int:
    """The last step of which the run says that it saved a checkpoint; 0 where it says of none.

    Runs of 0.1 do not say it: their sample grids are drawn where phases, and so checkpoints, end.
    """
    steps = [0]
    steps += [v["step"] for v in lines_of(path) if v.get("event") in ("checkpoint", "finished")]
    grids = (grid.stem.removeprefix("step_") for grid in (path / "samples").glob("step_*.png"))
    return max([*steps, *(int(step) for step in grids if step.isdecimal())])


def require_whole(model: Path) -> None:
    """Raise GrowlangError if the finished weights of a run are not a whole safetensors file."""
    try:
        read_header(model)
    except GrowlangError as error:
        raise GrowlangError(
            error.message,
            help=f"move {model} away; --resume then writes it again from the last checkpoint",
        ) from error


def require_same(path: Path, recorded: Plan, plan: Plan, options: RunOptions) -> None:
    """Raise GrowlangError with what differs if `plan` is not of the run that `recorded` began.

    Its own recipe, model, data and start: other recipes, `sample` and `evaluate` are no part of it.
    """
    if recorded.run_hash == plan.run_hash:
        return
    found = [*declared_differences(recorded.declared, plan.declared), *_mapping(recorded, plan)]
    found += differences(_found(recorded), _found(plan))
    offers: dict[str, str] = {}
    if _may_be_params(recorded, plan, len(found)):
        again = command(plan, options, "--resume", params=recorded.params)
        offers[f"resume it as it was started, {_params(recorded)}"] = again
    if recorded.net_hash == plan.net_hash and checkpoints_of(path / CHECKPOINTS):
        offers |= branching(plan, options, path)
    raise GrowlangError(
        f"the run {path} was started with a different spec; changes since (old -> new):"
        f"{listed(found)}",
        help="revert the change to resume this run, or\n    "
        + ways(offers | anew(plan, options, path)),
        exit_status=Exit.CHANGED,
    )


def _may_be_params(recorded: Plan, plan: Plan, differences: int) -> bool:
    """Whether what was set on the command line may be all that differs.

    A setting that was set by its path makes one difference; a param of the spec may make many.
    """
    changed = {n for n, _ in recorded.params.items() ^ plan.params.items()}
    of_spec = any("." not in name for name in changed)
    return bool(changed) and (of_spec or differences <= len(changed))


UNKNOWN_DATA = (
    "this run was started by version 0.1, which did not record a digest of the data: whether the "
    "data has changed since cannot be checked"
)


def require_same_data(path: Path, recorded: Plan, now: Plan, options: RunOptions) -> None:
    """Raise GrowlangError if the data is not that which the run at `path` was started with.

    The plan of a run of 0.1 does not know it.
    """
    if recorded.data is None or recorded.data == now.data:
        return
    found = now.data or {}
    changed = [n for n in {**recorded.data, **found} if recorded.data.get(n) != found.get(n)]
    names = ", ".join(f"`{name}`" for name in changed)
    raise GrowlangError(
        f"the data has changed since the run {path} was started: {names} has different samples, or "
        "the same in a different order",
        help=f"restore the data, or\n    "
        f"{ways(branching(now, options, path) | anew(now, options, path))}",
        exit_status=Exit.CHANGED,
    )


def listed(found: list[str]) -> str:
    """The first differences, each on a line of its own, and how many more there are."""
    more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "".join(f"\n  {line}" for line in found[:SHOWN]) + more


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """`PATH: OLD -> NEW` for each leaf that differs."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            place = f"{path}.{key}" if path else str(key)
            yield from differences(old.get(key), new.get(key), place)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, f"{path}[{index}]")
    else:
        yield f"{path}: {_shown(old)} -> {_shown(new)}"


def declared_differences(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """What differs between two values of `Plan.declared`, under the names of today."""
    was, now = (d | {"phases": _phases(d), "mapping_hash": ""} for d in (old, new))
    yield from differences(was, now)
    if list(old["phases"]) != list(new["phases"]):
        yield f"phases: {', '.join(old['phases'])} -> {', '.join(new['phases'])}"


def _phases(declared: dict[str, Any]) -> dict[str, Any]:
    """The phases with the names of today; their stored form has those of 0.1."""
    phases = {}
    for name, said in declared["phases"].items():
        phase = Phase.model_validate_json(json.dumps(said | {"lr_scale": dict(said["lr_scale"])}))
        phases[name] = phase.model_dump(mode="json", exclude={"name"})
    return phases


def _mapping(recorded: Plan, plan: Plan) -> Iterator[str]:
    was, now = ({e.name: _outcome(e) for e in p.mapping} for p in (recorded, plan))
    yield from differences(was, now, "mapping")


def _outcome(entry: Entry) -> str:
    """What the mapping says of a tensor, such as `moved from core.position (moved)`."""
    source = f" from {entry.source}" if entry.source not in (None, entry.name) else ""
    return f"{entry.category}{source} ({entry.rule})"


def _found(plan: Plan) -> dict[str, Any]:
    """What a run finds outside of its spec."""
    run = plan.parent.run if plan.parent else None
    weights = plan.start_weights_hash
    return {"data": plan.data, "weights": weights, "parent": run.run_hash if run else None}


def _params(recorded: Plan) -> str:
    """What was set beside the spec when a run was started."""
    given = " ".join(f"--set {name}={value}" for name, value in recorded.params.items())
    return f"with {given}" if given else "without --set"


def _shown(value: Any) -> str:
    """A value as the language writes it, or that a group of them is there."""
    text = "set" if isinstance(value, dict) else literal(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
