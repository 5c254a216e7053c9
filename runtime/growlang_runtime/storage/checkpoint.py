"""Checkpoints: folders that appear whole or not at all, and whose contents are checked.

`step_00000100/state.safetensors` holds the tensors, `state.json` the rest with checksums; where
several processes train, each has a file of tensors. A folder is written under a temporary name,
flushed to the disk and renamed; a reader checks the sums.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from growlang.net import digest
from growlang.plans.weights_header import (
    CHECKPOINT,
    RECORD,
    STATE,
    checkpoints_of,
    mistake,
    state_of,
)
from growlang_runtime.distributed.ranks import ALONE, Ranks
from growlang_runtime.storage import tensors as tensor_files
from growlang_runtime.storage.files import disk_full, saved
from growlang_runtime.storage.record import FileSum, Record
from growlang_runtime.storage.sums import sha256_of

if TYPE_CHECKING:
    from torch import Tensor

TENSORS = STATE
BEST = "best"
"""The checkpoint whose averaged weights had the lowest loss in validation; it is never pruned."""
ASIDE = f".{BEST}.old"
"""Where the best checkpoint lies while another takes its place."""
COMPLETE = f".{BEST}.new"
"""Where a new best checkpoint is written before it takes its place."""
HALF_WRITTEN = re.compile(rf"\.({CHECKPOINT.pattern}|{re.escape(COMPLETE)})\.tmp")
"""Name of a folder in which a checkpoint is written, before it has its own."""


class TornCheckpoint(Exception):
    """A checkpoint whose contents do not match its record; the message says what is wrong."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose contents were checked."""

    path: Path
    record: Record
    files: Mapping[str, FileSum]

    @property
    def step(self) -> int:
        """Steps of the run that were done."""
        return self.record.step

    @property
    def state(self) -> Path:
        """What stands for its tensors: their file, or the record of several."""
        return state_of(self.path)

    @property
    def sha256(self) -> str:
        """What tells it from others: the SHA-256 of its file of tensors, or of several sums."""
        if len(self.files) == 1:
            return next(iter(self.files.values())).sha256
        return digest({name: sums.sha256 for name, sums in self.files.items()})

    @property
    def names(self) -> set[str]:
        """The names of its tensors."""
        return tensor_files.names(self.path)

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix`, named without it."""
        return tensor_files.read(self.path, prefix)

    def fill(self, targets: Mapping[str, Tensor]) -> None:
        """Read tensors in place, of sharded ones the rows that this process holds."""
        tensor_files.fill(self.path, targets)


def checkpoint_name(step: int) -> str:
    """Name of the folder of a step."""
    return f"step_{step:08d}"


def save(
    folder: Path,
    record: Record,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    ranks: Ranks = ALONE,
) -> Path:
    """Write a checkpoint into `folder`, atomically; a valid one of its step is kept as it is.

    All processes write it together. Raises GrowlangError if the disk is full; nothing that was
    there before is touched then.
    """
    final = folder / checkpoint_name(record.step)
    if not ranks.tell(lambda: _is_there(final)):
        with _saved(final, ranks) as temporary:
            _fill(temporary, record, tensors, metadata, ranks)
    return final


def _is_there(final: Path) -> bool:
    """Whether there is a valid checkpoint; one that is torn is removed."""
    if not final.exists():
        return False
    try:
        read(final)
    except TornCheckpoint:
        shutil.rmtree(final)
        return False
    return True


@contextmanager
def _saved(final: Path, ranks: Ranks) -> Iterator[Path]:
    """As `saved`, for several processes: the first one makes room, and renames what all wrote."""
    with ExitStack() as stack, disk_full(final):
        yield ranks.tell(lambda: stack.enter_context(saved(final)))
        ranks.tell(stack.close)


def save_best(
    folder: Path,
    record: Record,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    ranks: Ranks = ALONE,
) -> Path:
    """Write the checkpoint of the best weights so far in place of the one that was there.

    A folder cannot replace another in one step: for a moment the older one lies aside, where
    `best_path` finds it. Raises GrowlangError if the disk is full; the older one stays then.
    """
    final, complete = folder / BEST, folder / COMPLETE
    ranks.tell(lambda: restore_best(folder))
    with _saved(complete, ranks) as temporary:
        _fill(temporary, record, tensors, metadata, ranks)
    ranks.tell(lambda: _replace_best(folder, complete))
    return final


def _replace_best(folder: Path, complete: Path) -> None:
    final = folder / BEST
    if final.exists():
        os.replace(final, folder / ASIDE)
    os.replace(complete, final)
    shutil.rmtree(folder / ASIDE, ignore_errors=True)


def best_path(folder: Path) -> Path | None:
    """The checkpoint of the best weights in a folder of checkpoints; None where there is none."""
    found = (path for path in (folder / BEST, folder / ASIDE) if path.is_dir())
    return next(found, None)


def restore_best(folder: Path) -> None:
    """Put the best weights back where a process ended while it replaced them."""
    aside = folder / ASIDE
    if aside.is_dir() and not (folder / BEST).exists():
        os.replace(aside, folder / BEST)
    for left in (aside, folder / COMPLETE):
        shutil.rmtree(left, ignore_errors=True)


def _fill(
    at: Path,
    record: Record,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    ranks: Ranks,
) -> None:
    """Write the files of a checkpoint into a new folder; the record comes last."""
    ranks.tell(lambda: at.mkdir(parents=True))
    said = tensor_files.write(at, tensors, metadata, ranks)
    body = {**record.model_dump(mode="json"), **said}
    text = json.dumps({**body, "checksum": digest(body)}, indent=1)
    ranks.tell(lambda: (at / RECORD).write_text(text, encoding="utf-8"))


def read(path: Path) -> Checkpoint:
    """The checkpoint at `path`. Raises TornCheckpoint if its contents are not as recorded."""
    found = _of_the_recorded_size(path)
    for name, sums in found.files.items():
        try:
            same = sha256_of(path / name) == sums.sha256
        except FileNotFoundError:  # a run that goes on has removed it meanwhile
            raise TornCheckpoint(f"{name} is gone") from None
        if not same:
            raise TornCheckpoint(f"{name} does not match its checksum")
    return found


def _of_the_recorded_size(path: Path) -> Checkpoint:
    """The checkpoint at `path`, of which only the record's checksum and the sizes were checked."""
    said = _read_record(path / RECORD)
    try:
        files = {name: FileSum.model_validate(sums) for name, sums in said["files"].items()}
        record = Record.model_validate(said)
    except ValidationError as error:
        raise TornCheckpoint(f"{RECORD} cannot be read: {mistake(error)}") from error
    for name, sums in files.items():
        file = path / name
        size = file.stat().st_size if file.exists() else None
        if size != sums.bytes:
            raise TornCheckpoint(f"{name} has {size or 0} bytes instead of {sums.bytes}")
    return Checkpoint(path, record, files)


def _read_record(path: Path) -> dict[str, Any]:
    """The JSON of a record as it was written, held to its checksum."""
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        checksum = said.pop("checksum")
        said["files"].items()
    except FileNotFoundError as error:
        raise TornCheckpoint(f"{RECORD} is missing") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TornCheckpoint(f"{RECORD} cannot be read: {error}") from error
    if digest(said) != checksum:
        raise TornCheckpoint(f"{RECORD} does not match its checksum")
    return said


def newest(folder: Path, before: int | None = None) -> tuple[Checkpoint | None, list[str]]:
    """The newest valid checkpoint in `folder`, and a line on each torn one that was skipped.

    Of those of an earlier step than `before`, where it is given.
    """
    skipped: list[str] = []
    end = "~" if before is None else checkpoint_name(before)
    for path in reversed([p for p in checkpoints_of(folder) if p.name < end]):
        try:
            return read(path), skipped
        except TornCheckpoint as torn:
            skipped.append(f"{path}: {torn}")
    return None, skipped


def prune(folder: Path, keep: int, always: frozenset[int]) -> None:
    """Remove all but the newest `keep` checkpoints, apart from the steps in `always`.

    One that is cut short does not count and goes too. Contents are not read, which would take as
    long as writing them: `forget_after` removes what a reader found to be damaged.
    """
    names = {checkpoint_name(step) for step in always}
    kept = 0
    for path in reversed(checkpoints_of(folder)):
        if path.name in names:
            continue
        if kept < keep and not damage(path):
            kept += 1
        else:
            shutil.rmtree(path)


def damage(path: Path) -> str:
    """What is wrong with a checkpoint by its record and the sizes of its files; "" if nothing."""
    try:
        _of_the_recorded_size(path)
    except TornCheckpoint as torn:
        return str(torn)
    return ""


def forget_after(folder: Path, found: Checkpoint | None) -> None:
    """Remove what is newer than the newest valid checkpoint: torn ones, which `newest` named.

    Left there they would count among the newest, and valid ones would be pruned in their place.
    What a killed process was writing goes too: only one that holds the run's lock may call this.
    """
    for path in checkpoints_of(folder):
        if found is None or path.name > found.path.name:
            shutil.rmtree(path)
    for path in folder.glob(".*.tmp"):
        if HALF_WRITTEN.fullmatch(path.name) and path.is_dir():
            shutil.rmtree(path)
