"""Sums of files, which tell whether they are whole."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums_of(*files: Path) -> dict[str, dict[str, int | str]]:
    """The size and the SHA-256 of files, by name."""
    return {f.name: {"bytes": f.stat().st_size, "sha256": sha256_of(f)} for f in files}
