"""The folder that a transfer writes: begun, gone on with after a kill, or left as it was.

Files appear whole, under their names, and the index last. While it lasts, a hidden journal says
what is written from what, so that the same command goes on where a killed one was. Files are not
flushed one by one, which would take as long as writing them: those of an earlier boot of the
machine are written again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from growlang.atomic import temporary_path, write_text
from growlang.diagnostics import Exit, GrowlangError
from growlang.diagnostics.exits import NO_ROOM
from growlang.transferring.journal import (
    NAME,
    Inputs,
    differing,
    is_of_this_boot,
    journal_name,
)
from growlang.transferring.layout import Layout, Shard

LOCK = ".growlang-transfer.lock"


class Folder:
    """The folder of one transfer, while this process writes it."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self.layout = layout
        self.done: frozenset[str] = frozenset()
        """The files that an earlier, interrupted transfer has written."""
        self._made = [p for p in (path, *path.parents) if not p.exists()]
        self._written: list[Path] = []

    def temporary(self, shard: Shard) -> Path:
        """Where a file is written before it has its name."""
        return temporary_path(self.path / shard.name)

    def finish(self, shard: Shard) -> None:
        """Give a file that is written its name."""
        final = self.path / shard.name
        os.replace(self.temporary(shard), final)
        self._written.append(final)

    def complete(self) -> None:
        """Write the index, and end the transfer."""
        if self.layout.index is not None:
            final = self.path / self.layout.names[-1]
            # The files before it are not flushed; to flush this one would wait for most of them.
            write_text(final, self.layout.index, durable=False)
            self._written.append(final)
        self._unlink_hidden()

    def undo(self) -> None:
        """Remove what this process wrote; what an earlier one had written stays."""
        for shard in self.layout.shards:
            self.temporary(shard).unlink(missing_ok=True)
        for file in self._written:
            file.unlink(missing_ok=True)
        if any((self.path / name).exists() for name in self.layout.names):
            return  # of an earlier process: its journal stays
        self._unlink_hidden()
        for made in self._made:
            if made.exists():
                made.rmdir()

    def _unlink_hidden(self) -> None:
        """The journal last: a folder without one is not gone on with."""
        (self.path / LOCK).unlink(missing_ok=True)
        for file in self.path.iterdir() if self.path.exists() else ():
            if _is_journal(file):
                file.unlink(missing_ok=True)


@contextmanager
def opened(path: Path, layout: Layout, inputs: Inputs) -> Iterator[Folder]:
    """The folder at `path`, new or empty, or with an unfinished transfer of the same inputs.

    If the disk is full, it is left as it was. Raises GrowlangError if there is something else, if
    another process writes there, or if there is no room.
    """
    folder = Folder(path, layout)
    try:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            raise GrowlangError(
                f"cannot write the folder {path}: {error.strerror}",
                help="name a new or empty folder with -o; nothing is written over",
            ) from error
        _begun(path, layout, inputs)  # what is refused is not even locked
        with _locked(path):
            folder.done = _begun(path, layout, inputs)
            try:
                _require_room(path, layout, folder.done)
                for shard in layout.shards:
                    if shard.name not in folder.done:  # they would count as whole, with a new one
                        (path / shard.name).unlink(missing_ok=True)
                _write_journal(path, journal_name(inputs))
                yield folder
            except GrowlangError:
                folder.undo()
                raise
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        folder.undo()
        raise _full(path, "the disk is full, or a quota or file size limit is reached") from error


def _full(path: Path, why: str) -> GrowlangError:
    return GrowlangError(
        f"cannot write {path}: {why}",
        help="free disk space and start it again; nothing was changed",
        exit_status=Exit.FULL,
    )


def _require_room(path: Path, layout: Layout, done: frozenset[str]) -> None:
    left = [shard for shard in layout.shards if shard.name not in done]
    needed = sum(shard.bytes for shard in left)
    files = [path / shard.name for shard in left]  # of an earlier boot, or begun
    there = [p for file in files for p in (file, temporary_path(file)) if p.exists()]
    free = shutil.disk_usage(path).free + sum(p.stat().st_blocks * 512 for p in there)
    if needed > free:
        why = f"it needs {needed / 2**20:,.0f} MiB, and {free / 2**20:,.0f} MiB are free"
        raise _full(path, why)


def _begun(path: Path, layout: Layout, inputs: Inputs) -> frozenset[str]:
    """The files that are written already. Raises GrowlangError if something else is there."""
    there = {p.name for p in path.iterdir()}
    journals = [name for name in there if NAME.fullmatch(name)]
    if not journals:
        own = {LOCK, *(temporary_path(Path(name)).name for name in layout.names)}
        if others := sorted(name for name in there - own if not _is_journal(path / name)):
            names = ", ".join(others[:3]) + (", ..." if others[3:] else "")
            raise GrowlangError(
                f"{path} exists and is not empty: {names}",
                help="name a new folder with -o; nothing is written over",
            )
    for name in journals:
        if differs := differing(name, inputs):
            raise GrowlangError(
                f"{path} has an unfinished transfer of other inputs; they differ in "
                f"{' and '.join(differs)}",
                help="name a new folder with -o, or remove that one",
            )
    if not any(is_of_this_boot(name) for name in journals):
        return frozenset()
    whole = (s for s in layout.shards if _is_whole(path / s.name, s))
    return frozenset(shard.name for shard in whole)


def _write_journal(path: Path, name: str) -> None:
    """Write the journal, and remove the one of an earlier boot."""
    if not (path / name).exists():
        write_text(path / name, "")
    for file in path.iterdir():
        if _is_journal(file) and file.name != name:
            file.unlink()


def _is_journal(file: Path) -> bool:
    """Whether it is a journal, or one that was about to be written."""
    name = file.name.removeprefix(".").removesuffix(".tmp") if file.suffix == ".tmp" else file.name
    return NAME.fullmatch(name) is not None and file.is_file()


def _is_whole(path: Path, shard: Shard) -> bool:
    return path.is_file() and path.stat().st_size == shard.bytes


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder. Raises GrowlangError if another process does."""
    try:
        import fcntl
    except ImportError:  # where files are locked in another way, they are not
        yield
        return
    with (path / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise GrowlangError(
                f"another process writes {path}",
                help="wait for it, or name another folder with -o",
                exit_status=Exit.IN_USE,
            ) from None
        yield
