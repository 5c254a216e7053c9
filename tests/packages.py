"""Installed packages for one test: folders on the path with entry points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Install = Callable[[Path], None]


def declare(folder: Path, entries: str, code: str = "", name: str = "other") -> Path:
    """An installed package that declares entry points, and its module `NAME_package`."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)
    (folder / f"{name}_package.py").write_text(code)
    return folder
