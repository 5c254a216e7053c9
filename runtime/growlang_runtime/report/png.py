"""Whether a PNG can be written where a command was told to."""

from __future__ import annotations

from pathlib import Path

from growlang.diagnostics import GrowlangError
from growlang_runtime.storage.files import require_place


def require_png(path: Path, *, new: bool = False) -> None:
    """Raise GrowlangError unless a PNG can be written at `path`; if `new`, where nothing is yet."""
    if path.suffix.lower() != ".png":
        raise GrowlangError(
            f"{path} does not end in .png: images are written as PNG",
            help=f"use --output {path.with_suffix('.png') if path.name else 'grid.png'}",
        )
    if new and path.exists():
        raise GrowlangError(f"{path} already exists", help="choose another file with --output")
    require_place(path, "--output")
    if path.is_dir():
        raise GrowlangError(f"{path} is a folder", help="choose a file with --output")
