"""The command lines that a message offers: ready to be run, with the options of the call."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from itertools import count
from pathlib import Path

from growlang.plans.plan import Plan
from growlang_runtime.distributed.launch import starter
from growlang_runtime.storage.aside import aside_of
from growlang_runtime.storage.place import Place, steps_of
from growlang_runtime.storage.run import run_folder
from growlang_runtime.train.options import RunOptions

OWN = ("resume", "fresh", "from_run", "quiet", "clock")
"""Options that a command states by itself, or that have no flag."""
FIRST = re.compile(r"^\s*train(?:\s+([a-z_][a-z0-9_]*))?\s*\{", re.MULTILINE)
"""The first recipe of a spec, with its name."""


def command(
    plan: Plan, options: RunOptions, *words: str, params: Mapping[str, str] | None = None
) -> str:
    """The command that trains a plan with these options and further words.

    It starts as many processes as this one is of. A `--name` or `--set` among the options is left
    out where the words or `params` have another.
    """
    line = [*starter(), "growlang", "train", plan.spec]
    if options.plan is not None and params is not None:
        options = replace(options, plan=None)  # other params than it has
    if options.plan is None:  # which has both
        line += [] if _is_first(plan) else ["--recipe", plan.recipe]
        given = {str(n): str(v) for n, v in (plan.params if params is None else params).items()}
        for name, value in given.items():
            line += ["--set", f"{name}={value}"]
    names = [f.name for f in fields(options) if f.name not in OWN and _flag(f.name) not in words]
    return shlex.join([*line, *flags(options, names), *words])


def flags(options: RunOptions, names: Iterable[str]) -> Iterator[str]:
    """Those of the named options that are not at their defaults, as flags."""
    default = {field.name: field.default for field in fields(options)}
    for name in names:
        value = getattr(options, name)
        if value == default[name]:
            continue
        if value is True:
            yield _flag(name)
        for one in value if isinstance(value, tuple) else () if value is True else (value,):
            yield from (_flag(name), str(one))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _is_first(plan: Plan) -> bool:
    """Whether a recipe is the one that is trained where none is named."""
    named = FIRST.search(plan.source)
    return plan.recipe == (named[1] or "main" if named else "main")


def new_name(plan: Plan, options: RunOptions) -> str:
    """A name beside the run's own that is free."""
    own = options.name or plan.recipe
    names = (f"{own}-{number}" for number in count(2))
    return next(n for n in names if not run_folder(options.out, plan.model, n).exists())


def ways(lines: Mapping[str, str]) -> str:
    """What there is to do, each with its command on a line of its own."""
    return "".join(f"\n    {what}:\n      {line}" for what, line in lines.items()).lstrip()


def anew(plan: Plan, options: RunOptions, run: Path) -> dict[str, str]:
    """The ways to train anew where there is a run: beside it, or in its place."""
    beside = command(plan, options, "--name", new_name(plan, options))
    place = command(plan, options, "--fresh")
    return {
        "start anew beside it": beside,
        f"start anew in its place; the old run becomes {aside_of(run).name}": place,
    }


def branching(
    plan: Plan, options: RunOptions, run: Path, step: int | None = None, *, best: bool = False
) -> dict[str, str]:
    """The way to go on from a run's checkpoint, by default its newest, under another name.

    That of a step, or of the `best` weights, which are of it. There is none where the recipe is
    over by then.
    """
    if not _is_left(plan, run, step):
        return {}
    place = str(Place(run, "best" if best else step))
    made = command(plan, options, "--from", place, "--name", new_name(plan, options))
    which = "newest checkpoint" if step is None else f"checkpoint of step {step}"
    which = f"best weights, of step {step}" if best else which
    return {f"go on from its {which}, in a run of its own": made}


def _is_left(plan: Plan, run: Path, step: int | None) -> bool:
    """Whether a plan trains on behind a checkpoint, as far as its length is known."""
    reached = max(steps_of(run), default=0) if step is None else step
    return plan.steps is None or reached < plan.steps
