"""The samples of a folder as they go into shards: their names and labels."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

from growlang_runtime.data.corrupt import Corrupt
from growlang_runtime.data.decoding import decode, why
from growlang_runtime.data.folders import FolderIndex
from growlang_runtime.data.texts import Unusable, caption, written_label
from growlang_runtime.packing.shards import Member

SPELT = {"jpeg": "jpg", "tiff": "tif"}
"""Endings that have another spelling, which the shards use."""
AHEAD = 64
"""Images that are read and decoded before the first of them is written."""


class Sample(NamedTuple):
    """A sample as it goes into a shard."""

    row: int
    name: str
    """Its key there: without dots, at which tools split it."""
    ending: str
    label: str | None


def samples_of(index: FolderIndex) -> tuple[list[Sample], list[Corrupt]]:
    """The samples that can be used, as far as their names, labels and headers show."""
    found: dict[str, Sample] = {}
    corrupt: list[Corrupt] = []
    for row in range(len(index)):
        key = index.key(row)
        folder, name = posixpath.split(key)
        name = posixpath.join(folder, name.replace(".", "_"))
        try:
            if row in index.faults:
                raise Unusable(index.faults[row])
            if name in found:
                raise Unusable(f"it is `{name}` in a shard, as `{index.key(found[name].row)}` is")
            ending = index.file(row, "image").suffix.lower().lstrip(".")
            found[name] = Sample(row, name, SPELT.get(ending, ending), _label(index, row))
        except Unusable as error:
            corrupt.append(Corrupt(index.shard(row), key, str(error)))
    return [*found.values()], corrupt


def _label(index: FolderIndex, row: int) -> str | None:
    value = written_label(index, row)
    return None if value is None else str(value)


def members(
    index: FolderIndex, samples: Sequence[Sample], pool: Executor
) -> Iterator[list[Member] | Corrupt]:
    """The files of each sample in a tar, or why it cannot be used: every image is decoded."""
    for start in range(0, len(samples), AHEAD):
        some = samples[start : start + AHEAD]
        yield from pool.map(lambda sample: _members(index, sample), some)


def _members(index: FolderIndex, sample: Sample) -> list[Member] | Corrupt:
    data = index.read(sample.row, "image") or b""
    try:
        text = caption(index, sample.row)
        _require_decodable(data)
    except Unusable as error:
        return Corrupt(index.shard(sample.row), index.key(sample.row), str(error))
    found = [Member(f"{sample.name}.{sample.ending}", data)]
    if text is not None:
        found.append(Member(f"{sample.name}.txt", text.encode()))
    if sample.label is not None:
        found.append(Member(f"{sample.name}.cls", sample.label.encode()))
    return found


def _require_decodable(data: bytes) -> None:
    try:
        decode(data, 3)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise many types on broken files
        raise Unusable(why(error, data)) from error
