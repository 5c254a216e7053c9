"""Packs a folder of images, with their captions and labels, into tar shards."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import SEMANTICS
from growlang.spec.data import WebDataset
from growlang.spec.declaring import is_name, name_of
from growlang.spec.labels import named_or_counted
from growlang_runtime.data.corrupt import Budget, Corrupt
from growlang_runtime.data.decoding import quiet
from growlang_runtime.data.folders import FolderIndex, open_folder
from growlang_runtime.data.holdout import is_held_out
from growlang_runtime.data.source import Wanted
from growlang_runtime.packing.found import declaration
from growlang_runtime.packing.locking import locked
from growlang_runtime.packing.packed import Packed
from growlang_runtime.packing.progress import Report
from growlang_runtime.packing.samples import Sample, members, samples_of
from growlang_runtime.packing.shards import (
    Member,
    Pattern,
    Record,
    Shard,
    pattern_of,
    plan,
    prepare,
    write_tar,
)
from growlang_runtime.storage.files import disk_full

SHARD_BYTES = 256_000_000
"""Bytes of a shard, by default."""
THREADS = 8
"""Threads that decode images."""
MANY = 10_000
"""Files that take so long to look through that it is said."""


@dataclass(frozen=True)
class Packing:
    """What to pack, and how. The fields are those of `growlang.pack`."""

    folder: Path
    output: str
    captions: str | None = None
    caption: str | None = None
    label: str | None = None
    holdout: float = 0.0
    name: str | None = None
    shard_bytes: int = SHARD_BYTES
    max_corrupt: int = 0
    force: bool = False
    quiet: bool = False
    instead: str = "choose another --output, or replace them with --force"
    """What to do where there are other shards."""


@dataclass(frozen=True)
class _Sets:
    """The samples to train on and those that are held out, and the shards of both."""

    training: Sequence[Sample]
    held_out: Sequence[Sample]
    patterns: Sequence[Pattern]
    shards: Sequence[Sequence[Shard]]


def pack(asked: Packing) -> Packed:
    """Pack a folder; go on where a call that was killed was. See `growlang.pack`."""
    pattern = pattern_of(asked.output)
    _require_sane(asked)
    report = Report(asked.quiet)
    with quiet():
        index = _open(asked, report)
        samples, corrupt = samples_of(index)
        budget = Budget(asked.max_corrupt, asked.folder)
        budget.count(corrupt)
        sets = _sets(asked, pattern, index, samples)
        full = disk_full(pattern.record(), "free disk space: the same command goes on")
        with full, locked(pattern.record()):
            record = _prepared(asked, pattern, index)
            left_out = _write(sets, index, record, budget, report)
            kept = _kept(sets, index, record, left_out)
    for one in budget.report():
        report.say(f"left out {one}")
    written = _written(sets, kept)
    urls = [p.urls(numbers) for p, numbers in zip(sets.patterns, written, strict=True)]
    packed = _packed(asked, index, urls, kept, [*corrupt, *left_out])
    report.say(_summary(packed, sum(map(len, written))))
    return packed


def _require_sane(asked: Packing) -> None:
    if not 0 <= asked.holdout < 1:
        raise GrowlangError(
            f"the share that is held out must be at least 0 and below 1, but is {asked.holdout:g}",
            help="such as --holdout 5%",
        )
    if asked.name is not None and not is_name(asked.name):
        raise GrowlangError(
            f"`{asked.name}` cannot be the name of data in a spec",
            help="use small letters, digits and _, such as my_images, and no word of the language",
        )
    if asked.shard_bytes < 1 or asked.max_corrupt < 0:
        raise GrowlangError("the size of a shard must be at least 1 byte, and --max-corrupt 0")


def _open(asked: Packing, report: Report) -> FolderIndex:
    found = declaration(asked.folder, asked.captions, asked.caption, asked.label)
    for line in found.said:
        report.say(line)
    if found.files > MANY:
        report.say(f"looking through {found.files:,} files")
    source = found.source
    texts = [member for member in ("caption", "label") if getattr(source, member) is not None]
    return open_folder(source, Wanted(frozenset(texts), SEMANTICS), Path(), None)


def _digest(asked: Packing, index: FolderIndex) -> str:
    """A hash of all on which the shards depend."""
    values = [index.identity, asked.output, asked.holdout, asked.shard_bytes]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _sets(asked: Packing, pattern: Pattern, index: FolderIndex, samples: Sequence[Sample]) -> _Sets:
    """Which samples go to which shard. Raises GrowlangError where there are none to train on."""
    if not samples:
        raise GrowlangError(f"no image in {asked.folder} can be used")
    apart = {s.row for s in samples if is_held_out(s.name, asked.holdout)}
    training = [s for s in samples if s.row not in apart]
    held_out = [s for s in samples if s.row in apart]
    if asked.holdout and not (training and held_out):
        raise GrowlangError(
            f"--holdout {asked.holdout:.3g} of {len(samples)} images leaves "
            f"{len(held_out)} held out and {len(training)} to train on",
            help="an image is chosen by its name: choose another share",
        )
    patterns = [pattern, pattern.held_out()] if held_out else [pattern]
    sizes: Sequence[int] = np.maximum(index.rows["image_bytes"], 0).tolist()
    both = [(pattern, training), (pattern.held_out(), held_out)][: len(patterns)]
    shards = [plan(p, [s.row for s in some], sizes, asked.shard_bytes) for p, some in both]
    return _Sets(training, held_out, patterns, shards)


def _prepared(asked: Packing, pattern: Pattern, index: FolderIndex) -> Record:
    """The record to go on with. Raises GrowlangError for other shards, unless they are replaced."""
    patterns = pattern, pattern.held_out()
    return prepare(patterns, _digest(asked, index), asked.force, asked.instead)


def _write(
    sets: _Sets, index: FolderIndex, record: Record, budget: Budget, report: Report
) -> list[Corrupt]:
    """Write the shards that are not done; returns the samples that were left out of all."""
    path = sets.patterns[0].record()
    by_row = {s.row: s for some in (sets.training, sets.held_out) for s in some}
    shards = [shard for planned in sets.shards for shard in planned]
    root = index.shards[0]
    done = [shard for shard in shards if record.has(shard)]
    left_out = [Corrupt(root, *out) for s in done for out in record.done[str(s.path)]]
    budget.count(left_out)
    finished = sum(len(shard.rows) for shard in done)
    if done:
        report.say(f"{finished} of {len(by_row)} images are packed already")
    path.parent.mkdir(parents=True, exist_ok=True)
    record.save(path)
    with report.counting(len(by_row), finished), ThreadPoolExecutor(THREADS) as pool:
        for shard in shards:
            if shard in done:
                continue
            out: list[Corrupt] = []
            found = members(index, [by_row[row] for row in shard.rows], pool)
            write_tar(shard.path, _usable(found, out, budget, report))
            if len(out) == len(shard.rows):
                shard.path.unlink()  # an empty one cannot be read
            record.done[str(shard.path)] = [(one.key, one.reason) for one in out]
            record.save(path)
            finished += len(shard.rows)
            left_out += out
            report.finish(shard.path, finished, len(by_row))
    return left_out


def _usable(
    found: Iterator[list[Member] | Corrupt], out: list[Corrupt], budget: Budget, report: Report
) -> Iterator[Member]:
    """The files of the samples that can be used; the others are counted."""
    for one in found:
        report.count(1)
        if isinstance(one, Corrupt):
            out.append(one)
            budget.count([one])
        else:
            yield from one


def _kept(
    sets: _Sets, index: FolderIndex, record: Record, left_out: Sequence[Corrupt]
) -> list[list[Sample]]:
    """The samples that are in the shards to train on, and in those that are held out.

    Raises GrowlangError where either has lost all of its images: the next call tries again.
    """
    gone = {one.key: one for one in left_out}
    both = sets.training, sets.held_out
    found = [[s for s in some if index.key(s.row) not in gone] for some in both]
    for shards, some, what in zip(sets.shards, found, ("to train on", "held out"), strict=False):
        if some:
            continue
        for shard in shards:
            record.done.pop(str(shard.path), None)
        record.save(sets.patterns[0].record())
        lost = [gone[index.key(row)] for shard in shards for row in shard.rows]
        raise GrowlangError(
            f"none of the {len(lost)} images {what} can be used: {lost[0]}",
            help="replace them: --max-corrupt leaves out images where others are left",
        )
    return found


def _written(sets: _Sets, kept: Sequence[Sequence[Sample]]) -> list[list[int]]:
    """The numbers of the shards to train on, and of those that are held out, that hold samples."""
    rows = {sample.row for some in kept for sample in some}
    return [
        [n for n, shard in enumerate(of) if not rows.isdisjoint(shard.rows)] for of in sets.shards
    ]


# --- what was packed -----------------------------------------------------------------------------


def _packed(
    asked: Packing,
    index: FolderIndex,
    urls: Sequence[str],
    kept: Sequence[Sequence[Sample]],
    left_out: Sequence[Corrupt],
) -> Packed:
    everything = [sample for some in kept for sample in some]
    labels = [s.label for s in everything if s.label is not None]
    names, count = named_or_counted(labels)
    width, height = index.pixels(np.array([s.row for s in everything], np.intp))
    least = int(np.minimum(width, height).argmin())
    both = [_source(pattern, index, everything) for pattern in urls]
    return Packed(
        name=asked.name or name_of(str(asked.folder)),
        data=both[0],
        holdout=both[1] if both[1:] else None,
        images=len(kept[0]),
        held_out=len(kept[1]),
        classes=names,
        class_count=count,
        smallest=(int(width[least]), int(height[least])),
        left_out=tuple(map(str, left_out)),
    )


def _source(urls: str, index: FolderIndex, samples: Sequence[Sample]) -> WebDataset:
    """The shards as a source of data: their most frequent ending is the preferred one."""
    endings = [ending for ending, _ in Counter(s.ending for s in samples).most_common()]
    return WebDataset(
        urls=urls,
        image=endings if endings[1:] else endings[0],
        caption="txt" if index.has("caption") else None,
        label="cls" if index.has("label") else None,
    )


def _summary(packed: Packed, shards: int) -> str:
    apart = f" and {packed.held_out} that are held out" if packed.held_out else ""
    width, height = packed.smallest
    return (
        f"packed {packed.images} images{apart} into {shards} shard{'s' * (shards != 1)}; "
        f"the smallest is {width}x{height} pixels"
    )
