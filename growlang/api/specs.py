"""The Python API for specs: checked, compiled, compared, grown, verified and planned.

A spec is given as a path or as what `load` gave.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from growlang import checking, comparing, compiling, planning
from growlang.api.given import (
    EVALUATED,
    Params,
    StrPath,
    checked_spec,
    path_of,
    read_spec,
    texts_of,
)
from growlang.checking import Checked, Report
from growlang.diagnostics import GrowlangError
from growlang.torch_backend import require_torch

if TYPE_CHECKING:
    import torch

    from growlang.comparing import Difference
    from growlang.compiling import Compiled
    from growlang.plans.plan import Plan
    from growlang.plans.weights_header import WeightsHeader
    from growlang.verifying import GrownMapping, Verification

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
    return read_spec(path, params, quiet=EVALUATED)


def check(spec: StrPath | Checked, params: Params | None = None) -> Report:
    """The findings about a spec and its ancestors: `ok`, `diagnostics`, and a text to print.

    What `load` gave is checked anew, with its params. Raises GrowlangError if the file cannot be
    read.
    """
    if isinstance(spec, Checked):
        texts = dict(spec.params) if params is None else texts_of(params)
        return checking.check(spec.path, texts)
    return checking.check(path_of(spec), texts_of(params))


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

    grown = child if isinstance(child, Checked) else read_spec(child, params, quiet=EVALUATED)
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
