"""Shards on the disk: which a pattern names, and reads of them by place."""

from __future__ import annotations

import glob
import logging
import os
import re
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from braceexpand import braceexpand

from growlang.diagnostics import GrowlangError

log = logging.getLogger(__name__)


def expand(urls: str, data_root: Path, what: str = "shards") -> list[Path]:
    """The files that a pattern such as `train/{00000..00012}.tar` names, below the data root.

    `what` they are is for messages. Braces give their order, `*` and `?` that of the names; `~` is
    the home folder.
    """
    if re.match(r"pipe:|[a-z][a-z0-9+.-]*://", urls):
        raise GrowlangError(
            f'{what} "{urls}": streaming is not supported, since samples are read in random order',
            help=f"copy the {what} to a local folder and name them relative to --data-root",
        )
    try:
        expanded = _expanded(urls)
    except (ValueError, AssertionError) as error:  # unbalanced braces, ${unset}
        raise GrowlangError(
            f'{what} "{urls}": invalid pattern: {error}',
            help='write a range such as "{00000..00012}.tar"',
        ) from error
    return [path for url in expanded for path in _matches(url, urls, data_root, what)]


def _expanded(urls: str) -> list[str]:
    """What webdataset makes of a pattern, whose import takes as long as ours."""
    if "$" in urls:
        from webdataset.shardlists import expand_urls

        return list(expand_urls(urls))
    return [url for part in urls.split("::") for url in braceexpand(part)]


def _matches(url: str, urls: str, data_root: Path, what: str) -> list[Path]:
    help = f"paths are relative to {data_root.resolve()}; --data-root changes that"
    path = data_root / os.path.expanduser(url)
    if path.is_file():
        return [path]
    if not glob.has_magic(url):
        message = f"no such file: {path}"
        if path.is_dir():
            message = f"{path} is a folder"
            help = (
                f'name its shards ("{url}/*.tar"); images in it are read by folder("{url}/"), or '
                f"packed into shards by `growlang pack {url}`"
            )
            if what == "texts":
                help = f'name its files ("{url}/*.txt")'
        raise GrowlangError(f'{what} "{urls}": {message}', help=help)
    names = glob.glob(os.path.expanduser(url), root_dir=data_root, recursive=True)
    found = [data_root / name for name in sorted(names) if (data_root / name).is_file()]
    if not found:
        raise GrowlangError(f'{what} "{urls}": no file matches {path}', help=help)
    return found


# --- reads ---------------------------------------------------------------------------------------


class _Handle:
    """An open shard. Closed when the last reader lets go, so eviction never cuts a read short."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


_handle = lru_cache(maxsize=256)(_Handle)
_known: dict[Path, tuple[int, int]] = {}
"""Size and time of shards as they were when they were indexed, or first read."""

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
    now = os.fstat(handle.descriptor)
    if _known.setdefault(path, (now.st_size, now.st_mtime_ns)) != (now.st_size, now.st_mtime_ns):
        raise GrowlangError(
            f"{path} has changed: it was replaced or written to since it was indexed",
            help="restore it and resume; shards must not change while a run reads them",
        )
    data = os.pread(handle.descriptor, length, at)
    if len(data) < length:
        raise GrowlangError(
            f"{path} has changed: got {len(data)} of {length} bytes at byte {at}",
            help="shards must not change while a run reads them",
        )
    return data


def remember(paths: Iterable[Path]) -> None:
    """Note what shards are that are indexed: whatever comes in their place is refused."""
    for path in paths:
        found = path.stat()
        _known[path] = (found.st_size, found.st_mtime_ns)


def forget() -> None:
    """Open shards again when they are read next: one may have been replaced."""
    _handle.cache_clear()
    _known.clear()
