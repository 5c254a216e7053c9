"""Files in which indexes are kept: rows that are mapped into memory, and what is said of them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growlang.atomic import whole
from growlang_runtime.data.layout import Layout

FORMAT_VERSION = 3
SETTLED = 0.1
"""Seconds after a change within which another one may leave the times of a file as they are."""
COARSE = 2.0
"""The same where a file system counts whole seconds."""

log = logging.getLogger(__name__)

Rows = NDArray[np.void]
Said = dict[str, Any]
"""What is kept behind rows, as JSON."""


def user_cache() -> Path:
    """The folder of the user's indexes."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "growlang" / "index"


def file_name(identity: Any) -> str:
    """The name of the index of what some JSON identifies."""
    return hashlib.sha256(json.dumps([FORMAT_VERSION, identity]).encode()).hexdigest()[:32] + ".npy"


def shard_name(shard: Path, layout: Layout) -> str | None:
    """The name of the index of a shard as it is; None for one that has just been changed.

    Raises OSError for a shard that is not there.
    """
    found = settled(shard)
    return None if found is None else file_name([*found, layout.declared, layout.semantics])


def settled(shard: Path) -> list[Any] | None:
    """What tells a file as it is from what it may become; None for one that has just been changed.

    It is path, size, file number, and the times of the last changes of contents and of anything
    else, which programs cannot set. Raises OSError for a file that is not there.
    """
    found = shard.stat()
    changed = max(found.st_mtime_ns, found.st_ctime_ns)
    age = time.time() - changed / 1e9
    if age < (COARSE if found.st_ctime_ns % 10**9 == 0 else SETTLED):
        return None
    times = [found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns]
    return [os.path.abspath(shard), times]


def load(cached: Path) -> tuple[Rows, Said] | None:
    """The rows, mapped into memory, and what is said of them; None where there are none."""
    try:
        rows: np.memmap[Any, np.dtype[np.void]] = np.load(cached, mmap_mode="r", allow_pickle=False)
        with cached.open("rb") as file:
            file.seek(rows.offset + rows.nbytes)
            return np.asarray(rows), json.loads(file.read())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, AttributeError) as error:
        log.warning("rebuilding the index %s: %s", cached, error)
        return None


def save(cached: Path, rows: Iterable[Rows], count: int, said: Said) -> None:
    """Write the pieces of an index, of `count` rows in all.

    It is there in one step, so that no process ever maps half of it. Raises OSError.
    """
    cached.parent.mkdir(parents=True, exist_ok=True)
    with whole(cached, shared=True) as temporary, temporary.open("wb") as file:
        for number, piece in enumerate(rows):
            if number == 0:
                head = {"descr": piece.dtype.descr, "fortran_order": False, "shape": (count,)}
                np.lib.format.write_array_header_1_0(file, head)
            file.write(np.ascontiguousarray(piece).data)
        file.write(json.dumps(said).encode())


@contextmanager
def claimed(cached: Path) -> Iterator[bool]:
    """Whether this process is to write an index: no other one is at it, on this machine or others.

    The system gives the lock back when a process ends, however it ends. Where there are no locks,
    or nothing can be written, every process is told to.
    """
    lock = cached.with_suffix(".lock")
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except OSError:
        yield True
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:
            yield True
            return
        try:
            yield True
        finally:
            lock.unlink(missing_ok=True)
