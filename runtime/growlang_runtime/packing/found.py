"""What a folder of images has: where its captions and labels are, and the names of its classes."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.spelling import nearest
from growlang.ops.number import TABLES
from growlang.spec.data import IMAGES, Folder
from growlang_runtime.data.apart import FOLDER, TABLE
from growlang_runtime.data.listing import files, split
from growlang_runtime.data.tabular import columns_of, default_column, listed

METADATA = re.compile(rf"(?:.*/)?(metadata\.(?:{'|'.join(TABLES)}))")
"""The table of captions and labels that Hugging Face's `imagefolder` reads."""
BESIDE = {"caption": "txt", "label": "cls"}
"""The endings of files beside an image that are looked for."""
NOTHING = "none"
"""Says that captions or labels are left out, whatever there is."""


class Found(NamedTuple):
    """A folder as the source of data that `folder(...)` would declare, and what was chosen."""

    source: Folder
    said: list[str]
    """What the user is told of it."""
    files: int
    """The number of files in the folder."""
    class_folders: list[str]
    """The names of the folders that hold images, where all images lie in some."""


def declaration(
    folder: Path, captions: str | None, caption: str | None, label: str | None
) -> Found:
    """Where the captions and labels of a folder are, as far as it is said, and else as they lie.

    Raises GrowlangError where there are two places for them, and a choice is the user's.
    """
    names = [name for name, _ in files(folder)]
    table = _table(captions, names)
    columns = columns_of(_path(table, folder, names)) if table else []
    kind = _label(label, table, columns, names)
    labelled = kind is not None and TABLE.fullmatch(kind) is not None
    text = _caption(captions, caption, table, columns, names, labelled)
    source = Folder(path=str(folder), caption=text, label=kind)
    said = [_said("captions", text, folder), _said("labels", kind, folder)]
    folders = _class_folders(names)
    if kind is None and label is None and len(folders) > 1:
        listed = ", ".join(folders[:3]) + (", ..." if folders[3:] else "")
        said[1] = (
            f"labels: none; the images lie in {len(folders)} folders ({listed}), whose names "
            "`--label folder` makes their classes"
        )
    return Found(source, said, len(names), folders)


def _said(what: str, value: object, folder: Path) -> str:
    if value is None:
        return f"{what}: none"
    if value == FOLDER:
        return f"{what}: the names of the folders in {folder}"
    match = TABLE.fullmatch(str(value))
    if match:
        return f"{what}: column `{match['column']}` of {match['path']}"
    return f"{what}: from files `.{value}` beside the images"


def _table(captions: str | None, names: Sequence[str]) -> str | None:
    """The table that is given, or the one of Hugging Face's convention."""
    if captions is not None:
        return captions if TABLE.fullmatch(captions) else None
    found = sorted({m[1] for name in names if (m := METADATA.fullmatch(name))})
    if found[1:]:
        raise GrowlangError(
            f"there are two tables of captions: {' and '.join(found)}",
            help=f"choose one: --captions {found[0]}",
        )
    return found[0] if found else None


def _path(table: str, folder: Path, names: Iterable[str]) -> Path:
    """The file of a table: of a name that is in several folders, the first."""
    if (folder / table).is_file() or "/" in table:
        return folder / table if (folder / table).is_file() else Path(table)
    inside = next((name for name in names if posixpath.basename(name) == table), None)
    return folder / inside if inside else Path(table)


def _caption(
    captions: str | None,
    column: str | None,
    table: str | None,
    columns: Sequence[str],
    names: Sequence[str],
    labelled: bool,
) -> str | None:
    """What `caption` of the source is; a table that has labels needs no captions."""
    if captions is not None and table is None:
        return None if captions == NOTHING else _ending("captions", captions, columns, names)
    if table is None and column is not None:
        raise GrowlangError(
            f"the column `{column}` of captions is in no table",
            help="name the table: --captions FILE.csv",
        )
    of_table = column or default_column(columns, "caption")
    if captions is not None and not of_table and not labelled:
        raise GrowlangError(
            f"{table} has no column of captions; its columns: {listed(columns)}",
            help="name it: --caption COLUMN; the first line of a table names its columns",
        )
    beside = _beside("caption", names)
    if captions is None and of_table and beside:
        raise GrowlangError(
            f"there are two captions for `{beside}`: one in {table}, and one in a file "
            f"`.{BESIDE['caption']}` beside it",
            help=f"choose: --captions {table}, or --captions {BESIDE['caption']}",
        )
    if table and of_table:
        return f"{table}:{of_table}"
    return BESIDE["caption"] if beside and table is None else None


def _label(
    label: str | None, table: str | None, columns: Sequence[str], names: Sequence[str]
) -> str | None:
    """What `label` of the source is."""
    if label == FOLDER and FOLDER not in columns:
        return FOLDER
    if label is not None:
        if label == NOTHING:
            return None
        return f"{table}:{label}" if label in columns else _ending("labels", label, columns, names)
    if of_table := default_column(columns, "label"):
        return f"{table}:{of_table}"
    return BESIDE["label"] if _beside("label", names) else None


def _ending(what: str, given: str, columns: Sequence[str], names: Sequence[str]) -> str:
    """The ending, or the field of JSON, of files beside images. Raises GrowlangError if none is."""
    ending = given.partition(":")[0].lower().lstrip(".")
    if any(name.lower().endswith(f".{ending}") for name in names):
        return given
    if what == "captions":
        help = f"a table ends in {', '.join(f'.{known}' for known in TABLES)}"
    elif close := nearest(given, [*columns, FOLDER]):
        help = f"did you mean `{close[0]}`?"
    else:
        column = f"a column: {listed(columns)}" if columns else "a column of --captions FILE.csv"
        help = f"use folder, for the folder that holds an image, or {column}"
    raise GrowlangError(f"no {what} are in `{given}`: no file ends in `.{ending}`", help=help)


def _beside(what: str, names: Sequence[str]) -> str | None:
    """The first image that has a caption or label beside it."""
    keys = {stem for name in names for stem, ending in [split(name)] if ending == BESIDE[what]}
    images = (name for name in names if split(name)[1] in IMAGES)
    return next((name for name in images if split(name)[0] in keys), None)


def _class_folders(names: Sequence[str]) -> list[str]:
    """The names of the folders that hold images, where all images lie in some."""
    images = [name for name in names if split(name)[1] in IMAGES]
    folders = Counter(posixpath.basename(posixpath.dirname(name)) for name in images)
    return [] if "" in folders else sorted(folders)
