"""The index of one shard: its samples by the members of a tar and the headers of their images."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from growlang.diagnostics import GrowlangError
from growlang_runtime.data import decoding
from growlang_runtime.data.image_headers import pixels
from growlang_runtime.data.layout import MEMBERS, TEXTS, Layout
from growlang_runtime.data.plain_tars import Member
from growlang_runtime.data.samples import Sample, fault, group
from growlang_runtime.data.tars import Section, members

FIELDS = (
    [("width", "<i4"), ("height", "<i4")]
    + [(f"{m}_{what}", kind) for m in MEMBERS for what, kind in (("at", "<i8"), ("bytes", "<i8"))]
    + [(f"{m}_checksum", "<u4") for m in MEMBERS]
    + [(f"{m}_ending", "<u1") for m in TEXTS]
)
"""Columns of an index besides `key`: sizes in pixels, places in bytes, -1 where there is none, the
CRC-32 over both ends of a member, and which of the endings that are declared it has."""

BEGIN = 16
"""Bytes of an image that a message shows."""


Rows = NDArray[np.void]


@dataclass(frozen=True)
class Shard:
    """What is known of the samples of one shard, whatever other shards there are."""

    count: int
    """Number of samples."""
    key_bytes: int
    """Bytes of the longest key."""
    faults: dict[int, str]
    """Why samples cannot be used, by row: members that are missing, images without a header."""
    parts: dict[int, tuple[str, dict[str, str]]]
    """Of samples that lack a member, by row: the key, and why each ending that is there is of no
    use, if so. The rest may be in the next shard."""
    endings: list[str]
    """All that there are, in the order in which they come."""

    def sample(self, row: int) -> Sample:
        """A sample that lacks a member."""
        key, endings = self.parts[row]
        return Sample(key, {ending: Member("", -1, 0, why) for ending, why in endings.items()})


def index_shard(path: Path, layout: Layout) -> tuple[Rows, Shard]:
    """Read the headers of a tar and of its images, and both ends of each member.

    Raises GrowlangError for a shard that cannot be read, and one without samples.
    """
    look = partial(pixels, semantics=layout.semantics)
    samples = group(path, members(path, look), layout)
    if not samples:
        raise GrowlangError(f"{path} contains no samples", help="remove it from the pattern")
    rows, headers = _rows(path, samples, layout)
    lacking = {row: why for row, sample in enumerate(samples) if (why := fault(sample, layout))}
    parts = {
        row: (samples[row].key, {e: m.fault for e, m in samples[row].members.items()})
        for row in lacking
    }
    endings = dict.fromkeys(ending for sample in samples for ending in sample.members)
    longest = rows.dtype["key"].itemsize
    return rows, Shard(len(rows), longest, headers | lacking, parts, list(endings))


def _rows(path: Path, samples: Sequence[Sample], layout: Layout) -> tuple[Rows, dict[int, str]]:
    """The rows of a shard, and why the headers of some images cannot be read."""
    endings = [layout.endings(member) for member in MEMBERS]
    rows, faults, longest = [], dict[int, str](), 1
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for row, sample in enumerate(samples):
            found = [sample.member(declared) for declared in endings]
            size, why = _pixels(descriptor, found[0][1] if found[0] else None, layout.semantics)
            if why:
                faults[row] = why
            key = sample.key.encode("utf-8", "surrogateescape")
            longest = max(longest, len(key))
            rows.append((*size, *_columns(found), key))
    finally:
        os.close(descriptor)
    return np.array(rows, dtype=[*FIELDS, ("key", f"S{longest}")]), faults


ABSENT = Member("", -1, -1)


def _columns(found: Sequence[tuple[int, Member] | None]) -> list[int]:
    """The columns of `FIELDS` behind the size in pixels, of the members that were found."""
    members = [f[1] if f else ABSENT for f in found]
    places = [value for m in members for value in (m.at, m.size if m.at >= 0 else -1)]
    checksums = [m.checksum for m in members]
    endings = [f[0] if f else 0 for f in found[1 : 1 + len(TEXTS)]]
    return places + checksums + endings


def _pixels(descriptor: int, member: Member | None, semantics: int) -> tuple[tuple[int, int], str]:
    """Width and height by an image's header; zeros and the reason if it cannot be read."""
    if member is None or member.fault:
        return (0, 0), ""
    if member.pixels is not None:
        return member.pixels, ""
    file = io.BufferedReader(Section(descriptor, member.at, member.size))
    try:
        return decoding.size(file, semantics), ""
    except Exception as error:  # Pillow's decoders raise many types on broken files
        begin = os.pread(descriptor, min(BEGIN, member.size), member.at)
        return (0, 0), decoding.why(error, begin)
