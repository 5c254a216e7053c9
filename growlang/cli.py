"""The command line. Heavy imports stand inside the commands, so that each loads what it needs."""

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

# Start-up allocates much and frees nothing: collecting garbage would cost a tenth of `check`.
gc.disable()
# The interpreter collects once more when it exits, except for what is frozen: a sixth of `check`.
atexit.register(gc.freeze)
# Looking for plugins costs pydantic 20 ms at its first model; growlang has none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import typer  # noqa: E402

from growlang.diagnostics import Diagnostic, GrowlangError  # noqa: E402

if TYPE_CHECKING:
    from growlang.check import Checked

app = typer.Typer(
    name="growlang",
    help="A language, compiler and training runtime for neural networks that grow.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class OutputFormat(StrEnum):
    """How findings are printed."""

    text = "text"
    concise = "concise"
    json = "json"
    github = "github"
    sarif = "sarif"


class Emit(StrEnum):
    """What `compile` prints instead of the tables."""

    fx = "fx"


class Syntax(StrEnum):
    """The two syntaxes of the language."""

    grow = "grow"
    yaml = "yaml"


Spec = Annotated[Path, typer.Argument(help="A spec file.", show_default=False)]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", "-r", help="The recipe; by default the first.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Give a param a value.")
]
DeviceOption = Annotated[str, typer.Option(help="PyTorch device: cpu, cuda, cuda:1, ...")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """A language, compiler and training runtime for neural networks that grow."""
    if show:
        from growlang import __version__

        typer.echo(f"growlang {__version__}")
        raise typer.Exit


@app.command()
def check(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Specs, or folders walked for *.grow and *.grow.yaml.", show_default=False
        ),
    ],
    output_format: Annotated[
        OutputFormat, typer.Option(help="How findings are printed.")
    ] = OutputFormat.text,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Refuse changes since this git commit that would orphan trained weights.",
            show_default=False,
        ),
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="First make the edits that are sure to be meant.")
    ] = False,
) -> None:
    """Check specs: names, types, shapes, growth and schedules. Exits 1 if there are errors."""
    from growlang.check import check as check_file
    from growlang.check import errors

    files = _spec_files(paths, (".grow", ".grow.yaml"))
    if fix:
        from growlang.fix import fix as make_edits

        for edit in make_edits(files):
            typer.echo(f"fixed {edit.span}: `{edit.text}`", err=True)
    reports = [check_file(path) for path in files]
    found = list(dict.fromkeys(d for report in reports for d in report.diagnostics))
    texts = {name: text for report in reports for name, text in report.texts.items()}
    if against is not None:
        found += _orphaned([r.checked for r in reports if r.checked], against, texts)
    wrong = errors(found)
    _print_findings(found, texts, output_format)
    if output_format in (OutputFormat.text, OutputFormat.concise):
        specs = f"{len(files)} spec" + "s" * (len(files) != 1)
        warned = len(found) - len(wrong)
        count = f"{len(wrong)} error" + "s" * (len(wrong) != 1) if wrong else "no errors"
        count += f", {warned} warning" + "s" * (warned != 1) if warned else ""
        typer.echo(f"{specs} checked, {count}", err=True)
    raise typer.Exit(1 if wrong else 0)


@app.command("compile")
def compile_(
    spec: Spec,
    recipe: RecipeOption = None,
    settings: SetOption = None,
    emit: Annotated[
        Emit | None, typer.Option(help="Print the code of the generated graph.")
    ] = None,
    json: JsonOption = False,
    build: Annotated[
        bool, typer.Option(help="Build the PyTorch graph (without memory) and hold it to the net.")
    ] = True,
) -> None:
    """Compile a spec: print what the model is, what it costs, and what each phase trains."""
    checked = _checked(spec, settings)
    lowered = _lower(checked) if build or emit else None
    if emit and lowered is not None:
        typer.echo(lowered.code.strip())
    elif json:
        from growlang.compiled import as_json

        _print_json(as_json(checked, recipe))
    else:
        from growlang.tables import console, print_costs

        out = console()
        print_costs(checked, _recipe_name(checked, recipe), out)
        if lowered is not None:
            count = sum(1 for _ in lowered.parameters())
            out.print(f"\nPyTorch graph built: {count:,} parameter tensors, as in the net")


