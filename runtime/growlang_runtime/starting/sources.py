"""From what somebody names, a folder of images or shards, to a source of data."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from growlang.diagnostics import GrowlangError
from growlang.spec.data import Data, WebDataset
from growlang.syntax.unparse import string
from growlang_runtime.data.samples import HIDDEN, is_image
from growlang_runtime.data.shards import expand
from growlang_runtime.data.tars import members

SHOWN = 8
"""Endings that a message shows."""
CAPTIONS, LABELS = ("txt", "caption", "text"), ("cls", "label", "class")
"""Endings of captions and labels in shards, the first that is there."""


def source_of(given: str, root: Path) -> Data:
    """The source that a path or a pattern names, relative to `root`.

    Raises GrowlangError for what is not there, or holds no images.
    """
    path = Path(given).expanduser()
    if path.is_dir():
        if any(path.glob("*.tar")):
            return packed_set(pattern_of(path), root)
        raise GrowlangError(f"{path} is a folder")
    if path.is_file() or re.search(r"[*?{]", given):
        return packed_set(given, root)
    raise GrowlangError(
        f"--data {given}: no such file or folder",
        help='give a folder of images, a folder of shards, or a pattern: "shards/{000..017}.tar"',
    )


def packed_set(urls: str, root: Path) -> WebDataset:
    """The source that shards are, by the members of the first; its pattern is relative to `root`.

    Raises GrowlangError for shards that are missing, or hold no images.
    """
    first = expand(urls, Path())[0]
    names = [m.name for m in members(first) if not HIDDEN.match(m.name)]
    found = Counter(Path(name).name.partition(".")[2].lower() for name in names)
    images = [ending for ending, _ in found.most_common() if is_image(ending)]
    if not images:
        there = ", ".join(f"`.{ending}`" for ending in list(found)[:SHOWN]) or "nothing"
        raise GrowlangError(
            f"no images in {first}: found {there}",
            help="shards hold images, and captions and labels of the same names: see "
            "`growlang pack`",
        )
    return WebDataset(
        urls=from_root(urls, root),
        image=images[0] if len(images) == 1 else images,
        caption=next((ending for ending in CAPTIONS if ending in found), None),
        label=next((ending for ending in LABELS if ending in found), None),
    )


def pattern_of(folder: Path) -> str:
    """A pattern of all shards in a folder: a range in braces where their names count up."""
    names = sorted(path.name for path in folder.glob("*.tar"))
    parts = [re.fullmatch(r"(.*?)(\d+)\.tar", name) for name in names]
    stems = {(part[1], len(part[2])) for part in parts if part}
    numbers = [part[2] for part in parts if part]
    if len(numbers) == len(names) and len(stems) == 1:
        ((stem, _),) = stems
        if int(numbers[-1]) - int(numbers[0]) == len(names) - 1:
            return (folder / f"{stem}{{{numbers[0]}..{numbers[-1]}}}.tar").as_posix()
    return (folder / "*.tar").as_posix()


def from_root(path: str | Path, root: Path) -> str:
    """A path as it is named relative to the data root."""
    absolute = Path(os.path.expanduser(path)).absolute()
    return Path(os.path.relpath(absolute, root.absolute())).as_posix()


def statement(data: Data) -> str:
    """The call that declares a source; arguments at their default are left out."""
    return f"{data.call}({', '.join(_arguments(data))})"


def _arguments(data: Data) -> Iterator[str]:
    for name, info in type(data).model_fields.items():
        value = getattr(data, name)
        if info.is_required():
            yield _written(value)
        elif value != info.get_default(call_default_factory=True):
            yield f"{name} = {_written(value)}"


def _written(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_written, value))}]"
    return string(str(value))
