"""One process at a time writes the shards of a pattern."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from growlang.diagnostics import GrowlangError


@contextmanager
def locked(record: Path) -> Iterator[None]:
    """Hold the lock of the shards that a record is of, in a hidden file beside it.

    The system gives it back when the process ends, however it ends. Raises GrowlangError if
    another process holds it.
    """
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.with_name(f".{record.name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GrowlangError(
                f"another process is packing the shards of {record}",
                help="wait for it, or choose another --output",
            ) from None
        yield