@app.command()
def diff(
    a: Annotated[Path, typer.Argument(help="The spec to start from.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="The spec to arrive at.", show_default=False)],
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="A line a tensor.")] = False,
    json: JsonOption = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 when the nets differ.")
    ] = False,
) -> None:
    """Print what becomes of every parameter of one spec in another."""
    from growlang.diff import as_json
    from growlang.diff import diff as difference_of

    difference = difference_of(_checked(a), _checked(b))
    if json:
        _print_json(as_json(difference))
    else:
        from growlang.tables import console, print_difference

        print_difference(difference, verbose, console())
    raise typer.Exit(1 if exit_code and not difference.equal else 0)


@app.command()
def train(
    spec: Spec,
    recipe: RecipeOption = None,
    out: Annotated[Path, typer.Option(help="Root of the run folders.")] = Path("runs"),
    data_root: Annotated[
        Path | None,
        typer.Option(
            help="Folder of data and prompt files; by default the spec's.", show_default=False
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run there.")] = False,
    with_parents: Annotated[
        bool, typer.Option("--with-parents", help="Train the ancestors that are not yet trained.")
    ] = False,
    settings: SetOption = None,
    device: DeviceOption = "cpu",
    micro_batch: Annotated[
        int | None, typer.Option(min=1, help="Pictures at once; gradients are accumulated.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Threads that read pictures.")] = 2,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="In steps.")] = 1000,
    keep_checkpoints: Annotated[int, typer.Option(min=1, help="How many are kept.")] = 2,
    sample_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between grids; always one at a phase's end.")
    ] = None,
    log_every: Annotated[int, typer.Option(min=1, help="In steps.")] = 10,
    corrupt: Annotated[
        int, typer.Option(min=0, help="Pictures that may fail to decode before the run stops.")
    ] = 0,
) -> None:
    """Train a recipe: from the parent's weights to the last phase."""
    checked = _checked(spec, settings)
    _require_torch()
    gc.enable()
    from growlang.planning import plan
    from growlang_runtime.trainer import train as train_plan

    given = dict(_pair(s) for s in settings or [])
    todo = [(checked, recipe, given)]
    if with_parents:
        todo = [*_untrained_parents(checked, recipe, out), *todo]
    for one, name, params in todo:
        final = one is checked
        path = one.resolved.path
        result = train_plan(
            plan(one, name, params),
            out=out,
            data_root=data_root or path.parent,
            resume=resume or not final,
            device=device,
            micro_batch=micro_batch,
            workers=workers,
            checkpoint_every=checkpoint_every,
            keep_checkpoints=keep_checkpoints,
            sample_every=sample_every,
            log_every=log_every,
            corrupt=corrupt,
        )
        if result.exit_status:
            raise typer.Exit(result.exit_status)


@app.command()
def sample(
    run: Annotated[
        Path, typer.Argument(help="A run folder or a model.safetensors.", show_default=False)
    ],
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", "-p", help="A caption; may be repeated.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="A file of captions, one a line.", show_default=False)
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(min=0, help="Scale of guidance; by default the spec's.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of the sampler; by default the spec's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="The grid.")] = Path("grid.png"),
    ema: Annotated[bool, typer.Option(help="Use the averaged weights.")] = True,
    device: DeviceOption = "cpu",
) -> None:
    """Draw pictures from a trained model, as one PNG with the captions below."""
    _require_torch()
    gc.enable()
    from growlang_runtime.sample import sample as draw_grid

    written = [*(prompt or []), *(_lines(prompts) if prompts else [])]
    if not written:
        raise GrowlangError(
            "there is nothing to draw", help='give --prompt "..." or --prompts FILE'
        )
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


