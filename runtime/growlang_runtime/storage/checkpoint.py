"""Checkpoints: folders that appear whole or not at all, and whose contents are checked.

`step_00000100/state.safetensors` holds the tensors, `state.json` the rest with checksums. A folder
is written under a temporary name, flushed to the disk and renamed; a reader checks the sums.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.net import digest
from growlang.plans.tensor_file import header_bytes
from growlang.plans.weights_header import RECORD, STATE, checkpoints_of

TENSORS = STATE
DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""What the format calls the dtypes that training writes."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Error numbers of a full disk, an exhausted quota and a file size limit."""


class TornCheckpoint(Exception):
    """A checkpoint whose contents do not match its record; the message says what is wrong."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose contents were checked."""

    path: Path
    record: dict[str, Any]

    @property
    def step(self) -> int:
        """Steps of the run that were done."""
        return int(self.record["step"])

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix`, named without it."""
        with safe_open(self.path / TENSORS, framework="pt") as file:
            return {
                name.removeprefix(prefix): file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118 - not a dict
                if name.startswith(prefix)
            }


def checkpoint_name(step: int) -> str:
    """Name of the folder of a step."""
    return f"step_{step:08d}"


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Tensor],
    record: Mapping[str, Any],
    metadata: Mapping[str, str],
) -> Path:
    """Write the checkpoint of `step` into `folder`, atomically; a valid one is kept as it is.

    Raises GrowlangError if the disk is full; nothing that was there before is touched then.
    """
    final = folder / checkpoint_name(step)
    if final.exists():
        try:
            return read(final).path
        except TornCheckpoint:
            shutil.rmtree(final)
    temporary = folder / f".{final.name}.tmp"
    with whole(temporary, final):
        temporary.mkdir(parents=True)
        write_tensors(temporary / TENSORS, tensors, metadata)
        sums = {
            "bytes": (temporary / TENSORS).stat().st_size,
            "sha256": sha256_of(temporary / TENSORS),
        }
        body = {"step": step, **record, "files": {TENSORS: sums}}
        text = json.dumps({**body, "checksum": digest(body)}, indent=1)
        write_text(temporary / RECORD, text)
        _flush(temporary)
    return final


RESUME = "free disk space, then continue with --resume; older checkpoints are untouched"
"""The help for a full disk during training."""


@contextmanager
def whole(temporary: Path, final: Path, help: str = RESUME) -> Iterator[None]:
    """Rename `temporary`, a file or folder that the body writes, to `final`; or remove it.

    Raises GrowlangError if the disk is full, with `final` untouched.
    """
    _remove(temporary)
    try:
        with disk_full(final, help):
            yield
            os.replace(temporary, final)
            _flush(final.parent)
    finally:
        _remove(temporary)


@contextmanager
def disk_full(path: Path, help: str = RESUME) -> Iterator[None]:
    """Turn a full disk in the body into a GrowlangError about `path`."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        free = shutil.disk_usage(_existing(path)).free
        raise GrowlangError(
            f"cannot write {path}: the disk is full, or a quota or file size limit is reached "
            f"({free / 2**20:,.0f} MiB free on the disk)",
            help=help,
        ) from error


def require_place(path: Path, option: str) -> None:
    """Raise GrowlangError unless `path`, which `option` named, can be created here.

    A nameless file is tried in the nearest folder that exists: permissions alone are not enough.
    """
    try:
        path.with_name(f".{path.name}.tmp").exists()  # raises for a name that is too long
        folder = next(p for p in path.absolute().parents if p.exists())
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if error.errno in FULL:
            return
        raise GrowlangError(
            f"cannot write {path}: {error.strerror}",
            help=f"choose another path with {option}",
        ) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file and flush it to the disk: what is equal gives equal bytes.

    The format's own writer orders metadata as its hash map does, each time another way.
    """
    layouts = {name: (DTYPES[t.dtype], tuple(t.shape)) for name, t in tensors.items()}
    start, order = header_bytes(layouts, metadata)
    with path.open("wb") as file:
        file.write(start)
        for name in order:
            file.write(bytes_of(tensors[name]))
        file.flush()
        os.fsync(file.fileno())


def bytes_of(tensor: Tensor) -> memoryview:
    """The values of a tensor as they lie in memory, in the order of its axes."""
    values = tensor.detach().cpu().contiguous()
    return values.reshape(-1).view(torch.uint8).numpy().data


def write_text(path: Path, text: str) -> None:
    """Write a text file and flush it to the disk."""
    path.write_text(text, encoding="utf-8")
    _flush(path)


def read(path: Path) -> Checkpoint:
    """The checkpoint at `path`. Raises TornCheckpoint if its contents are not as recorded."""
    found = _of_the_recorded_size(path)
    for name, sums in found.record["files"].items():
        if sha256_of(path / name) != sums["sha256"]:
            raise TornCheckpoint(f"{name} does not match its checksum")
    return found


def _of_the_recorded_size(path: Path) -> Checkpoint:
    """The checkpoint at `path`, of which only the record's checksum and the sizes were checked."""
    try:
        record = json.loads((path / RECORD).read_text(encoding="utf-8"))
        checksum = record.pop("checksum")
        files = record["files"].items()
    except FileNotFoundError as error:
        raise TornCheckpoint(f"{RECORD} is missing") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TornCheckpoint(f"{RECORD} cannot be read: {error}") from error
    if digest(record) != checksum:
        raise TornCheckpoint(f"{RECORD} does not match its checksum")
    for name, sums in files:
        file = path / name
        size = file.stat().st_size if file.exists() else None
        if size != sums["bytes"]:
            raise TornCheckpoint(f"{name} has {size or 0} bytes instead of {sums['bytes']}")
    return Checkpoint(path, record)


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
        if kept < keep and _is_of_the_recorded_size(path):
            kept += 1
        else:
            shutil.rmtree(path)


def _is_of_the_recorded_size(path: Path) -> bool:
    try:
        _of_the_recorded_size(path)
    except TornCheckpoint:
        return False
    return True


def forget_after(folder: Path, found: Checkpoint | None) -> None:
    """Remove what is newer than the newest valid checkpoint: torn ones, which `newest` named.

    Left there they would count among the newest, and valid ones would be pruned in their place.
    """
    for path in checkpoints_of(folder):
        if found is None or path.name > found.path.name:
            shutil.rmtree(path)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _existing(path: Path) -> Path:
    return next(p for p in (path, *path.resolve().parents) if p.exists())


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
