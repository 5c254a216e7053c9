"""`train` and `sample`."""

import gc
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from growlang.cli.options import DeviceOption, RecipeOption, SetOption, Spec
from growlang.cli.specs import checked_spec, pair, require_torch
from growlang.diagnostics import GrowlangError

if TYPE_CHECKING:
    from growlang.checking import Checked
    from growlang.plans.plan import Plan
    from growlang_runtime.train.options import RunOptions


def train(
    spec: Spec,
    recipe: RecipeOption = None,
    out: Annotated[Path, typer.Option(help="Folder for runs, as OUT/MODEL/RECIPE.")] = Path("runs"),
    data_root: Annotated[
        Path | None,
        typer.Option(
            help="Folder that data and prompts are relative to; by default the spec's.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an existing run.")] = False,
    resume_or_start: Annotated[
        bool, typer.Option("--resume-or-start", help="Continue the run if it exists, or start it.")
    ] = False,
    with_parents: Annotated[
        bool, typer.Option("--with-parents", help="Train untrained ancestors first.")
    ] = False,
    parent_run: Annotated[
        Path | None,
        typer.Option(help="Folder of the parent's run, instead of the one under --out."),
    ] = None,
    accept_parent: Annotated[
        bool,
        typer.Option(
            "--accept-parent", help="Use the parent's run even if its spec has changed since."
        ),
    ] = False,
    settings: SetOption = None,
    device: DeviceOption = "cpu",
    micro_batch: Annotated[
        int | None, typer.Option(min=1, help="Images per forward pass; gradients accumulate.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Threads that load images.")] = 2,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 1000,
    keep_checkpoints: Annotated[int, typer.Option(min=1, help="Newest checkpoints to keep.")] = 2,
    sample_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between sample grids; phases end with one.")
    ] = None,
    log_every: Annotated[int, typer.Option(min=1, help="Steps between log lines.")] = 10,
    max_corrupt: Annotated[
        int, typer.Option(min=0, help="Unusable images to skip before giving up.")
    ] = 0,
) -> None:
    """Train a recipe, from the parent's weights or from scratch."""
    checked = checked_spec(spec, settings)
    require_torch()
    gc.enable()
    from growlang.planning import plan, recipe_of
    from growlang_runtime.storage.run import run_folder
    from growlang_runtime.train.options import RunOptions
    from growlang_runtime.train.training import needs_parent

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
        own = run_folder(out, checked.net.name, recipe_of(checked, recipe).name)
        if needs_parent(own, options.resume):  # told here, and not after hours of the parents
            for parent, name in _untrained_parents(checked, recipe, out):
                root = data_root or parent.resolved.path.parent
                _train(plan(parent, name, {}), replace(options, data_root=root, resume="may"))
    given = dict(pair(s) for s in settings or [])
    _train(plan(checked, recipe, given), options)


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


def sample(
    run: Annotated[
        Path, typer.Argument(help="A run folder or a model.safetensors.", show_default=False)
    ],
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", "-p", help="A prompt; may be repeated.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="A file of prompts, one per line.", show_default=False)
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(min=0, help="Guidance scale; by default the spec's.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Sampler steps; by default the spec's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG file to write.")] = Path(
        "grid.png"
    ),
    ema: Annotated[bool, typer.Option(help="Use the EMA weights.")] = True,
    device: DeviceOption = "cpu",
) -> None:
    """Sample images from a trained model into one PNG grid."""
    require_torch()
    gc.enable()
    from growlang_runtime.sample import sample as draw_grid

    written = [*(prompt or []), *(_lines(prompts) if prompts else [])]
    if not written:
        raise GrowlangError("no prompts given", help='give --prompt "..." or --prompts FILE')
    path = draw_grid(
        run,
        prompts=written,
        output=output,
        guidance=guidance,
        steps=steps,
        seed=seed,
        ema=ema,
        device=device,
    )
    typer.echo(path)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GrowlangError(f"cannot read {path}: {error}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]
