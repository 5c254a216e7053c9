"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from growlang.diagnostics import GrowlangError


@contextmanager
def whole(final: Path, *, shared: bool = False, durable: bool = True) -> Iterator[Path]:
    """Give a path to write a file or folder at, which is then flushed and renamed to `final`.

    Raises FileNotFoundError, which names the folder, where there is none for it. Where the body
    fails, `final` is untouched and nothing else is left. The path is
    `.NAME.tmp` beside `final`, so that what a killed process left there is replaced; it is a
    new one each time if `shared`, for a `final` that several processes may write at once. Without
    `durable` nothing is flushed: readers see it whole, but a loss of power may take it.
    """
    if not final.parent.exists():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(final.parent))
    temporary = temporary_path(final, secrets.token_hex(4) if shared else "")
    _remove(temporary)
    try:
        yield temporary
        if durable:
            _flush(temporary)
        os.replace(temporary, final)
        if durable:
            _flush_one(final.parent)
    finally:
        _remove(temporary)


def temporary_path(final: Path, mark: str = "") -> Path:
    """Where `final` is written before it has its name."""
    return final.with_name(f".{final.name}.{mark}.tmp" if mark else f".{final.name}.tmp")


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a text file whole, with the line ends that the text has."""
    with whole(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def replace(path: Path, text: str) -> None:
    """Replace a file by a text; its permissions stay.

    Raises GrowlangError if that fails, or if the file is read-only, though its folder is not.
    """
    target = path.resolve()
    try:
        if not os.access(target, os.W_OK):
            raise OSError("it is read-only")
        with whole(target, shared=True) as temporary:
            temporary.touch(0o600, exist_ok=False)
            temporary.write_bytes(text.encode())
            shutil.copymode(target, temporary)
    except OSError as error:
        raise GrowlangError(f"cannot write {path}: {error.strerror or error}") from None


def _flush(path: Path) -> None:
    """Flush a file to the disk, or a folder with all that is in it."""
    if path.is_dir():
        for part in path.iterdir():
            _flush(part)
    _flush_one(path)


def _flush_one(path: Path) -> None:
    if os.name != "posix":  # where folders cannot be opened, nor files that are read be flushed
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
