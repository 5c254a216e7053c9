"""The benchmark of one GPU: it says that there is none, and its code runs on a CPU."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks import gpu


def test_without_a_gpu_it_says_so_and_exits_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 2
    assert "no CUDA device: --small --device cpu" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of PyTorch's compiler about itself
def test_all_of_it_runs_small_on_a_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(["--small", "--device", "cpu", "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(found) == [
        "gpu: step of the core / by hand in bf16",
        "gpu: step of the core",
        "gpu: steps with data from the disk / on the device",
        "gpu: with a checkpoint every 4 steps / without",
        "gpu: step of the core, compiled / eager",
        "gpu: step of the grown model, phase frozen",
        "gpu: step of the grown model, phase joint",
    ]
    assert all(row["value"] > 0 for row in found.values())
