"""Checkpoints that several processes write: each one's file, and the index, which is a pickle."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path

import pytest
import torch

from growlang.diagnostics import GrowlangError
from growlang.torch_backend import distcp

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}


def called(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls `module.name(argument)` when it is loaded."""

    def text(value: str) -> bytes:
        return pickle.SHORT_BINUNICODE + bytes([len(value)]) + value.encode()

    call = text(argument) + pickle.TUPLE1 + pickle.REDUCE
    named = text(module) + text(name) + pickle.STACK_GLOBAL
    return pickle.PROTO + bytes([4]) + named + call + pickle.STOP


def record(folder: Path, index: bytes) -> Path:
    """Make these bytes the folder's index, as its record says."""
    (folder / ".metadata").write_bytes(index)
    table = {n: ("BF16" if n == "b" else "F32", list(t.shape)) for n, t in TENSORS.items()}
    said = {
        "files": {".metadata": {"sha256": hashlib.sha256(index).hexdigest()}},
        "header": {"metadata": {}, "tensors": table},
    }
    (folder / "state.json").write_text(json.dumps(said))
    return folder


def read(folder: Path) -> dict[str, torch.Tensor]:
    found = {name: torch.zeros_like(tensor) for name, tensor in TENSORS.items()}
    distcp.read(folder, found)
    return found


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_what_was_written_is_read(tmp_path: Path) -> None:
    distcp.write(tmp_path, TENSORS)
    found = read(record(tmp_path, (tmp_path / ".metadata").read_bytes()))
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("torch.distributed.checkpoint.filesystem", "os.system"),
        ("torch.distributed.checkpoint.filesystem", "FileSystemWriter"),
        ("torch.distributed.checkpoint.metadata", "os.system"),
        ("torch", "os.system"),
        ("os", "system"),
    ],
)
def test_an_index_that_names_anything_else_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(os, "system", ran.append)
    record(tmp_path, called(module, name, "a command"))
    with pytest.raises(GrowlangError, match=f"cannot be used: it names {module}.{name}"):
        read(tmp_path)
    assert ran == []


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"\x80\x04",
        called("torch.distributed.checkpoint.metadata", "StorageMeta.gone", ""),
        called("pathlib._local", "WindowsPath", "x") + b"more",
        called("torch", "Size", "x"),
        called("torch.distributed.checkpoint.metadata", "MetadataIndex", "x"),
        pickle.dumps({}),
    ],
)
def test_a_damaged_index_is_told(tmp_path: Path, index: bytes) -> None:
    with pytest.raises(GrowlangError, match=r"the index .* of a checkpoint cannot be used"):
        read(record(tmp_path, index))


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_a_process_flushes_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    flush = os.fsync

    def noted(descriptor: int) -> None:
        flushed.append(os.fstat(descriptor).st_ino)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    distcp.write(tmp_path, {"a": torch.ones(2)})
    assert (tmp_path / "__0_0.distcp").stat().st_ino in flushed
