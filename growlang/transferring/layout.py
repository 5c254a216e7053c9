"""The files of a child's checkpoint, decided before one byte is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from growlang.plans.tensor_file import header_bytes
from growlang.plans.weights_header import MODEL, MODEL_INDEX
from growlang.transferring.parent import SUMS
from growlang.transferring.tensors import Made

UNKNOWN = "........"
"""What stands in a file for a sum before it is known, as long as one."""


class Placed(NamedTuple):
    """A tensor, and where its bytes begin in its file."""

    made: Made
    begin: int


@dataclass(frozen=True)
class Shard:
    """One file: its name, the bytes before its first tensor, and its tensors in their order."""

    name: str
    header: bytes
    tensors: tuple[Placed, ...]
    bytes: int


@dataclass(frozen=True)
class Layout:
    """All files, and the index of several."""

    shards: tuple[Shard, ...]
    index: str | None
    """The text of `model.safetensors.index.json`; None where there is one file."""

    @property
    def names(self) -> list[str]:
        """The names of the files that are there in the end."""
        return [shard.name for shard in self.shards] + ([MODEL_INDEX] if self.index else [])

    @property
    def bytes(self) -> int:
        """Of all files of tensors."""
        return sum(shard.bytes for shard in self.shards)


def layout(
    tensors: Sequence[Made], limit: int, metadata: Mapping[str, str], sums: bool = False
) -> Layout:
    """The files of tensors in their order, of at most `limit` bytes, or of one tensor.

    One file says `metadata` in its header; of several the index says it, and each file that its
    tensors are PyTorch's, as `transformers` wants it. It depends on nothing else: the same tensors
    give the same bytes. With `sums` a header has room for them.
    """
    groups = _groups(tensors, limit)
    if len(groups) == 1:
        return Layout((_shard(MODEL, groups[0], metadata, sums),), None)
    stem, count = MODEL.removesuffix(".safetensors"), len(groups)
    shards = tuple(
        _shard(f"{stem}-{n:05}-of-{count:05}.safetensors", group, {"format": "pt"}, sums)
        for n, group in enumerate(groups, 1)
    )
    places = {placed.made.name: shard.name for shard in shards for placed in shard.tensors}
    said = {"total_size": sum(t.bytes for t in tensors), **dict(sorted(metadata.items()))}
    text = {"metadata": said, "weight_map": {t.name: places[t.name] for t in tensors}}
    return Layout(shards, json.dumps(text, indent=2, ensure_ascii=False) + "\n")


def _groups(tensors: Sequence[Made], limit: int) -> list[list[Made]]:
    groups: list[list[Made]] = [[]]
    size = 0
    for tensor in tensors:
        if groups[-1] and size + tensor.bytes > limit:
            groups.append([])
            size = 0
        groups[-1].append(tensor)
        size += tensor.bytes
    return groups


def _shard(name: str, tensors: Sequence[Made], metadata: Mapping[str, str], sums: bool) -> Shard:
    by_name = {tensor.name: tensor for tensor in tensors}
    said = dict(metadata)
    if sums:
        said[SUMS] = sums_text(dict.fromkeys(by_name, UNKNOWN))
    start, order = header_bytes({t.name: (t.dtype, t.shape) for t in tensors}, said)
    at, placed = len(start), list[Placed]()
    for key in order:
        placed.append(Placed(by_name[key], at))
        at += by_name[key].bytes
    return Shard(name, start, tuple(placed), at)


def sums_text(sums: Mapping[str, str]) -> str:
    """Sums of eight digits each, as they stand in a file's metadata."""
    return json.dumps(dict(sorted(sums.items())), separators=(",", ":"))


def with_sums(header: bytes, sums: Mapping[str, int]) -> bytes:
    """A header with the sums of all its tensors in place of the room for them."""
    length = int.from_bytes(header[:8], "little")
    said = json.loads(header[8 : 8 + length])
    said["__metadata__"][SUMS] = sums_text({name: f"{crc:08x}" for name, crc in sums.items()})
    text = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    found = header[:8] + text + b" " * (length - len(text))
    assert len(found) == len(header)
    return found