@app.command()
def lsp() -> None:
    """Serve editors over stdin and stdout: findings as you type, help, completion, fixes."""
    from importlib.util import find_spec

    if find_spec("pygls") is None:
        raise GrowlangError(
            "the language server needs pygls, which is not installed",
            help='pip install "growlang[lsp]"',
        )
    gc.enable()
    from growlang.lsp.server import server

    server.start_io()


@app.command()
def explain(
    code: Annotated[
        str | None,
        typer.Argument(help="A code, such as G203; without it, a list.", show_default=False),
    ] = None,
) -> None:
    """Explain a code of a finding: its cause, an example, and the example mended."""
    from growlang.explanations import explanation, listing

    typer.echo(explanation(code).strip() if code else listing())


@app.command("fmt")
def fmt_(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Specs, folders, or - for standard input; by default this folder."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if a file would change.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; print what would change.")
    ] = False,
) -> None:
    """Lay out specs in the one canonical way, comments kept. It has no options of style."""
    from growlang import formatting

    if paths == [Path("-")]:
        results = [formatting.formatted(Path("<stdin>"), sys.stdin.buffer.read())]
    else:
        results = [formatting.formatted(p) for p in _spec_files(paths or [Path()])]
    for result in results:
        _print_findings(result.diagnostics, result.texts, OutputFormat.text, err=True)
        if diff:
            typer.echo(formatting.diff(result), nl=False)
        elif check and result.changed:
            typer.echo(f"would change {result.path}")
        elif not check and result.path.name == "<stdin>":
            typer.echo(result.text or "", nl=False)
        elif not check and result.changed:
            formatting.write(result)
            typer.echo(f"changed {result.path}", err=True)
    failed = any(r.diagnostics or (r.changed and (check or diff)) for r in results)
    raise typer.Exit(1 if failed else 0)


@app.command()
def convert(
    spec: Spec,
    to: Annotated[Syntax, typer.Option(help="The syntax to write.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; by default standard output.")
    ] = None,
) -> None:
    """Write a spec in the other syntax: the same tree and the same hash, without its comments."""
    from growlang.resolve.files import Files

    files = Files()
    document = files.load(spec)
    if document is None or len(files.findings):
        found = sorted(files.findings.items, key=lambda item: item.span)
        _print_findings(found, files.texts, OutputFormat.text, err=True)
        raise typer.Exit(1)
    if to is Syntax.yaml:
        from growlang.twin.write import write

        text = write(document)
    else:
        from growlang.syntax.unparse import unparse

        text = unparse(document)
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@app.command()
def show(
    spec: Spec,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="The flat spec: literals only, nothing inherited.")
    ] = False,
    origin: Annotated[
        bool, typer.Option("--origin", help="With each value, the file and line it comes from.")
    ] = False,
    settings: SetOption = None,
) -> None:
    """Print a spec in the canonical layout: as it is written, or resolved."""
    if resolved or origin:
        from growlang.show import show as flat

        typer.echo(flat(_checked(spec, settings).resolved, origin), nl=False)
        return
    from growlang.formatting import formatted

    result = formatted(spec)
    _print_findings(result.diagnostics, result.texts, OutputFormat.text, err=True)
    typer.echo(result.text or "", nl=False)
    raise typer.Exit(1 if result.diagnostics else 0)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the YAML syntax, with which editors complete and check it."""
    from growlang.schema import schema as json_schema

    _print_json(json_schema())


# --- what the commands share ---------------------------------------------------------------------


def _spec_files(paths: Sequence[Path], endings: Sequence[str] = (".grow",)) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for e in endings for p in path.rglob(f"*{e}"))
            if not inside:
                raise GrowlangError(f"{path}: there is no *.grow file in this folder")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise GrowlangError(f"{path}: there is no such file or folder")
    return list(dict.fromkeys(files))


def _orphaned(specs: Sequence["Checked"], ref: str, texts: dict[str, str]) -> list[Diagnostic]:
    """What the specs' changes since a commit would orphan; adds the old texts to `texts`."""
    from growlang.against import compare

    found: list[Diagnostic] = []
    for spec in specs:
        comparison = compare(spec, ref)
        found += comparison.diagnostics
        texts |= comparison.texts
        if comparison.skipped:
            typer.echo(f"not compared: {comparison.skipped}", err=True)
    return found


