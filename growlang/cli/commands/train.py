"""`train`: a recipe, or the whole lineage, into run folders."""

import gc
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from growlang.cli.options import DeviceOption, RecipeOption, SetOption, Spec
from growlang.cli.specs import checked_spec, pair, require_torch

if TYPE_CHECKING:
    from growlang.checking import Checked
    from growlang.plans.plan import Plan
    from growlang_runtime.train.options import RunOptions

Out = Annotated[Path, typer.Option(help="Folder for runs, as OUT/MODEL/RECIPE.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        help="Folder that data and prompts are relative to; by default the spec's.",
        show_default=False,
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an existing run.")]
ResumeOrStart = Annotated[
    bool, typer.Option("--resume-or-start", help="Continue the run if it exists, or start it.")
]
WithParents = Annotated[
    bool, typer.Option("--with-parents", help="Train untrained ancestors first.")
]
ParentRun = Annotated[
    Path | None, typer.Option(help="Folder of the parent's run, instead of the one under --out.")
]
AcceptParent = Annotated[
    bool,
    typer.Option(
        "--accept-parent", help="Use the parent's run even if its spec has changed since."
    ),
]
MicroBatch = Annotated[
    int | None, typer.Option(min=1, help="Images per forward pass; gradients accumulate.")
]
Workers = Annotated[int, typer.Option(min=0, help="Threads that load images.")]
CheckpointEvery = Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")]
KeepCheckpoints = Annotated[int, typer.Option(min=1, help="Newest checkpoints to keep.")]
SampleEvery = Annotated[
    int | None, typer.Option(min=1, help="Steps between sample grids; phases end with one.")
]
LogEvery = Annotated[int, typer.Option(min=1, help="Steps between log lines.")]
MaxCorrupt = Annotated[int, typer.Option(min=0, help="Unusable images to skip before giving up.")]


def train(
    spec: Spec,
    recipe: RecipeOption = None,
    out: Out = Path("runs"),
    data_root: DataRoot = None,
    resume: Resume = False,
    resume_or_start: ResumeOrStart = False,
    with_parents: WithParents = False,
    parent_run: ParentRun = None,
    accept_parent: AcceptParent = False,
    settings: SetOption = None,
    device: DeviceOption = "cpu",
    micro_batch: MicroBatch = None,
    workers: Workers = 2,
    checkpoint_every: CheckpointEvery = 1000,
    keep_checkpoints: KeepCheckpoints = 2,
    sample_every: SampleEvery = None,
    log_every: LogEvery = 10,
    max_corrupt: MaxCorrupt = 0,
) -> None:
    """Train a recipe, from the parent's weights or from scratch."""
    checked = checked_spec(spec, settings)
    require_torch()
    gc.enable()
    from growlang.planning import plan
    from growlang_runtime.train.options import RunOptions

    options = RunOptions(
        data_root=data_root or checked.resolved.path.parent,
        out=out,
        resume="may" if resume_or_start else "must" if resume else "never",
        parent_run=parent_run,
        accept_parent=accept_parent,
        device=device,
        micro_batch=micro_batch,
        workers=workers,
        checkpoint_every=checkpoint_every,
        keep_checkpoints=keep_checkpoints,
        sample_every=sample_every,
        log_every=log_every,
        max_corrupt=max_corrupt,
    )
    if with_parents and parent_run is None:
        _train_parents(checked, recipe, options, data_root)
    given = dict(pair(s) for s in settings or [])
    _train(plan(checked, recipe, given), options)


def _train_parents(
    checked: "Checked", recipe: str | None, options: "RunOptions", data_root: Path | None
) -> None:
    """Train the ancestors that the run needs: `data_root` is that of all, if it is given."""
    from growlang.planning import plan, recipe_of
    from growlang_runtime.storage.run import run_folder
    from growlang_runtime.train.training import needs_parent

    own = run_folder(options.out, checked.net.name, recipe_of(checked, recipe).name)
    if not needs_parent(own, options.resume):  # it is told here, not hours of training later
        return
    for parent, name in _untrained_parents(checked, recipe, options.out):
        root = data_root or parent.resolved.path.parent
        _train(plan(parent, name, {}), replace(options, data_root=root, resume="may"))


def _train(plan: "Plan", options: "RunOptions") -> None:
    """Train a plan. Raises typer.Exit if a signal interrupts it."""
    from growlang_runtime.train.training import train

    if status := train(plan, options).exit_status:
        raise typer.Exit(status)


def _untrained_parents(
    checked: "Checked", recipe: str | None, out: Path
) -> list[tuple["Checked", str]]:
    """The ancestors, oldest first, whose runs are not finished under `out`."""
    from growlang.planning import recipe_of
    from growlang_runtime.storage.run import run_folder

    todo: list[tuple[Checked, str]] = []
    child, name = checked, recipe
    while child.parent is not None:
        start = recipe_of(child, name).start
        if start.origin != "parent":
            break
        parent = child.parent
        name = start.recipe or recipe_of(parent, None).name
        if (run_folder(out, parent.net.name, name) / "model.safetensors").exists():
            break
        todo.insert(0, (parent, name))
        child = parent
    return todo
