"""Index of tar shards in the WebDataset layout: where each sample's members lie, and their sizes.

The index is built once and cached as a file that is mapped into memory, so a sample of millions
is found and read by one `pread` per member. Its name is a digest over the headers and the ends of
all members, so that one of other shards is never taken, whatever their names, sizes and times.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growlang.atomic import whole
from growlang.spec.data import WebDataset
from growlang_runtime.data.indexing import build
from growlang_runtime.data.layout import MEMBERS, SIDECAR, Layout
from growlang_runtime.data.shards import expand, forget, pread
from growlang_runtime.data.source import Samples, Wanted
from growlang_runtime.data.tars import scan

FORMAT_VERSION = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Index(Samples):
    """The samples of a list of shards, in their order. `rows` has the columns of `FIELDS`."""

    shards: tuple[Path, ...]
    rows: NDArray[np.void]
    layout: Layout
    faults: dict[int, str] = field(default_factory=dict)
    """Why samples cannot be used, by row: members that are missing, images without a header."""

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, row: int, member: str) -> bytes | None:
        """Contents of a sample's member, such as `caption`; None where there is none."""
        found = self.rows[row]
        if (at := int(found[f"{member}_at"])) < 0:
            return None
        return pread(self.shards[found["shard"]], at, int(found[f"{member}_bytes"]))

    def pixels(self, rows: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Widths and heights by the images' headers; zeros where there is none."""
        return self.rows["width"][rows], self.rows["height"][rows]

    def has(self, member: str) -> bool:
        """Whether the source says which files hold the member."""
        return bool(self.layout.endings(member))

    def fields(self, row: int, member: str) -> list[str]:
        """The fields of JSON that hold a caption or label; none where the member itself does."""
        endings = self.layout.endings(member)
        return self.layout.fields(member, endings[self.rows[row][f"{member}_ending"]])

    def key(self, row: int) -> str:
        """The name that the sample's members share."""
        return bytes(self.rows[row]["key"]).decode("utf-8", "surrogateescape")

    def shard(self, row: int) -> Path:
        """The shard that holds the sample."""
        return self.shards[int(self.rows[row]["shard"])]

    @cached_property
    def identity(self) -> str:
        """SHA-256 of what the samples are: keys in their order, places, sizes and ends of members.

        It covers the members that are read: their names within the shards, their place and number
        of bytes, and a CRC-32 over the first and the last 4 KiB of each. It does not cover where
        the shards lie and what they are called, owners and times, members that are not read, and
        what lies more than 4 KiB from both ends of a member.
        """
        return self.rows_digest()

    def rows_digest(self) -> str:
        """SHA-256 of the keys, places, sizes and ends that the rows have."""
        digest = hashlib.sha256(f"{len(self.rows)} {len(self.shards)}".encode())
        names = ["key", "shard"]
        names += [f"{m}_{what}" for m in MEMBERS for what in ("at", "bytes", "checksum")]
        for name in names:
            digest.update(np.ascontiguousarray(self.rows[name]).tobytes())
        return digest.hexdigest()


def open_webdataset(
    declared: WebDataset, wanted: Wanted, data_root: Path, cache: Path | None
) -> Index:
    """The samples of a source of tar shards: see `open_index`."""
    sidecar = SIDECAR in wanted.members
    layout = Layout.of(declared, wanted.members, sidecar, wanted.semantics)
    return open_index(layout, declared.urls, data_root, cache)


def open_index(layout: Layout, urls: str, data_root: Path, cache: Path | None = None) -> Index:
    """The index of the shards that a pattern names, from the `cache` folder where it is there.

    Without `cache`, it is `growlang/index` in the user's cache folder. Raises GrowlangError for
    shards that are missing, empty or cut short, and where no sample has what the layout needs.
    """
    shards = tuple(expand(urls, data_root))
    forget()  # a shard may have been replaced since another index was opened
    with ThreadPoolExecutor(8) as pool:
        scans = list(pool.map(scan, shards))
    identity = [FORMAT_VERSION, layout.declared, layout.semantics, [s.digest for s in scans]]
    name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
    rows, faults = cached_rows(name, cache, lambda: build(shards, scans, layout))
    return Index(shards, rows, layout, faults)


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "growlang" / "index"


# --- cache ---------------------------------------------------------------------------------------


def cached_rows(
    name: str, cache: Path | None, make: Callable[[], tuple[NDArray[np.void], dict[int, str]]]
) -> tuple[NDArray[np.void], dict[int, str]]:
    """The rows of an index and their faults, as the cache has them by a name, else made."""
    cached = (cache or _user_cache()) / f"{name}.npy"
    found = _load(cached)
    if found is None:
        found = make()
        _save(cached, *found)
    return found


def _load(cached: Path) -> tuple[NDArray[np.void], dict[int, str]] | None:
    """The rows, mapped into memory, and the faults, which follow as JSON."""
    try:
        rows: np.memmap[Any, np.dtype[np.void]] = np.load(cached, mmap_mode="r", allow_pickle=False)
        with cached.open("rb") as file:
            file.seek(rows.offset + rows.nbytes)
            faults = json.loads(file.read())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, AttributeError) as error:
        log.warning("rebuilding the index %s: %s", cached, error)
        return None
    return rows, {int(row): reason for row, reason in faults.items()}


def _save(cached: Path, rows: NDArray[np.void], faults: dict[int, str]) -> None:
    """Write the index in one step, so that no process ever maps half of it."""
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with whole(cached, shared=True) as temporary, temporary.open("wb") as file:
            np.save(file, rows)
            file.write(json.dumps(faults).encode())
    except OSError as error:
        log.warning("cannot cache the index of the shards: %s", error)
