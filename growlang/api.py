"""The Python API: what the command line does, as functions. `import growlang` gives its names.

A spec is given as a path or as what `load` gave.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from growlang import checking, comparing, compiling, planning
from growlang.checking import Checked, Report, SpecWarning
from growlang.diagnostics import GrowlangError
from growlang.diagnostics.literals import literal
from growlang.diagnostics.text import as_texts
from growlang.torch_backend import require_torch

if TYPE_CHECKING:
    import torch

    from growlang.comparing import Difference
    from growlang.compiling import Compiled
    from growlang.plans.plan import Plan
    from growlang.plans.weights_header import WeightsHeader
    from growlang.verifying import GrownMapping, Verification
    from growlang_runtime.report.comparison import Comparison
    from growlang_runtime.report.page.document import ReportPage
    from growlang_runtime.report.runs import Runs, RunSummary
    from growlang_runtime.train.options import Resume, RunOptions
    from growlang_runtime.train.result import TrainResult

StrPath = str | os.PathLike[str]
Params = Mapping[str, object]
OWN = (__name__, "growlang.notebook", "growlang.preparing", "growlang.evaluating")
"""The modules of the API."""
EVALUATED = ("G460", "G461")
"""Warnings about `evaluate`, which matter to training and evaluation alone."""
REAL_INPUTS = 4
"""Images of its data on which a growth is verified."""


def load(path: StrPath, params: Params | None = None) -> Checked:
    """The checked spec in a file: its net, its parent, and the mapping between them.

    `params` are values for the file's params, such as `{"width": 512}`; a string is read as an
    expression of the language, as by `--set`. Warnings are given as `SpecWarning`. Raises SpecError
    if the spec has errors, and GrowlangError if it cannot be read or has no model.
    """
    from growlang.plans.weights_header import are_weights

    if isinstance(path, str | os.PathLike) and are_weights(path_of(path)):
        raise GrowlangError(
            f"{path} is not a spec",
            help="growlang.load_run(...) opens a run, and growlang.load_weights(...) its weights",
        )
    return _load(path, params, quiet=EVALUATED)


def check(spec: StrPath | Checked, params: Params | None = None) -> Report:
    """The findings about a spec and its ancestors: `ok`, `diagnostics`, and a text to print.

    What `load` gave is checked anew, with its params. Raises GrowlangError if the file cannot be
    read.
    """
    if isinstance(spec, Checked):
        texts = dict(spec.params) if params is None else _texts(params)
        return checking.check(spec.path, texts)
    return checking.check(path_of(spec), _texts(params))


def compile(spec: StrPath | Checked, recipe: str | None = None) -> Compiled:
    """The spec's tensors and costs, and its PyTorch module.

    `recipe` is the one whose phases have costs, by default the first. Raises SpecError as `load`
    does, and GrowlangError if there is no such recipe.
    """
    return compiling.compiled(checked_spec(spec), recipe)


def diff(a: StrPath | Checked, b: StrPath | Checked) -> Difference:
    """What becomes of each tensor of `a` in `b`: its `mapping`, and a text to print.

    Each may also be the path of a run, a checkpoint or a file of weights. Raises SpecError as
    `load` does, and GrowlangError if weights do not fit the net that they name.
    """
    return comparing.diff(_side(a), _side(b))


def grow(
    parent: StrPath | Checked, child: StrPath | Checked, params: Params | None = None
) -> GrownMapping:
    """The mapping of a parent's tensors to those of its child, for a training loop of your own.

    `apply` makes a state dict of the child, and `verify` measures what the growth promises.
    `params` are values for the child's params. Raises SpecError as `load` does, and GrowlangError
    if the child does not grow from this parent.
    """
    from growlang.verifying import GrownMapping

    grown = child if isinstance(child, Checked) else _load(child, params, quiet=EVALUATED)
    found = GrownMapping.to(grown)
    _require_parent(parent, grown)
    return found


def verify(
    child: StrPath | Checked,
    parent_checkpoint: StrPath | None = None,
    *,
    real_inputs: bool = False,
    data_root: StrPath | None = None,
    device: torch.device | str = "cpu",
) -> Verification:
    """Measure what a child's growth promises: the same function, gradients, copies that part.

    `parent_checkpoint` is the parent's run, a checkpoint or a file of weights; without it, the
    weights are random. With `real_inputs` the function is also measured on the first images of the
    child's first recipe, which are looked for below `data_root`, by default the spec's folder.
    Raises SpecError as `load` does, and GrowlangError if the child has no parent, if the weights
    are not the parent's, or if the data cannot be opened.
    """
    from growlang.verifying import verify as measure

    checked = checked_spec(child)
    weights = None
    if parent_checkpoint is not None and checked.parent is not None:
        require_torch("reading weights")
        from growlang_runtime.storage.weights import load as read

        found, parent = read(path_of(parent_checkpoint)), checked.parent
        found.require(parent.net, f"{parent.path} (the parent {parent.name})")
        weights = found.tensors
    real = None
    if real_inputs:
        require_torch("reading data")
        from growlang_runtime.train.real_inputs import real_inputs as read_inputs

        root = checked.path.parent if data_root is None else path_of(data_root)
        real = read_inputs(planning.plan(checked), root, REAL_INPUTS)
    return measure(checked, weights, device, real)


def plan(spec: StrPath | Checked, recipe: str | None = None) -> Plan:
    """All that a run of a recipe needs, decided: net, mapping, schedule, settings and hashes.

    By default of the first recipe. Raises SpecError as `load` does, and GrowlangError if there is
    no such recipe.
    """
    return planning.plan(checked_spec(spec), recipe)


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
    checked = spec if isinstance(spec, Checked) else _load(path_of(spec), None)
    require_torch("training")
    from growlang_runtime.train.training import train as run

    chosen = _options(options, fields)
    if chosen.plan is None:
        own = planning.plan(checked, recipe)
    else:
        from growlang.holding import held

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


def runs(folder: StrPath = "runs") -> Runs:
    """The runs in a folder and the folders in it: `runs`, and a text to print.

    Raises GrowlangError if there is no such folder.
    """
    from growlang_runtime.report.runs import runs_in

    return runs_in(path_of(folder))


def status(run: StrPath) -> RunSummary:
    """How a run fares: its `state`, step, losses, what `status.json` says, and a text to print.

    Raises GrowlangError if there is no run.
    """
    from growlang_runtime.report.runs import status_of

    return status_of(path_of(run))


def compare(a: StrPath, b: StrPath, output: StrPath | None = None) -> Comparison:
    """Two runs side by side: `settings` that differ, `losses` at common steps, curves to print.

    Each is RUN, RUN@STEP or RUN@best. With `output`, their sample grids are written beside each
    other as a PNG. Raises GrowlangError if one is no run, or if `output` exists.
    """
    from growlang_runtime.report.comparison import compare as compared

    return compared(path_of(a), path_of(b), None if output is None else path_of(output))


def report(runs: StrPath | Sequence[StrPath], output: StrPath | None = None) -> ReportPage:
    """One self-contained HTML page about a run, or several overlaid; also written to `output`.

    It has the curves with phases and resumes, where the time went, sample grids over the steps,
    evaluations, plan and lineage, hashes of frozen tensors, what was skipped and left out, and the
    environment. Each run is RUN, RUN@STEP or RUN@best. Raises GrowlangError if one is no run, or if
    a file that is no report is at `output`.
    """
    from growlang_runtime.report.page.document import report as made

    several = [runs] if isinstance(runs, str | os.PathLike) else runs
    return made([path_of(run) for run in several], None if output is None else path_of(output))


def _load(path: StrPath, params: Params | None, quiet: Sequence[str] = ()) -> Checked:
    report = checking.check(path_of(path), _texts(params))
    checked = report.require(path_of(path))
    told = [found for found in report.diagnostics if found.code not in quiet]
    if told:
        warnings.warn(as_texts(told, report.texts), SpecWarning, stacklevel=_level())
    return checked


def _level() -> int:
    """How far above `_load` the first frame of another file is: a warning stands at its line."""
    level, frame = 0, sys._getframe(1)
    while frame.f_globals["__name__"] in OWN and frame.f_back is not None:
        level, frame = level + 1, frame.f_back
    return level + 1


def checked_spec(spec: StrPath | Checked) -> Checked:
    """A checked spec, of its path or as it is."""
    return spec if isinstance(spec, Checked) else _load(spec, None, quiet=EVALUATED)


def _side(spec: StrPath | Checked) -> Checked | WeightsHeader:
    """A side of a difference. Raises GrowlangError for weights that cannot be read."""
    from growlang.plans.weights_header import are_weights, read

    if isinstance(spec, Checked):
        return spec
    path = path_of(spec)
    if "@" in path.name:
        from growlang_runtime.storage.place import located

        path = located(path)
    return read(path) if are_weights(path) else checked_spec(path)


def _require_parent(parent: StrPath | Checked, child: Checked) -> None:
    """Raise GrowlangError unless a child grows from a parent: from its file, or an equal net."""
    assert child.parent is not None
    if isinstance(parent, Checked):
        same = parent.net_hash == child.parent.net_hash
    else:
        same = path_of(parent).resolve() == child.parent.path.resolve()
    if not same:
        named = parent.path if isinstance(parent, Checked) else parent
        raise GrowlangError(
            f"{child.name} does not grow from {named}, but from {child.parent.path}",
            help=f"give `growlang.load({str(child.path)!r}).parent`, or the spec of one of its "
            "children",
        )


def path_of(path: object) -> Path:
    """A path. Raises TypeError for what is none."""
    if isinstance(path, str | os.PathLike):
        return Path(path)
    raise TypeError(f"expected a path or what growlang.load gave, but got {type(path).__name__}")


def _texts(params: Params | None) -> dict[str, str]:
    """Values of params as the language writes them. Raises TypeError for what is no mapping."""
    given = {} if params is None else params
    if not isinstance(given, Mapping):
        raise TypeError(f"expected params by name, got {type(given).__name__}; give a dict")
    return {n: value if isinstance(value, str) else literal(value) for n, value in given.items()}


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
