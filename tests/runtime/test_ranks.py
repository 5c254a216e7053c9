"""Processes of a group that fail: one says why, and all end with its status."""

from __future__ import annotations

import pytest
import typer
from torch import distributed
from torch.distributed import distributed_c10d

from growlang.cli.voices import one_voice
from growlang.diagnostics import Exit, GrowlangError
from growlang_runtime.distributed import ranks


def test_all_end_with_the_status_of_the_first_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    store = distributed.HashStore()
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(ranks, "is_joined", lambda: True)
    monkeypatch.setattr(distributed_c10d, "_get_default_store", lambda: store)
    monkeypatch.setattr(distributed, "get_backend", lambda: "nccl")
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)

    def fails(rank: int, error: Exception) -> None:
        monkeypatch.setattr(distributed, "get_rank", lambda: rank)
        with one_voice():
            raise error

    full = GrowlangError("the disk is full", exit_status=Exit.FULL)
    with pytest.raises(GrowlangError) as first:
        fails(1, full)
    with pytest.raises(typer.Exit) as second:
        fails(0, RuntimeError("[gloo/transport/tcp] Connection closed by peer"))
    assert first.value is full
    assert second.value.exit_code == Exit.FULL
