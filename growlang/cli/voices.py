"""Processes that train together: what keeps them from it is said once, and all end alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import TypeVar

import typer

from growlang.diagnostics import Exit, GrowlangError, exit_of

T = TypeVar("T")
GONE = GrowlangError(
    "another process ended: it was killed, or its node was lost",
    help="look what became of it (a machine that failed, memory that ran out), then start again "
    "with --resume-or-start",
    exit_status=Exit.LOST,
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
    from growlang.torch_backend import require_torch

    require_torch()
    from growlang_runtime.distributed.ranks import (
        LOST,
        claims,
        failed_before,
        is_lost,
        joined,
        leave,
    )

    with joined():
        try:
            yield
        except typer.Exit:
            raise
        except Exception as error:
            if exit_of(error) is Exit.LOST:  # a run that has said so
                leave()
                raise typer.Exit(Exit.LOST) from None
            if is_lost(error):
                before = claims(LOST, Exit.LOST)
                leave()
                raise GONE if before is None else typer.Exit(Exit.LOST) from None
            if (before := failed_before(exit_of(error))) is not None:
                raise typer.Exit(before) from None
            raise


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
