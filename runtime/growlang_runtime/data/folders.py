"""Images in a folder, read where they lie: the source of data `folder(...)`.

The index is that of shards, with a row for each image, in the order of their names.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import posixpath
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

import numpy as np

from growlang.diagnostics import GrowlangError
from growlang.spec.data import Folder
from growlang_runtime.data import decoding
from growlang_runtime.data.apart import FOLDER, TABLE, Place, is_apart, read_apart
from growlang_runtime.data.cache import file_name, load, save, user_cache
from growlang_runtime.data.image_headers import pixels
from growlang_runtime.data.index import Index
from growlang_runtime.data.indexing import BEGIN, Rows
from growlang_runtime.data.joining import COLUMNS
from growlang_runtime.data.layout import MEMBERS, SIDECAR, TEXTS, Layout, parsed
from growlang_runtime.data.listing import files, grouped, split
from growlang_runtime.data.plain_tars import EDGE
from growlang_runtime.data.samples import Sample, fault, is_image, listed
from growlang_runtime.data.shards import forget, pread
from growlang_runtime.data.source import Wanted
from growlang_runtime.data.tabular import columns_of, default_column

log = logging.getLogger(__name__)

T = TypeVar("T")
THREADS = 8
"""Threads that open files."""


@dataclass(frozen=True)
class FolderIndex(Index):
    """The images of a folder, which is the one of `shards`, in the order of their names."""

    texts: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """Captions and labels that are in no files of their own, by the row."""

    def file(self, row: int, member: str) -> Path:
        """The file of a sample's member."""
        name = bytes(self.rows[row][f"{member}_file"]).decode("utf-8", "surrogateescape")
        return self.shards[0] / f"{self.key(row)}.{name}"

    def read(self, row: int, member: str) -> bytes | None:
        """Contents of a sample's member, such as `caption`; None where there is none."""
        if member in self.texts:
            text = self.texts[member].get(row)
            return None if text is None else text.encode("utf-8", "surrogatepass")
        size = int(self.rows[row][f"{member}_bytes"])
        return None if size < 0 else pread(self.file(row, member), 0, size)

    def has(self, member: str) -> bool:
        """Whether the source says where the member is."""
        return member in self.texts or super().has(member)

    def fields(self, row: int, member: str) -> list[str]:
        """The fields of JSON that hold a caption or label; none where the member itself does."""
        return [] if member in self.texts else super().fields(row, member)

    @cached_property
    def identity(self) -> str:
        """SHA-256 of what the samples are, as of shards, and of the texts of tables."""
        texts = {member: sorted(by_row.items()) for member, by_row in self.texts.items()}
        return hashlib.sha256(json.dumps([self.rows_digest(), texts]).encode()).hexdigest()


class Scan(NamedTuple):
    """What is read of a sample's files to tell it from others."""

    sizes: list[tuple[str, int]]
    checksums: dict[str, int]
    """CRC-32 over the first and the last `EDGE` bytes, by the ending."""


def open_folder(
    declared: Folder, wanted: Wanted, data_root: Path, cache: Path | None
) -> FolderIndex:
    """The images of a folder. Every file is opened, and both of its ends are read.

    Raises GrowlangError for a folder without images, and where no image has the caption or label
    that is read.
    """
    root = data_root / os.path.expanduser(declared.path)
    there = files(root)
    place = Place(root, [name for name, _ in there], data_root)
    apart, layout = layout_of(declared, wanted)
    samples = grouped(there, layout)
    require_members(samples, layout, place)
    found = read_apart(apart, samples, place)
    missing = {row: why for row, s in enumerate(found.samples) if (why := _fault(s, layout))}
    faults = missing | found.faults | _doubles(found.samples, layout)
    forget()
    scans = _each(lambda sample: _scan(root, sample), found.samples)
    keys = [sample.key for sample in found.samples]
    name = file_name(["folder", layout.declared, layout.semantics, keys, scans])
    cached = (cache or user_cache()) / name
    known = load(cached)
    if known is None:
        known = _rows(root, found.samples, scans, layout)
        try:
            save(cached, [known[0]], len(known[0]), known[1])
        except OSError as error:
            log.warning("cannot cache the index of the folder: %s", error)
    rows, headers = known
    broken = {int(row): why for row, why in headers.items()}
    return FolderIndex((root,), rows, layout, broken | faults, found.texts)


def layout_of(declared: Folder, wanted: Wanted) -> tuple[dict[str, str], Layout]:
    """Captions and labels that lie apart from images, and the layout of those beside them."""
    given = {m: getattr(declared, m) for m in TEXTS if m in wanted.members}
    apart = {m: v for m, v in given.items() if isinstance(v, str) and is_apart(v)}
    apart |= {m: m for m in sorted(wanted.members) if m not in (*MEMBERS, FOLDER) and is_apart(m)}
    beside = {"image": parsed(declared.image)}
    beside |= {m: parsed(v) for m, v in given.items() if v is not None and m not in apart}
    if SIDECAR in wanted.members:
        beside[SIDECAR] = [(SIDECAR, "")]
    return apart, Layout(tuple((m, tuple(d)) for m, d in beside.items()), wanted.semantics)


# --- rows ----------------------------------------------------------------------------------------


def _each(function: Callable[[Sample], T], samples: Sequence[Sample]) -> list[T]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, samples))


def _fault(sample: Sample, layout: Layout) -> str:
    """Why a sample cannot be used, as its files show; empty where it can."""
    if sample.members and not sample.member(layout.endings("image")):
        names = sorted(member.name for member in sample.members.values())
        return f"there is no image beside {' and '.join(names)}"
    return fault(sample, layout)


