"""The command line. Heavy imports are inside the commands: each loads only what it needs."""

import atexit
import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated

# Start-up allocates much and frees nothing: collecting garbage would cost a tenth of `check`.
gc.disable()
# The interpreter collects once more when it exits, except for what is frozen: a sixth of `check`.
atexit.register(gc.freeze)
# Looking for plugins costs pydantic 20 ms at its first model; growlang has none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import typer  # noqa: E402

from growlang.cli.commands.average import average  # noqa: E402
from growlang.cli.commands.check import check  # noqa: E402
from growlang.cli.commands.compare import compare  # noqa: E402
from growlang.cli.commands.compile import compile_  # noqa: E402
from growlang.cli.commands.convert import convert  # noqa: E402
from growlang.cli.commands.diff import diff  # noqa: E402
from growlang.cli.commands.evaluate import evaluate  # noqa: E402
from growlang.cli.commands.explain import explain  # noqa: E402
from growlang.cli.commands.export import export  # noqa: E402
from growlang.cli.commands.fmt import fmt  # noqa: E402
from growlang.cli.commands.grow import grow  # noqa: E402
from growlang.cli.commands.import_ import import_  # noqa: E402
from growlang.cli.commands.init import init  # noqa: E402
from growlang.cli.commands.lsp import lsp  # noqa: E402
from growlang.cli.commands.pack import pack  # noqa: E402
from growlang.cli.commands.plan import plan  # noqa: E402
from growlang.cli.commands.report import report  # noqa: E402
from growlang.cli.commands.runs import runs  # noqa: E402
from growlang.cli.commands.sample import sample  # noqa: E402
from growlang.cli.commands.schema import schema  # noqa: E402
from growlang.cli.commands.show import show  # noqa: E402
from growlang.cli.commands.train import train  # noqa: E402
from growlang.cli.commands.verify import verify  # noqa: E402
from growlang.diagnostics import Exit, GrowlangError, exit_of  # noqa: E402

app = typer.Typer(
    name="growlang",
    help="A language, compiler and training runtime for neural networks that grow.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """A language, compiler and training runtime for neural networks that grow."""
    if show:
        from growlang.version import __version__

        typer.echo(f"growlang {__version__}")
        raise typer.Exit


COMMANDS: dict[str, Callable[..., None]] = {
    "init": init,
    "check": check,
    "explain": explain,
    "fmt": fmt,
    "convert": convert,
    "show": show,
    "schema": schema,
    "lsp": lsp,
    "compile": compile_,
    "diff": diff,
    "grow": grow,
    "verify": verify,
    "pack": pack,
    "plan": plan,
    "train": train,
    "sample": sample,
    "evaluate": evaluate,
    "average": average,
    "import": import_,
    "export": export,
    "runs": runs,
    "compare": compare,
    "report": report,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """Run the command line; it exits as `growlang.diagnostics.exits` says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # specs are UTF-8, whatever the locale is
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        app()
    except GrowlangError as error:
        typer.echo(error.as_text(), err=True)
        sys.exit(error.exit_status)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"error: {place}{error.strerror or error}", err=True)
        with suppress(OSError):  # what could not be written is not tried again at the exit
            sys.stdout.close()
        sys.exit(exit_of(error))
    except Exception as error:
        from growlang.cli.extras import missing
        from growlang.cli.printing import print_failure

        if (needed := missing(error)) is not None:
            typer.echo(needed.as_text(), err=True)
            sys.exit(needed.exit_status)
        print_failure(error)
        sys.exit(Exit.UNABLE)
