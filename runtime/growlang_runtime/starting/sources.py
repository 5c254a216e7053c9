"""From what somebody names, a folder of images or shards, to a source of data."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from growlang.diagnostics import GrowlangError
from growlang.spec.data import Data, Folder, WebDataset
from growlang_runtime.data.apart import FOLDER, TABLE
from growlang_runtime.data.layout import TEXTS
from growlang_runtime.data.listing import files
from growlang_runtime.data.samples import HIDDEN, is_image
from growlang_runtime.data.shards import expand
from growlang_runtime.data.tars import members
from growlang_runtime.packing.found import declaration
from growlang_runtime.packing.pack import Packing, pack

FEW = 10_000
"""Images up to which a folder is read where it lies: each start of a run opens every file."""
SHOWN = 8
"""Endings that a message shows."""
CAPTIONS, LABELS = ("txt", "caption", "text"), ("cls", "label", "class")
"""Endings of captions and labels in shards, the first that is there."""


def source_of(given: str, captions: str | None = None) -> Data:
    """The source that a path or a pattern names.

    `captions` is the table of a folder's captions and labels. Raises GrowlangError for what is not
    there, or holds no images.
    """
    path = Path(given).expanduser()
    if path.is_dir():
        if any(path.glob("*.tar")):
            return packed_set(pattern_of(path))
        return folder(path, captions)
    if path.is_file() or re.search(r"[*?{]", given):
        return packed_set(given)
    raise GrowlangError(
        f"--data {given}: no such file or folder",
        help='give a folder of images, a folder of shards, or a pattern: "shards/{000..017}.tar"',
    )


def folder(path: Path, captions: str | None = None) -> Folder:
    """The source that a folder of images is, with its captions and labels as they lie there.

    Where there are no labels and all images lie in folders of their own, these are the classes.
    """
    found = declaration(path, captions, None, None)
    if found.source.label is None and len(found.class_folders) > 1:
        found = declaration(path, captions, None, FOLDER)
    return found.source


def is_large(source: Data, images: int) -> bool:
    """Whether a source is a folder of so many images that it should be packed first."""
    return isinstance(source, Folder) and images > FEW


def packed(source: Data, given: str, captions: str | None, output: Path) -> Data:
    """A folder packed into shards in `output`; what a killed call left is gone on with.

    Raises GrowlangError as `growlang pack` does: other shards that are there stay.
    """
    label = getattr(source, "label", None)
    pattern = (output / "{000000..}.tar").as_posix()
    folder_label = FOLDER if label == FOLDER else None
    folder = Path(given).expanduser()
    instead = f"give --name for shards in another folder, or remove {output}"
    return pack(Packing(folder, pattern, captions, label=folder_label, instead=instead)).data


def packed_set(urls: str) -> WebDataset:
    """The source that shards are, by the members of the first.

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
        urls=urls,
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


def from_root(data: Data, root: Path) -> Data:
    """The same source, its paths relative to another data root than the current folder."""
    moved: dict[str, Any] = {
        name: _relative(getattr(data, name), root)
        for name in ("path", "urls")
        if name in type(data).model_fields
    }
    if isinstance(data, Folder):
        moved |= {member: _table(getattr(data, member), Path(data.path), root) for member in TEXTS}
    return data.model_copy(update=moved)


def _table(value: Any, folder: Path, root: Path) -> Any:
    """The place of captions or labels; that of a table is moved unless it is in the folder."""
    match = TABLE.fullmatch(value) if isinstance(value, str) else None
    if match is None or (folder / match["path"]).is_file():
        return value
    if any(Path(name).name == match["path"] for name, _ in files(folder)):
        return value
    return _relative(match["path"], root) + value.removeprefix(match["path"])


def _relative(path: str, root: Path) -> str:
    absolute = Path(os.path.expanduser(path)).absolute()
    return Path(os.path.relpath(absolute, root.absolute())).as_posix()
