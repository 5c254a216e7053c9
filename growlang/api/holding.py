"""Runs that are held to a pinned plan: what spec, data and weights give now, and what differs."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from growlang import planning
from growlang.diagnostics import Exit, GrowlangError
from growlang.torch_backend import require_torch

if TYPE_CHECKING:
    from growlang.checking import Checked
    from growlang.pinning import Planned
    from growlang.plans.pins import PinnedPlan
    from growlang.plans.plan import Plan
    from growlang_runtime.train.options import RunOptions

SHOWN = 12
"""Differences that a message names; of the rest it gives the number."""


def held(
    checked: Checked, recipe: str | None, options: RunOptions, written: Path
) -> tuple[Plan, RunOptions]:
    """The plan of a run that is held to the pinned one in a file, and its options.

    The recipe and the folder of the data are those of the file. Where a checkpoint takes the place
    of the start weights, these are not looked at. Raises GrowlangError with what differs unless the
    spec still gives the pinned plan.
    """
    from growlang.pinning import changes
    from growlang.plans.pins import read_pinned, require_recipe
    from growlang_runtime.train.training import needs_parent

    pinned = read_pinned(written)
    require_recipe(pinned, written, recipe)
    _require_model(pinned, written, checked)
    if options.data_root is None and pinned.data_root is not None:
        options = replace(options, data_root=Path(pinned.data_root))
    own = planning.plan(checked, pinned.plan.recipe).as_recorded(pinned.plan)
    weights = needs_parent(own, options)
    now, *errors = pinned_now(checked, pinned.plan.recipe, options, pinned.plan, weights=weights)
    found = changes(pinned, now.pinned, data=errors[0] is None, weights=weights)
    if not found:
        for error in errors:
            if error is not None:
                raise error
        return own, options
    more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    listed = "".join(f"\n  {line}" for line in found[:SHOWN])
    raise GrowlangError(
        f"{written} is no longer what {checked.path} gives; changes since (old -> new):"
        f"{listed}{more}",
        help=f"revert the change, or plan anew: {_command(pinned, checked, written, options)}",
        exit_status=Exit.CHANGED,
    )


def _require_model(pinned: PinnedPlan, written: Path, checked: Checked) -> None:
    """Raise GrowlangError for a plan of another spec, of which each line would differ."""
    own = Path(pinned.plan.spec)
    if pinned.plan.model == checked.net.name or own.name == checked.path.name:
        return
    raise GrowlangError(
        f"{written} is a plan of {pinned.plan.model} ({own}), and {checked.path} has "
        f"{checked.net.name}",
        help=f"name the spec of that model, or plan this one: growlang plan {checked.path} -o "
        "PLAN.json",
        exit_status=Exit.CHANGED,
    )


def pinned_now(
    checked: Checked,
    recipe: str | None,
    options: RunOptions | None,
    known: Plan | None = None,
    *,
    weights: bool = True,
) -> tuple[Planned, GrowlangError | None, GrowlangError | None]:
    """The plan of a recipe with all that it finds, and why data and weights could not be read.

    `known` is one whose accepted parent and way of drawing are taken.
    """
    require_torch("reading data and weights")
    from growlang.pinning import Planned, said
    from growlang.plans.pins import PinnedPlan
    from growlang.version import __version__
    from growlang_runtime.train.options import RunOptions
    from growlang_runtime.train.planned import observed

    asked, own = options or RunOptions(), planning.plan(checked, recipe)
    if known is not None:
        own = own.model_copy(update={"semantics": known.semantics, "draws": known.draws})
        own = _with_parents_run(own, known)
    found = observed(own, asked, weights=weights)
    pinned = PinnedPlan(
        growlang=__version__,
        plan=found.plan,
        said=said(checked),
        weights=found.weights,
        data=found.data,
        data_root=None if asked.data_root is None else str(asked.data_root),
    )
    unread = found.unread
    planned = Planned(pinned, unread.message if unread else "", found.remark)
    return planned, unread, found.refused


def _with_parents_run(plan: Plan, known: Plan) -> Plan:
    """A plan that looks for its parent's run where a known one found it."""
    if plan.parent is None or known.parent is None:
        return plan
    parent = plan.parent.model_copy(update={"run": known.parent.run})
    return plan.model_copy(update={"parent": parent})


def _command(pinned: PinnedPlan, checked: Checked, written: Path, options: RunOptions) -> str:
    """The command that plans anew, with the options that a plan depends on."""
    from growlang_runtime.train.commands import flags

    line = ["growlang", "plan", str(checked.path)]
    if pinned.plan.recipe != planning.recipe_of(checked, None).name:
        line += ["--recipe", pinned.plan.recipe]
    for name, value in pinned.plan.params.items():
        line += ["--set", f"{name}={value}"]
    line += flags(options, ("data_root", "out", "parent_run", "accept_parent", "max_corrupt"))
    return shlex.join([*line, "-o", str(written), "--force"])