def _doubles(samples: Sequence[Sample], layout: Layout) -> dict[int, str]:
    """The samples whose names are those of several images, by the row."""
    images = layout.endings("image")
    found = {}
    for row, sample in enumerate(samples):
        named = [m.name for ending, m in sample.members.items() if ending.lower() in images]
        if named[1:]:
            found[row] = f"its name is that of two images: {' and '.join(sorted(named)[:2])}"
    return found


def _scan(root: Path, sample: Sample) -> Scan:
    """The sizes and checksums of a sample's files. Raises GrowlangError for one that is gone."""
    sizes, checksums = [], {}
    for ending, member in sorted(sample.members.items()):
        path = root / member.name
        try:
            with path.open("rb") as file:
                checksum = zlib.crc32(file.read(EDGE))
                if member.size > EDGE:
                    file.seek(-EDGE, os.SEEK_END)
                    checksum = zlib.crc32(file.read(EDGE), checksum)
        except OSError as error:
            raise GrowlangError(f"cannot read {path}: {error.strerror}") from error
        sizes.append((ending, member.size))
        checksums[ending] = checksum
    return Scan(sizes, checksums)


def _rows(
    root: Path, samples: Sequence[Sample], scans: Sequence[Scan], layout: Layout
) -> tuple[Rows, dict[str, str]]:
    """The rows, and why the headers of some images cannot be read."""
    headers = _each(lambda sample: _pixels(root, sample, layout), samples)
    rows, names = [], []
    for sample, scan, (size, _) in zip(samples, scans, headers, strict=True):
        found = [sample.member(layout.endings(member)) for member in MEMBERS]
        places = [value for f in found for value in ((0, f[1].size) if f else (-1, -1))]
        ends = [layout.endings(m)[f[0]] if f else "" for m, f in zip(MEMBERS, found, strict=True)]
        checksums = [scan.checksums.get(ending, 0) for ending in ends]
        numbers = [f[0] if f else 0 for f in found[1 : 1 + len(TEXTS)]]
        rows.append((0, *size, *places, *checksums, *numbers))
        behind = [f[1].name[len(sample.key) + 1 :] if f else "" for f in found]
        names.append([_bytes(name) for name in (*behind, sample.key)])
    longest = [max(1, *map(len, column)) for column in zip(*names, strict=True)]
    columns = [*(f"{member}_file" for member in MEMBERS), "key"]
    dtype = [*COLUMNS, *((c, f"S{n}") for c, n in zip(columns, longest, strict=True))]
    made = [(*row, *texts) for row, texts in zip(rows, names, strict=True)]
    faults = {str(row): why for row, (_, why) in enumerate(headers) if why}
    return np.array(made, dtype=dtype), faults


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _pixels(root: Path, sample: Sample, layout: Layout) -> tuple[tuple[int, int], str]:
    """Width and height by an image's header; zeros and the reason if it cannot be read."""
    found = sample.member(layout.endings("image"))
    if found is None:
        return (0, 0), ""
    with (root / found[1].name).open("rb") as file:
        known = pixels(file.read(EDGE), found[1].size, partial(_part, file), layout.semantics)
        if known is not None:
            return known, ""
        try:
            file.seek(0)
            return decoding.size(file, layout.semantics), ""
        except Exception as error:  # Pillow's decoders raise many types on broken files
            file.seek(0)
            return (0, 0), decoding.why(error, file.read(BEGIN))


def _part(file: IO[bytes], at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


# --- what is missing -----------------------------------------------------------------------------


def require_members(samples: Sequence[Sample], layout: Layout, place: Place) -> None:
    """Raise GrowlangError where no file of a folder is an image, or none is a caption or label."""
    if not any(sample.member(layout.endings("image")) for sample in samples):
        raise _no_images(layout.endings("image"), place)
    for what in layout.needed:
        endings = layout.endings(what)
        if not any(sample.member(endings) for sample in samples):
            raise GrowlangError(
                f"no image in {place.root} has a {what} {listed(endings)} beside it",
                help=_elsewhere(what, place),
            )


def _no_images(endings: Sequence[str], place: Place) -> GrowlangError:
    if not place.names:
        return GrowlangError(f"the folder of images {place.root} is empty")
    there = list(dict.fromkeys(split(name)[1] for name in place.names))
    if "tar" in there:
        help = f'it has shards: webdataset("{place.root}/*.tar")'
    elif images := [ending for ending in there if is_image(ending)]:
        help = f"set the file extension of the images: image = {json.dumps(images)}"
    else:
        help = "give the folder that holds the images, or one around it"
    return GrowlangError(
        f"no images in {place.root}: found {listed(there[:8])}, but no {listed(endings)}",
        help=help,
    )


def _elsewhere(what: str, place: Place) -> str:
    """Where the captions or labels of a folder may be instead."""
    for name in place.names:
        if TABLE.fullmatch(name) and (
            column := default_column(columns_of(place.root / name), what)
        ):
            return f'take them from the table there: {what} = "{name}:{column}"'
    folders = {posixpath.dirname(name) for name in place.names}
    if what == "label" and len(folders) > 1:
        return 'take the name of the folder that holds an image: label = "folder"'
    return (
        f'name the ending of the files that have it, a field ("json:FIELD") or the column of a '
        f'table ("captions.csv:COLUMN"); {what}s are only needed if a condition reads them'
    )