def _checked(spec: Path, settings: Sequence[str] | None = None) -> "Checked":
    """The checked spec; prints the findings and exits 1 where there are any."""
    from growlang.check import check as check_file

    report = check_file(spec, dict(_pair(s) for s in settings or []))
    if report.diagnostics:
        from growlang.check import errors

        _print_findings(report.diagnostics, report.texts, OutputFormat.text, err=True)
        if errors(report.diagnostics):
            raise typer.Exit(1)
    if report.checked is None:
        raise GrowlangError(f"{spec} has no model", help="only a spec with a model can be compiled")
    return report.checked


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise GrowlangError(f"`--set {text}` has no `=`", help="write `--set name=value`")
    return name.strip(), value.strip()


def _recipe_name(checked: "Checked", recipe: str | None) -> str:
    from growlang.planning import recipe_of

    if recipe is None and not checked.resolved.recipes:
        return ""
    return recipe_of(checked, recipe).name


def _untrained_parents(
    checked: "Checked", recipe: str | None, out: Path
) -> list[tuple["Checked", str, dict[str, str]]]:
    """The ancestors, oldest first, whose runs have no finished model under `out`."""
    from growlang.planning import recipe_of
    from growlang_runtime.run import run_folder

    todo: list[tuple[Checked, str, dict[str, str]]] = []
    child, name = checked, recipe
    while child.parent is not None:
        start = recipe_of(child, name).start
        if start.origin != "parent":
            break
        parent = child.parent
        name = start.recipe or recipe_of(parent, None).name
        if (run_folder(out, parent.net.name, name) / "model.safetensors").exists():
            break
        todo.insert(0, (parent, name, {}))
        child = parent
    return todo


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GrowlangError(f"cannot read {path}: {error}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _require_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise GrowlangError(
            "this command needs PyTorch, which is not installed",
            help='pip install "growlang[train]"',
        )


def _lower(checked: "Checked") -> Any:
    _require_torch()
    from growlang.torch_backend.lower import lower

    module = lower(checked.net)
    built = {name: tuple(p.shape) for name, p in module.named_parameters()}
    declared = {name: t.shape for name, t in checked.net.table.items()}
    if built != declared:
        names = sorted(set(built.items()) ^ set(declared.items()))
        raise RuntimeError(f"the graph's parameters are not the net's: {names[:4]}")
    return module


def _print_json(data: Any) -> None:
    from json import dumps

    typer.echo(dumps(data, indent=2, ensure_ascii=False))


def _print_findings(
    found: Sequence[Diagnostic], texts: dict[str, str] | Any, form: OutputFormat, err: bool = False
) -> None:
    from growlang.report import as_json, as_text

    if form is OutputFormat.json:
        _print_json(as_json(found))
        return
    if form is not OutputFormat.text:
        from growlang.formats import concise, github, sarif

        if form is OutputFormat.sarif:
            _print_json(sarif(found))
        for item in found if form is not OutputFormat.sarif else ():
            typer.echo(github(item) if form is OutputFormat.github else concise(item))
        return
    stream = sys.stderr if err else sys.stdout
    style = _coloured if stream.isatty() and not os.environ.get("NO_COLOR") else _plain
    for item in found:
        typer.echo(as_text(item, texts, style) + "\n", file=stream)


COLOURS = {"error": "red", "warning": "yellow", "place": "blue", "note": "blue", "help": "green"}


def _coloured(text: str, role: str) -> str:
    return typer.style(text, fg=COLOURS[role], bold=role in ("error", "warning"))


def _plain(text: str, role: str) -> str:
    return text


def main() -> None:
    """Run the command line: 0 nothing to report, 1 findings, 2 could not do the job."""
    try:
        app()
    except GrowlangError as error:
        typer.echo(f"error: {error.message}", err=True)
        if error.help:
            typer.echo(f"  help: {error.help}", err=True)
        sys.exit(2)
