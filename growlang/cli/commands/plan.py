"""`plan`: all that a run would be made of, in the terminal and pinned in a file."""

from pathlib import Path
from typing import Annotated

import typer

from growlang.cli.options import JsonOption, RecipeOption, SetOption, Spec
from growlang.cli.printing import print_json
from growlang.cli.specs import checked_spec

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="File to pin the plan in, for `train --plan`.",
        show_default=False,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        help="Folder that data is relative to; by default the spec's.", show_default=False
    ),
]
Out = Annotated[Path, typer.Option(help="Folder with the runs, of which the parent's is one.")]
ParentRun = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="Parent's run, instead of the one under --out or runs: RUN, RUN@STEP or RUN@best.",
        show_default=False,
    ),
]
AcceptParent = Annotated[
    bool,
    typer.Option(
        "--accept-parent", help="Use the parent's run even if its spec has changed since."
    ),
]
MaxCorrupt = Annotated[int, typer.Option(min=0, help="Unusable images to allow for.")]


def plan(
    spec: Spec,
    recipe: RecipeOption = None,
    settings: SetOption = None,
    output: Output = None,
    data_root: DataRoot = None,
    out: Out = Path("runs"),
    parent_run: ParentRun = None,
    accept_parent: AcceptParent = False,
    max_corrupt: MaxCorrupt = 0,
    json: JsonOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier plan.")] = False,
) -> None:
    """Print what a run would be made of, and pin it in a file.

    What becomes of the parent's tensors, the phases, the data and the weights that it starts from.
    `growlang train --plan FILE` trains exactly that, or says what differs.
    """
    from growlang.api import preparing
    from growlang.torch_backend import require_torch

    checked = checked_spec(spec, settings, quiet=["G460", "G461"])
    require_torch("reading data and weights")
    from growlang_runtime.train.options import RunOptions

    options = RunOptions(
        data_root=data_root,
        out=out,
        parent_run=parent_run,
        accept_parent=accept_parent,
        max_corrupt=max_corrupt,
    )
    found = preparing.pin(checked, recipe, output, options, force=force)
    if json:
        print_json(found.as_json())
        return
    from growlang.cli.console import console

    found.print(console())
    if output is not None:
        typer.echo(f"\npinned in {output}; train it: growlang train --plan {output}")
