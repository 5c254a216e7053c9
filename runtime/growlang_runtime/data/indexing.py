"""Builds the rows of an index from the members of tars and the headers of their images."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from growlang.diagnostics import GrowlangError
from growlang_runtime.data import decoding
from growlang_runtime.data.layout import MEMBERS, TEXTS, Layout
from growlang_runtime.data.samples import Sample, fault, group, halves, is_image, listed
from growlang_runtime.data.tars import Member, Scan, Section, members

FIELDS = (
    [("shard", "<i4"), ("width", "<i4"), ("height", "<i4")]
    + [(f"{m}_{what}", kind) for m in MEMBERS for what, kind in (("at", "<i8"), ("bytes", "<i8"))]
    + [(f"{m}_checksum", "<u4") for m in MEMBERS]
    + [(f"{m}_ending", "<u1") for m in TEXTS]
)
"""Columns of an index besides `key`: sizes in pixels, places in bytes, -1 where there is none, the
CRC-32 over both ends of a member, and which of the endings that are declared it has."""

Rows = NDArray[np.void]
BEGIN = 16
"""Bytes of an image that a message shows."""


def build(
    shards: Sequence[Path], scans: Sequence[Scan], layout: Layout
) -> tuple[Rows, dict[int, str]]:
    """The rows of all shards, and why some of them cannot be used.

    Raises GrowlangError for a shard without samples, or samples that all lack the same member.
    """
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda path: group(path, members(path), layout), shards))
    for path, samples in zip(shards, found, strict=True):
        if not samples:
            raise GrowlangError(f"{path} contains no samples", help="remove it from the pattern")
    _require_members([s for samples in found for s in samples], shards, layout)
    reasons = _reasons(shards, found, layout)
    rows: list[Rows] = []
    faults: dict[int, str] = {}
    for number, path in enumerate(shards):
        made, headers = _rows(number, path, found[number], scans[number], layout)
        before = sum(map(len, rows))
        faults |= {before + row: why for row, why in (headers | reasons[number]).items()}
        rows.append(made)
    return np.concatenate(rows), faults


def _require_members(samples: Sequence[Sample], shards: Sequence[Path], layout: Layout) -> None:
    """Raise GrowlangError for a member that no sample has: its ending is another one."""
    for what in layout.needed:
        endings = layout.endings(what)
        if any(sample.member(endings) for sample in samples):
            continue
        a = "an" if what == "image" else "a"
        there = list(dict.fromkeys(ending for sample in samples for ending in sample.members))
        more = f" (and {len(shards) - 1} more)" if shards[1:] else ""
        raise GrowlangError(
            f"no sample in {shards[0]}{more} has {a} {what} {listed(endings)}; "
            f"found {listed(there[:8])}",
            help=_other_ending(what, there),
        )


def _other_ending(what: str, there: Sequence[str]) -> str:
    if what == "image":
        images = [ending for ending in there if is_image(ending)] or ["EXTENSION"]
        value = f'"{images[0]}"' if len(images) == 1 else str(images).replace("'", '"')
        return f"set the file extension of the images: webdataset(..., image = {value})"
    return (
        f'set the file extension of the {what}s: webdataset(..., {what} = "EXTENSION"), or '
        '"json:FIELD" for a field of a JSON file; they are only needed if a condition reads them'
    )


def _reasons(
    shards: Sequence[Path], found: list[list[Sample]], layout: Layout
) -> list[dict[int, str]]:
    """Why samples of each shard cannot be used, by row.

    Of a sample that is split over two shards, the half in the second one is removed from `found`.
    """
    reasons: list[dict[int, str]] = []
    for number, samples in enumerate(found):
        here = {row: why for row, s in enumerate(samples) if (why := fault(s, layout))}
        reasons.append(here)
        if not here or number + 1 == len(found):
            continue
        rest = {s.key: s for s in found[number + 1] if fault(s, layout)}
        paths = shards[number], shards[number + 1]
        for row in here:
            other = rest.get(samples[row].key)
            if other and (why := halves(samples[row], other, *paths, layout)):
                here[row] = why
                found[number + 1].remove(other)
    return reasons


def _rows(
    number: int, path: Path, samples: Sequence[Sample], scan: Scan, layout: Layout
) -> tuple[Rows, dict[int, str]]:
    """The rows of one shard, and why the headers of some images cannot be read."""
    rows, faults, longest = [], dict[int, str](), 1
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for row, sample in enumerate(samples):
            found = [sample.member(layout.endings(member)) for member in MEMBERS]
            pixels, why = _pixels(descriptor, found[0][1] if found[0] else None, layout.semantics)
            if why:
                faults[row] = why
            key = sample.key.encode("utf-8", "surrogateescape")
            longest = max(longest, len(key))
            rows.append((number, *pixels, *_columns(found, scan), key))
    finally:
        os.close(descriptor)
    return np.array(rows, dtype=[*FIELDS, ("key", f"S{longest}")]), faults


def _columns(found: Sequence[tuple[int, Member] | None], scan: Scan) -> list[int]:
    """The columns of `FIELDS` behind the size in pixels, of the members that were found."""
    members = [f[1] if f else Member("", -1, 0) for f in found]
    places = [value for m in members for value in (m.at, m.size if m.at >= 0 else -1)]
    checksums = [scan.checksums.get(m.at, 0) for m in members]
    endings = [f[0] if f else 0 for f in found[1 : 1 + len(TEXTS)]]
    return places + checksums + endings


def _pixels(descriptor: int, member: Member | None, semantics: int) -> tuple[tuple[int, int], str]:
    """Width and height by an image's header; zeros and the reason if it cannot be read."""
    if member is None or member.fault:
        return (0, 0), ""
    file = io.BufferedReader(Section(descriptor, member.at, member.size))
    try:
        return decoding.size(file, semantics), ""
    except Exception as error:  # Pillow's decoders raise many types on broken files
        begin = os.pread(descriptor, min(BEGIN, member.size), member.at)
        return (0, 0), decoding.why(error, begin)
