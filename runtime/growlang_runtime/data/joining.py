"""The index of many shards: one file, mapped into memory, that is joined from those of each."""

from __future__ import annotations

import logging
import time
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

import numpy as np

from growlang.diagnostics import GrowlangError
from growlang_runtime.data.cache import Said, claimed, file_name, load, save
from growlang_runtime.data.indexing import FIELDS, Rows, Shard
from growlang_runtime.data.layout import Layout
from growlang_runtime.data.samples import halves, is_image, listed
from growlang_runtime.data.sharing import PATIENCE, POLL, Indexed, Kept, indexed

log = logging.getLogger(__name__)


COLUMNS = [("shard", "<i4"), *FIELDS]
"""Columns of the index of many shards besides `key`; `shard` is the number of its shard."""


def open_rows(shards: Sequence[Path], layout: Layout, cache: Path) -> tuple[Rows, dict[int, str]]:
    """The samples of shards, and why some of them cannot be used, by the row.

    Raises GrowlangError for a shard that cannot be read, and where all samples lack a member.
    """
    kept = Kept(layout, cache)
    cached = _file(shards, kept)
    known = load(cached) if cached else None
    if known is None:
        found = indexed(shards, kept)
        _require_members(shards, found, layout)
        same = cached if cached == _file(shards, kept) else None
        known = _in_turn(same, Joined(shards, found, layout), kept)
    if kept.refused:
        log.warning("cannot cache the index of the shards: %s", kept.refused)
    rows, said = known
    return rows, {int(row): why for row, why in said["faults"].items()}


def _file(shards: Sequence[Path], kept: Kept) -> Path | None:
    """Where the index of all is kept; None where a shard has just been changed."""
    names = [kept.name(path) for path in shards]
    return kept.cache / file_name(names) if all(names) else None


def _in_turn(cached: Path | None, joined: Joined, kept: Kept) -> tuple[Rows, Said]:
    """The joined index, which one of the processes that want it writes."""
    if cached is None:
        return joined.in_memory()
    until = time.monotonic() + PATIENCE
    while True:
        with claimed(cached) as mine:
            if known := load(cached):
                return known
            if mine or time.monotonic() >= until:
                try:
                    save(cached, joined.pieces(), joined.count, joined.said)
                except OSError as error:
                    kept.refused = str(error)
                return load(cached) or joined.in_memory()
        time.sleep(POLL)


class Joined:
    """The rows of shards behind each other, and why some of them cannot be used.

    Of a sample that is split over two shards, the half in the second one is left out.
    """

    def __init__(self, shards: Sequence[Path], found: Sequence[Indexed], layout: Layout) -> None:
        self._found = found
        self._gone: list[list[int]] = []
        """Rows that are left out, of each shard."""
        self.count = 0
        faults: dict[int, str] = {}
        gone: set[int] = set()
        for number, (shard, _) in enumerate(found):
            rest = {}
            if shard.parts and number + 1 < len(found):
                paths = shards[number], shards[number + 1]
                rest = _halves(shard, found[number + 1].shard, gone, paths, layout)
            said = shard.faults | {row: why for row, (_, why) in rest.items()}
            for row, why in said.items():
                if row not in gone:
                    faults[self.count + row - sum(other < row for other in gone)] = why
            self._gone.append(sorted(gone))
            self.count += shard.count - len(gone)
            gone = {other for other, _ in rest.values()}
        self.said: Said = {"faults": faults}

    def pieces(self) -> Iterator[Rows]:
        """The rows of one shard after the other, with the columns `COLUMNS` and `key`."""
        longest = max(shard.key_bytes for shard, _ in self._found)
        dtype = np.dtype([*COLUMNS, ("key", f"S{longest}")])
        for number, (index, gone) in enumerate(zip(self._found, self._gone, strict=True)):
            rows = np.delete(index.rows(), gone)
            piece = np.empty(len(rows), dtype)
            piece["shard"] = number
            for name in rows.dtype.names or ():
                piece[name] = rows[name]
            yield piece

    def in_memory(self) -> tuple[Rows, Said]:
        """The rows, where they cannot be kept."""
        return np.concatenate([*self.pieces()]), self.said


def _halves(
    shard: Shard, after: Shard, gone: Container[int], paths: tuple[Path, Path], layout: Layout
) -> dict[int, tuple[int, str]]:
    """Of samples whose rest is in the next shard: the row of it there, and what is to be said."""
    others = {key: row for row, (key, _) in after.parts.items()}
    found: dict[int, tuple[int, str]] = {}
    for row, (key, _) in shard.parts.items():
        other = None if row in gone else others.pop(key, None)
        if other is not None and (
            why := halves(shard.sample(row), after.sample(other), *paths, layout)
        ):
            found[row] = other, why
    return found


def _require_members(shards: Sequence[Path], found: Sequence[Indexed], layout: Layout) -> None:
    """Raise GrowlangError for a member that no sample has: its ending is another one."""
    there = list(dict.fromkeys(ending for shard, _ in found for ending in shard.endings))
    for what in layout.needed:
        endings = layout.endings(what)
        if any(ending in there for ending in endings):
            continue
        a = "an" if what == "image" else "a"
        more = f" (and {len(shards) - 1} more)" if shards[1:] else ""
        raise GrowlangError(
            f"no sample in {shards[0]}{more} has {a} {what} {listed(endings)}; "
            f"found {listed(there[:8])}",
            help=_other_ending(what, there),
        )


def _other_ending(what: str, there: Sequence[str]) -> str:
    if what == "image":
        images = [ending for ending in there if is_image(ending)] or ["EXTENSION"]
        value = f'"{images[0]}"' if len(images) == 1 else str(images).replace("'", '"')
        return f"set the file extension of the images: webdataset(..., image = {value})"
    return (
        f'set the file extension of the {what}s: webdataset(..., {what} = "EXTENSION"), or '
        '"json:FIELD" for a field of a JSON file; they are only needed if a condition reads them'
    )
