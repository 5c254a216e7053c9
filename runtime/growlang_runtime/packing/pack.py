"""Packs a folder of images into tar shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from growlang.diagnostics import GrowlangError
from growlang_runtime.packing.packed import Packed

SHARD_BYTES = 256_000_000
"""Bytes of images after which the next shard is begun, by default."""


@dataclass(frozen=True)
class Packing:
    """What to pack, and how. The fields are those of `growlang.pack`."""

    folder: Path
    output: str
    captions: Path | None = None
    caption: str | None = None
    label: str | None = None
    holdout: float = 0.0
    name: str | None = None
    shard_bytes: int = SHARD_BYTES
    max_corrupt: int = 0
    force: bool = False
    quiet: bool = False


def pack(asked: Packing) -> Packed:
    """Pack a folder."""
    raise GrowlangError(f"cannot pack {asked.folder} yet")
