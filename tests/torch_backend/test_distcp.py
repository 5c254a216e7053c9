"""Checkpoints that several processes write: what each does with its own file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from growlang.torch_backend import distcp


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
