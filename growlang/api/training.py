"""The Python API for training: one run, or several one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from growlang import planning
from growlang.api.given import StrPath, path_of, read_spec
from growlang.checking import Checked
from growlang.diagnostics import GrowlangError
from growlang.torch_backend import require_torch

if TYPE_CHECKING:
    from growlang.plans.plan import Plan
    from growlang_runtime.train.options import Resume, RunOptions
    from growlang_runtime.train.result import TrainResult


class RunFields(TypedDict, total=False):
    """The fields of `RunOptions`, of which `train` takes any as keywords."""

    plan: StrPath | None
    data_root: StrPath | None
    out: StrPath
    name: str | None
    fresh: bool
    from_run: StrPath | None
    resume: Resume
    parent_run: StrPath | None
    accept_parent: bool
    device: str
    threads: int | Literal["auto"] | None
    micro_batch: int | None
    activation_checkpointing: bool
    tf32: bool
    deterministic: bool
    compile: bool
    workers: int
    checkpoint_every: int
    checkpoint_minutes: float
    keep_checkpoints: int
    sample_every: int | None
    validate_every: int | None
    log_every: int
    max_corrupt: int
    log: Sequence[str] | None
    quiet: bool
    clock: Callable[[], float]


def train(
    spec: StrPath | Checked,
    recipe: str | None = None,
    options: RunOptions | None = None,
    *,
    with_parents: bool = False,
    **fields: Unpack[RunFields],
) -> TrainResult:
    """Train a recipe, by default the first, into `OUT/MODEL/RECIPE`, or `OUT/MODEL/NAME`.

    `fields` are those of `RunOptions`, such as `device="cuda"`, and replace those of `options`. A
    `plan` among them, a file that `pin` wrote, has the recipe, the folder of the data and the start
    weights, and the run is held to it.
    `with_parents` trains ancestors first where their runs are not finished; the result is that of
    the run that a signal interrupted, or of the last. Raises SpecError as `load` does, and
    GrowlangError for all that keeps the run from going on, such as a run that exists and is not to
    be resumed.
    """
    checked = spec if isinstance(spec, Checked) else read_spec(path_of(spec), None)
    require_torch("training")
    from growlang_runtime.train.training import train as run

    chosen = _options(options, fields)
    if chosen.plan is None:
        own = planning.plan(checked, recipe)
    else:
        from growlang.api.holding import held

        own, chosen = held(checked, recipe, chosen, chosen.plan)
    _refuse_name(checked, own, chosen.name)
    if with_parents and chosen.parent_run is None:
        as_usual = replace(chosen, resume="may", plan=None, name=None, fresh=False, from_run=None)
        for parent, name in _untrained_parents(checked, own, chosen):
            result = run(planning.plan(parent, name), as_usual)
            if result.signal is not None:
                return result
    return run(own, chosen)


def train_each(
    specs: Sequence[tuple[str, Checked]],
    recipe: str | None = None,
    options: RunOptions | None = None,
    *,
    with_parents: bool = False,
) -> int:
    """Train several specs one after the other, each named by its mark; returns the exit status.

    A run whose training fails does not keep the others from being trained; one that cannot begin
    does. A signal ends the whole, and is answered with how to go on. Raises GrowlangError as
    `train` does, and before the first run if one of the later ones could not be started.
    """
    require_torch("training")
    from growlang_runtime.train.several import OneOf, train_several

    chosen = _options(options, {})
    runs = []
    for mark, spec in specs:
        own = _named(spec, recipe, mark, chosen)
        start = partial(train, spec, recipe, own, with_parents=with_parents)
        runs.append(OneOf(planning.plan(spec, recipe), own, start))
    return train_several(runs)


def _named(checked: Checked, recipe: str | None, mark: str, options: RunOptions) -> RunOptions:
    """The options of one run of several, whose name has a mark."""
    if not mark:
        return options
    own = options.name or planning.recipe_of(checked, recipe).name
    return replace(options, name=f"{own}-{mark}")


def _options(options: RunOptions | None, fields: RunFields) -> RunOptions:
    """The options of a run, with the fields that are given instead."""
    from growlang_runtime.train.options import RunOptions

    given: dict[str, Any] = {**fields}
    for name in ("data_root", "out", "plan", "parent_run", "from_run"):
        if given.get(name) is not None:
            given[name] = path_of(given[name])
    if given.get("log") is not None:
        given["log"] = (given["log"],) if isinstance(given["log"], str) else tuple(given["log"])
    return replace(options or RunOptions(), **given)


def _refuse_name(checked: Checked, plan: Plan, name: str | None) -> None:
    """Raise GrowlangError for a run with the name of another recipe, whose run has that place."""
    if name != plan.recipe and name in checked.recipes:
        raise GrowlangError(
            f"`{name}` is a recipe of {checked.path}, and its run has that name",
            help=f"choose another name, such as `{plan.recipe}-2`, or train that recipe: "
            f"--recipe {name}",
        )


def _untrained_parents(
    checked: Checked, plan: Plan, options: RunOptions
) -> list[tuple[Checked, str]]:
    """The ancestors, oldest first, whose weights the run needs and whose runs are not finished.

    `plan` is that of the run. Raises GrowlangError if there is a run, or none, against what the
    options say, or several of a parent: it is told here, not hours of training later.
    """
    from growlang.plans.weights_header import MODEL
    from growlang_runtime.storage.lookup import Wanted, find
    from growlang_runtime.train.training import needs_parent

    if not needs_parent(plan, options):
        return []
    found: list[tuple[Checked, str]] = []
    child, recipe = checked, plan.recipe
    while child.parent is not None:
        start = planning.recipe_of(child, recipe).start
        if start.origin != "parent":
            break
        parent = child.parent
        recipe = start.recipe or planning.recipe_of(parent, None).name
        run = find(Wanted(parent.name, recipe, parent.net_hash), options.out)
        if run is not None and (run.path / MODEL).exists():
            break
        found.insert(0, (parent, recipe))
        child = parent
    return found
