"""Index of tar shards in the WebDataset layout: where each sample's members lie, and their sizes.

The index of each shard is made once and kept as a file that is mapped into memory, so a sample of
millions is found and read by one `pread` per member, and a new shard costs only itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growlang.spec.data import WebDataset
from growlang_runtime.data.cache import user_cache
from growlang_runtime.data.joining import open_rows
from growlang_runtime.data.layout import MEMBERS, SIDECAR, Layout
from growlang_runtime.data.shards import expand, forget, pread
from growlang_runtime.data.source import Samples, Wanted


@dataclass(frozen=True)
class Index(Samples):
    """The samples of a list of shards, in their order. `rows` has the columns of `COLUMNS`."""

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

    def keys(self) -> Iterator[str]:
        """The names of all samples, in their order."""
        for key in self.rows["key"].tolist():
            yield key.decode("utf-8", "surrogateescape")

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
            digest.update(np.ascontiguousarray(self.rows[name]).data)
        return digest.hexdigest()


def open_webdataset(
    declared: WebDataset, wanted: Wanted, data_root: Path, cache: Path | None
) -> Index:
    """The samples of a source of tar shards: see `open_index`."""
    sidecar = SIDECAR in wanted.members
    layout = Layout.of(declared, wanted.members, sidecar, wanted.semantics)
    return open_index(layout, declared.urls, data_root, cache)


def open_index(layout: Layout, urls: str, data_root: Path, cache: Path | None = None) -> Index:
    """The index of the shards that a pattern names, from the `cache` folder as far as it is there.

    Without `cache`, it is `growlang/index` in the user's cache folder. Raises GrowlangError for
    shards that are missing, empty or cut short, and where no sample has what the layout needs.
    """
    shards = tuple(expand(urls, data_root))
    forget()  # a shard may have been replaced since another index was opened
    rows, faults = open_rows(shards, layout, cache or user_cache())
    return Index(shards, rows, layout, faults)
