"""Reads of shards by place, tried again where storage fails for a while."""

from __future__ import annotations

import logging
import os
import time
from functools import lru_cache
from pathlib import Path

from growlang.diagnostics import GrowlangError

log = logging.getLogger(__name__)


class _Handle:
    """An open shard. Closed when the last reader lets go, so eviction never cuts a read short."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


_handle = lru_cache(maxsize=256)(_Handle)

RETRIES = (0.1, 1.0, 5.0)
"""Seconds to wait before a failed read is tried again; network storage recovers."""


def pread(path: Path, at: int, length: int) -> bytes:
    """`length` bytes of a shard from byte `at`. Raises GrowlangError once retries are used up."""
    for delay in RETRIES:
        try:
            return _pread(path, at, length)
        except OSError as error:
            log.warning("%s at byte %d: %s; retrying in %g s", path, at, error, delay)
            _handle.cache_clear()
            time.sleep(delay)
    try:
        return _pread(path, at, length)
    except OSError as error:
        raise GrowlangError(f"cannot read {path} at byte {at}: {error}") from error


def _pread(path: Path, at: int, length: int) -> bytes:
    handle = _handle(path)  # held, so that no other thread's clearing closes it before the read
    data = os.pread(handle.descriptor, length, at)
    if len(data) < length:
        raise GrowlangError(
            f"{path} has changed: got {len(data)} of {length} bytes at byte {at}",
            help="shards must not change while a run reads them",
        )
    return data


def forget() -> None:
    """Open shards again when they are read next: one may have been replaced."""
    _handle.cache_clear()
