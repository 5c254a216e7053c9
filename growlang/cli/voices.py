"""Processes that train together: what keeps them from it is said once, and all end alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import TypeVar

import typer

from growlang.diagnostics import GrowlangError

T = TypeVar("T")
LOST = GrowlangError(
    "another process of the run is gone, and this one was waiting for it",
    help="look what became of it (a machine that failed, memory that ran out), then continue from "
    "the newest checkpoint with --resume",
)


@contextmanager
def one_voice() -> Iterator[None]:
    """Join the processes that torchrun or srun started; one alone is as ever.

    The first that fails says why. The others, which waited for it, end with the same status.
    """
    from growlang_runtime.distributed.launch import launch

    if launch().size == 1:
        yield
        return
    from growlang.diagnostics.exits import exit_of
    from growlang.torch_backend import require_torch

    require_torch()
    from growlang_runtime.distributed.ranks import failed_before, is_lost, joined

    with joined():
        try:
            yield
        except typer.Exit:
            raise
        except Exception as error:
            cause = LOST if is_lost(error) else error
            if (before := failed_before(exit_of(cause))) is not None:
                raise typer.Exit(before) from None
            raise cause from None


def said_once(check: Callable[[], T]) -> T:
    """What is checked by every process; what it prints, the first one prints."""
    from growlang_runtime.distributed.launch import launch
    from growlang_runtime.distributed.ranks import failed_before

    found = launch()
    if found.size == 1:
        return check()
    out, err = StringIO(), StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            made = check()
    except typer.Exit as ended:
        if failed_before(ended.exit_code) is None:
            _print(out, err)
        raise
    if found.rank == 0:
        _print(out, err)
    return made


def _print(out: StringIO, err: StringIO) -> None:
    typer.echo(out.getvalue(), nl=False)
    typer.echo(err.getvalue(), nl=False, err=True)
