"""Captions and labels that lie apart from their images: in tables, and in the names of folders."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.spelling import nearest
from growlang.ops.number import TABLES
from growlang_runtime.data.samples import Sample
from growlang_runtime.data.tabular import Table, read_table

FOLDER = "folder"
"""Says that the name of the folder which holds an image is its caption or label."""
TABLE = re.compile(rf"(?P<path>.*?\.(?:{'|'.join(TABLES)}))(?::(?P<column>.+))?", re.IGNORECASE)
SHOWN = 3
"""Names that a message shows."""


class Apart(NamedTuple):
    """Texts of samples by member and row; samples without images are behind the others."""

    samples: list[Sample]
    texts: dict[str, dict[int, str]]
    faults: dict[int, str]
    """Why samples cannot be used, by row."""


class Place(NamedTuple):
    """Where tables and their images are looked for."""

    root: Path
    """The folder of images."""
    names: Sequence[str]
    """All files in it."""
    data_root: Path


def is_apart(value: str) -> bool:
    """Whether `caption` or `label` of a folder names no file beside the image."""
    return value == FOLDER or TABLE.fullmatch(value) is not None


def read_apart(declared: Mapping[str, str], samples: Sequence[Sample], place: Place) -> Apart:
    """The captions and labels of samples that `declared` says, by the member.

    What is wrong with one image is a fault of it. Raises GrowlangError for a table that cannot be
    read, or that names no image of the folder.
    """
    found = Apart([*samples], {member: {} for member in declared}, {})
    by_name = {m.name: row for row, s in enumerate(samples) for m in s.members.values()}
    by_key = {sample.key: row for row, sample in enumerate(samples)}
    rows = {**by_key, **by_name}
    for member, value in declared.items():
        if value == FOLDER:
            _of_folders(member, found)
            continue
        tables = [*_tables(member, value, place)]
        for table in tables:
            _of_table(member, table, rows, found, place)
        _without_row(member, tables, found, len(samples))
    return found


def _of_folders(member: str, found: Apart) -> None:
    for row, sample in enumerate(found.samples):
        folder = posixpath.basename(posixpath.dirname(sample.key))
        if folder:
            found.texts[member][row] = folder
        else:
            found.faults.setdefault(row, f"it lies in no folder that names its {member}")


# --- tables --------------------------------------------------------------------------------------


def _tables(member: str, value: str, place: Place) -> Iterator[Table]:
    """The tables that a value such as `metadata.csv:text` names.

    A name is looked for in the folder of images, in the folders in it (as Hugging Face has one
    `metadata.csv` for each split), and relative to the data root.
    """
    match = TABLE.fullmatch(value)
    assert match is not None
    path, column = match["path"], match["column"] or ""
    inside = [n for n in place.names if posixpath.basename(n) == path]
    candidates = [place.root / path, *(place.root / n for n in inside), place.data_root / path]
    there = [candidate for candidate in candidates if candidate.is_file()]
    if not there:
        raise GrowlangError(
            f"no such file: {path}, which should have {_read(member)} of the images in "
            f"{place.root}",
            help=_other_table(path, place),
        )
    chosen = there[:1] if there[0] == candidates[0] or not inside else there[: len(inside)]
    for table in chosen:
        yield read_table(table, member, column)


def _read(member: str) -> str:
    """What is read of tables, with who reads it where that is the model."""
    by = f' that the model reads by `from = "{member}"`' if TABLE.fullmatch(member) else ""
    return f"the {_noun(member)}s{by}"


def _noun(member: str) -> str:
    """A caption, a label, or the number of a column."""
    return "number" if TABLE.fullmatch(member) else member


def _other_table(path: str, place: Place) -> str:
    known = [n for n in place.names if TABLE.fullmatch(n)]
    if close := nearest(path, known):
        return f"did you mean `{close[0]}`?"
    listed = f"; tables there: {', '.join(known[:SHOWN])}" if known else ""
    return f"it is looked for in {place.root} and in {place.data_root.resolve()}{listed}"


def _of_table(
    member: str, table: Table, rows: Mapping[str, int], found: Apart, place: Place
) -> None:
    """Give samples the texts of a table, and add those that it names and that are not there."""
    texts, lines, what = found.texts[member], dict[int, int](), _noun(member)
    missing: list[tuple[int, str]] = []
    for line, file, text in table.rows:
        row = next((rows[n] for n in _meant(file, table, place) if n in rows), None)
        if row is None:
            missing.append((line, file))
        elif text is None:
            reason = f"{table.place(line)} has nothing in its column `{table.column}`"
            found.faults.setdefault(row, f"it has no {what}: {reason}")
        elif row in texts and texts[row] != text:
            both = f"{table.place(lines[row])}, and {table.unit} {line}" if row in lines else ""
            found.faults.setdefault(row, f"it has two {what}s: {both or table.place(line)}")
        else:
            texts[row] = text
            lines.setdefault(row, line)
    if missing and len(missing) == len(table.rows):
        raise _names_nothing(table, missing, found, place)
    known = {s.key for s in found.samples}
    for line, file in missing:
        if file in known:
            continue
        close = nearest(file, rows) if file else []
        maybe = f"; did you mean `{close[0]}`?" if close else ""
        reason = f"there is no such image, but {table.place(line)} has a {what} for it{maybe}"
        found.faults[len(found.samples)] = reason if file else f"{table.place(line)} names no image"
        found.samples.append(Sample(file, {}))
        known.add(file)


def _meant(file: str, table: Table, place: Place) -> Iterator[str]:
    """The names in the folder that a row may mean: beside its table, or in the folder."""
    if os.path.isabs(file):
        yield os.path.relpath(file, place.root)
        return
    if table.path.is_relative_to(place.root):
        beside = table.path.parent.relative_to(place.root).as_posix()
        yield posixpath.normpath(posixpath.join(beside, file))
    yield posixpath.normpath(file)
    # Relative to where the table is, when that is not in the folder of images.
    yield os.path.relpath(table.path.parent / file, place.root)


def _without_row(member: str, tables: Sequence[Table], found: Apart, images: int) -> None:
    listed = " and ".join(table.path.name for table in tables[:SHOWN])
    for row in range(images):
        if row not in found.texts[member]:
            reason = f"it has no {_noun(member)}: {listed} has no row for it"
            found.faults.setdefault(row, reason)


def _names_nothing(
    table: Table, missing: Sequence[tuple[int, str]], found: Apart, place: Place
) -> GrowlangError:
    shown = ", ".join(f"`{file}`" for _, file in missing[:SHOWN])
    images = ", ".join(f"`{m.name}`" for s in found.samples[:1] for m in s.members.values())
    return GrowlangError(
        f"none of the {len(table.rows)} rows of {table.path} names an image in {place.root}: "
        f"{shown}",
        help=f"rows name images by their path in that folder, such as {images}",
    )
