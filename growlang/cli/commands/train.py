"""`train`: a recipe, the whole lineage, or a run for each of several values, into run folders."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from growlang.cli.options import DeviceOption, RecipeOption, SetOption
from growlang.cli.specs import checked_spec, checked_variants
from growlang.cli.voices import one_voice, said_once
from growlang.diagnostics import GrowlangError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from growlang.checking import Checked
    from growlang.plans.pins import PinnedPlan

Spec = Annotated[
    Path | None, typer.Argument(help="A spec file; by default the plan's.", show_default=False)
]
PlanFile = Annotated[
    Path | None,
    typer.Option(
        "--plan",
        metavar="FILE",
        help="Train what `growlang plan` pinned in this file, or say what differs by now.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for runs, as OUT/MODEL/RECIPE or OUT/MODEL/NAME.")]
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
    Path | None,
    typer.Option(
        metavar="RUN",
        help="Parent's run, instead of the one under --out or runs: RUN, RUN@STEP or RUN@best.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(help="Name of the run's folder, OUT/MODEL/NAME; by default the recipe's."),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Start anew; a run that is there is moved aside.")
]
FromRun = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="RUN",
        help="Go on from a checkpoint of another run, with its optimizer's state, averages and "
        "step: RUN, RUN@STEP or RUN@best.",
        show_default=False,
    ),
]
AcceptParent = Annotated[
    bool,
    typer.Option(
        "--accept-parent", help="Use the parent's run even if its spec has changed since."
    ),
]
MicroBatch = Annotated[
    int | None,
    typer.Option(min=1, help="Images per forward pass in a process; gradients add up."),
]
ActivationCheckpointing = Annotated[
    bool,
    typer.Option(
        "--activation-checkpointing",
        help="Keep only the inputs of blocks for the backward pass, and compute them again: less "
        "memory, more time.",
    ),
]
TF32 = Annotated[bool, typer.Option("--tf32", help="Round fp32 products on CUDA to TF32.")]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="Use kernels that give the same bits every time.")
]
Compile = Annotated[
    bool, typer.Option("--compile", help="Compile the net's blocks (torch.compile).")
]
Workers = Annotated[int, typer.Option(min=0, help="Threads that load images, in each process.")]
Threads = Annotated[
    str | None,
    typer.Option(
        metavar="N|auto",
        help="Threads that compute; auto: as many as are fastest in a few steps at the start. "
        "By default as PyTorch has them.",
        show_default=False,
    ),
]
CheckpointMinutes = Annotated[
    float, typer.Option(min=0, help="Most minutes between checkpoints; 0: only steps count.")
]
CheckpointEvery = Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")]
KeepCheckpoints = Annotated[int, typer.Option(min=1, help="Newest checkpoints to keep.")]
SampleEvery = Annotated[
    int | None, typer.Option(min=1, help="Steps between sample grids; phases end with one.")
]
ValidateEvery = Annotated[
    int | None,
    typer.Option(min=1, help="Steps between validations; by default by what they cost."),
]
LogEvery = Annotated[int, typer.Option(min=1, help="Steps between log lines.")]
LogTo = Annotated[
    list[str] | None,
    typer.Option("--log", metavar="wandb|mlflow", help="Log there too; may be repeated."),
]
MaxCorrupt = Annotated[int, typer.Option(min=0, help="Unusable images to skip before giving up.")]


def train(
    spec: Spec = None,
    recipe: RecipeOption = None,
    plan: PlanFile = None,
    out: Out = Path("runs"),
    name: Name = None,
    fresh: Fresh = False,
    from_run: FromRun = None,
    data_root: DataRoot = None,
    resume: Resume = False,
    resume_or_start: ResumeOrStart = False,
    with_parents: WithParents = False,
    parent_run: ParentRun = None,
    accept_parent: AcceptParent = False,
    settings: SetOption = None,
    device: DeviceOption = "auto",
    threads: Threads = None,
    micro_batch: MicroBatch = None,
    activation_checkpointing: ActivationCheckpointing = False,
    tf32: TF32 = False,
    deterministic: Deterministic = False,
    compile: Compile = False,
    workers: Workers = 2,
    checkpoint_every: CheckpointEvery = 1000,
    checkpoint_minutes: CheckpointMinutes = 5.0,
    keep_checkpoints: KeepCheckpoints = 2,
    sample_every: SampleEvery = None,
    validate_every: ValidateEvery = None,
    log_every: LogEvery = 10,
    max_corrupt: MaxCorrupt = 0,
    log: LogTo = None,
) -> None:
    """Train a recipe, from the parent's weights or from scratch.

    `--from RUN` goes on from another run's checkpoint. `--set NAME=VALUE,VALUE` trains a run for
    each value, named RECIPE-NAME=VALUE. Several processes, started by `torchrun -m growlang train`
    or srun, train together.
    """
    with one_voice():
        pinned = _pinned(plan, spec, recipe, settings) if plan is not None else None
        if pinned is None and spec is None:
            raise GrowlangError(
                "there is nothing to train", help="name a spec: growlang train SPEC, or --plan FILE"
            )
        _train(
            said_once(lambda: _checked(spec, settings, pinned)),
            pinned.plan.recipe if pinned is not None else recipe,
            with_parents,
            {
                "plan": plan,
                "data_root": data_root,
                "out": out,
                "name": name,
                "fresh": fresh,
                "from_run": from_run,
                "resume": "may" if resume_or_start else "must" if resume else "never",
                "parent_run": parent_run,
                "accept_parent": accept_parent,
                "device": device,
                "threads": _threads(threads),
                "micro_batch": micro_batch,
                "activation_checkpointing": activation_checkpointing,
                "tf32": tf32,
                "deterministic": deterministic,
                "compile": compile,
                "workers": workers,
                "checkpoint_every": checkpoint_every,
                "checkpoint_minutes": checkpoint_minutes,
                "keep_checkpoints": keep_checkpoints,
                "sample_every": sample_every,
                "validate_every": validate_every,
                "log_every": log_every,
                "max_corrupt": max_corrupt,
                "log": tuple(log) if log else None,
            },
        )


def _train(
    found: "Sequence[tuple[str, Checked]]",
    recipe: str | None,
    with_parents: bool,
    options: dict[str, Any],
) -> None:
    from growlang.api import training
    from growlang.torch_backend import require_torch

    require_torch()
    from growlang_runtime.train.options import RunOptions

    gc.enable()
    asked = RunOptions(**options)
    status = training.train_each(found, recipe, asked, with_parents=with_parents)
    if status:
        raise typer.Exit(status)


def _pinned(
    path: Path, spec: Path | None, recipe: str | None, settings: list[str] | None
) -> "PinnedPlan":
    """The plan in a file. Raises GrowlangError for one that is unusable, or asked to be another."""
    from growlang.plans.pins import read_pinned, require_recipe

    found = read_pinned(path)
    if settings:
        raise GrowlangError(
            f"{path} has its settings, and --set gives others",
            help="leave --set out, or plan with it: growlang plan SPEC --set ...",
        )
    require_recipe(found, path, recipe)
    own = Path(found.plan.spec)
    if spec is None and not own.exists():
        raise GrowlangError(
            f"{path} is of the spec {own}, which is not there",
            help=f"run it where the plan was made, or name the spec: growlang train SPEC "
            f"--plan {path}",
        )
    return found


def _checked(
    spec: Path | None, settings: list[str] | None, pinned: "PinnedPlan | None"
) -> "list[tuple[str, Checked]]":
    """What is to be trained, each with its mark; of a plan, its spec with its params."""
    if pinned is not None:
        params = [f"{name}={value}" for name, value in pinned.plan.params.items()]
        return [("", checked_spec(spec or Path(pinned.plan.spec), params))]
    assert spec is not None
    return checked_variants(spec, settings)


def _threads(text: str | None) -> int | Literal["auto"] | None:
    """`--threads`. Raises GrowlangError for what is neither a number nor `auto`."""
    if text is None:
        return None
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) < 1:
        raise GrowlangError(
            f"`--threads {text}` is not a number of threads",
            help="write `--threads 2`, or `--threads auto`",
        )
    return int(text)
