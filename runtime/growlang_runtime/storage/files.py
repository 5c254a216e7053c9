"""The files of a run, written whole, and what is said where there is no room for them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from growlang.atomic import temporary_path, whole, write_text
from growlang.diagnostics import Exit, GrowlangError
from growlang.diagnostics.exits import NO_ROOM

RESUME = "free disk space, then continue with --resume; older checkpoints are untouched"
"""The help for a full disk during training."""


@contextmanager
def saved(final: Path, help: str = RESUME) -> Iterator[Path]:
    """As `growlang.atomic.whole`. Raises GrowlangError if the disk is full."""
    with disk_full(final, help), whole(final) as temporary:
        yield temporary


def save_text(path: Path, text: str, help: str = RESUME) -> None:
    """Write a text file whole. Raises GrowlangError if the disk is full."""
    with disk_full(path, help):
        write_text(path, text)


@contextmanager
def disk_full(path: Path, help: str = RESUME) -> Iterator[None]:
    """Turn a full disk in the body into a GrowlangError about `path`."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        free = shutil.disk_usage(_existing(path)).free
        raise GrowlangError(
            f"cannot write {path}: the disk is full, or a quota or file size limit is reached "
            f"({free / 2**20:,.0f} MiB free on the disk)",
            help=help,
            exit_status=Exit.FULL,
        ) from error


def require_place(path: Path, option: str) -> None:
    """Raise GrowlangError unless `path`, which `option` named, can be created here.

    A nameless file is tried in the nearest folder that exists: permissions alone are not enough.
    """
    try:
        temporary_path(path).exists()  # raises for a name that is too long
        folder = next(p for p in path.absolute().parents if p.exists())
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if error.errno in NO_ROOM:
            return
        raise GrowlangError(
            f"cannot write {path}: {error.strerror}",
            help=f"choose another path with {option}",
        ) from error


def _existing(path: Path) -> Path:
    return next(p for p in (path, *path.resolve().parents) if p.exists())
