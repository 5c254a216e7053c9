"""Shards that are to be written: their names, what each holds, and the record of what is done."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from growlang.atomic import whole, write_text
from growlang.diagnostics import GrowlangError

RECORD = "pack.json"
"""The file beside the shards that says what they were packed from, and which are done."""
FORMAT_VERSION = 1
PATTERN = re.compile(r"(?P<before>.*)\{(?P<first>\d+)\.\.(?P<last>\d*)\}(?P<behind>[^/{}]*\.tar)")
HOLDOUT = "holdout"
"""The folder of the shards that are held out."""
OVERHEAD = 2048
"""Bytes that a sample takes in a tar besides its members: headers and what fills blocks."""


class Pattern(NamedTuple):
    """Names of shards: `train/a-{000..}.tar` is `train/a-000.tar` and those that follow."""

    before: str
    first: str
    behind: str

    def name(self, number: int) -> str:
        """The path of the shard of a number from 0."""
        return f"{self.before}{self._digits(number)}{self.behind}"

    def urls(self, numbers: Iterable[int]) -> str:
        """The pattern of the shards of these numbers, which rise, as a source of data takes it."""
        ranges: list[list[int]] = []
        for number in numbers:
            if ranges and number == ranges[-1][-1] + 1:
                ranges[-1].append(number)
            else:
                ranges.append([number])
        found = ",".join(map(self._range, ranges))
        return f"{self.before}{f'{{{found}}}' if ranges[1:] else found}{self.behind}"

    def _range(self, numbers: Sequence[int]) -> str:
        first, last = self._digits(numbers[0]), self._digits(numbers[-1])
        return first if first == last else f"{{{first}..{last}}}"

    def held_out(self) -> Pattern:
        """The shards of the images that are held out: in a folder of their own."""
        folder, slash, prefix = self.before.rpartition("/")
        return self._replace(before=f"{folder}{slash}{HOLDOUT}/{prefix}")

    def record(self) -> Path:
        """The record of the shards."""
        return Path(f"{self.before}{RECORD}")

    def existing(self) -> list[Path]:
        """The shards of the pattern that are there, whatever their numbers."""
        folder = self.record().parent
        prefix = re.escape(self.before.rpartition("/")[2])
        name = re.compile(rf"{prefix}\d{{{len(self.first)},}}{re.escape(self.behind)}")
        return sorted(p for p in folder.glob("*") if name.fullmatch(p.name))

    def _digits(self, number: int) -> str:
        return str(int(self.first) + number).zfill(len(self.first))


def pattern_of(output: str) -> Pattern:
    """The pattern that `output` is. Raises GrowlangError for what is none."""
    found = PATTERN.fullmatch(output)
    if found is None:
        stem = re.sub(r"[*?{].*|(\.tar)$", "", output).rstrip("/") or "shards"
        raise GrowlangError(
            f'"{output}" is not a pattern of shards',
            help=f'give a range of numbers: -o "{stem}/{{000000..}}.tar"',
        )
    return Pattern(found["before"], found["first"], found["behind"])


class Shard(NamedTuple):
    """A shard and the rows of the samples that it holds."""

    path: Path
    rows: list[int]


def plan(pattern: Pattern, rows: Iterable[int], sizes: Sequence[int], most: int) -> list[Shard]:
    """The shards of some rows, in their order; each takes `most` bytes, or a single sample more."""
    shards: list[Shard] = []
    filled = most
    for row in rows:
        size = sizes[row] + OVERHEAD
        if filled + size > most:
            shards.append(Shard(Path(pattern.name(len(shards))), []))
            filled = 0
        shards[-1].rows.append(row)
        filled += size
    return shards


# --- record --------------------------------------------------------------------------------------


LeftOut = tuple[str, str]
"""The key of a sample that cannot be used, and why."""


class Record(NamedTuple):
    """What was packed: a digest of the images and settings, and the shards that are done."""

    digest: str
    done: dict[str, list[LeftOut]]
    """By the path of a shard, what was left out of it."""

    def has(self, shard: Shard) -> bool:
        """Whether a shard is done: written, or without a sample that can be used."""
        left_out = self.done.get(str(shard.path))
        return left_out is not None and (len(left_out) == len(shard.rows) or shard.path.is_file())

    def save(self, path: Path) -> None:
        """Write the record whole."""
        values = {"format_version": FORMAT_VERSION, "digest": self.digest, "shards": self.done}
        write_text(path, json.dumps(values, indent=1) + "\n")


def read_record(path: Path) -> Record | None:
    """The record; None where there is none that can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format_version"] != FORMAT_VERSION:
            return None
        done = {path: [(k, why) for k, why in out] for path, out in values["shards"].items()}
        return Record(str(values["digest"]), done)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def prepare(patterns: Sequence[Pattern], digest: str, force: bool, instead: str) -> Record:
    """The record to go on with. Raises GrowlangError if the shards are those of something else.

    With `force`, these are removed; else `instead` is what to do.
    """
    path = patterns[0].record()
    record = read_record(path)
    if record is not None and record.digest == digest:
        return record
    existing = [shard for pattern in patterns for shard in pattern.existing()]
    if existing and not force:
        why = "of other images, captions or settings" if record else "that pack did not write"
        raise GrowlangError(
            f"{existing[0]} already exists, with shards {why}",
            help=instead,
        )
    for shard in existing:
        shard.unlink()
    return Record(digest, {})


# --- tars ----------------------------------------------------------------------------------------


class Member(NamedTuple):
    """A file of a tar."""

    name: str
    data: bytes


def write_tar(path: Path, members: Iterable[Member]) -> None:
    """Write a tar whole. It is the same for the same members, whenever it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            header = tarfile.TarInfo(member.name)
            header.size = len(member.data)
            tar.addfile(header, io.BytesIO(member.data))
