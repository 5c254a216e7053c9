"""TF32 and determinism: set before CUDA starts, read back, recorded; previews leave nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny import interrupt_at, metrics, net, phase, plan, train

from growlang.diagnostics import GrowlangError
from growlang_runtime.sample import without_tf32
from growlang_runtime.storage import checkpoint
from growlang_runtime.train import precision
from growlang_runtime.train.precision import CUBLAS, WORKSPACE, Flags, apart, computing

CPU = torch.device("cpu")
PROBE = Path(__file__).parents[1] / "fixtures" / "runtime" / "cuda_starts.py"


@pytest.mark.parametrize("flags", [Flags(False, False), Flags(True, False), Flags(True, True)])
def test_flags_are_set_read_back_and_put_back(flags: Flags) -> None:
    before = precision.read()
    with computing(flags, {}):
        assert precision.read() == flags
        assert torch.backends.cudnn.allow_tf32 == flags.tf32
        assert torch.backends.cudnn.deterministic == flags.deterministic
    assert precision.read() == before


def test_samples_are_drawn_without_tf32() -> None:
    with computing(Flags(tf32=True, deterministic=False), {}):
        with without_tf32():
            assert precision.read() == Flags(tf32=False, deterministic=False)
            assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32


def test_what_determinism_needs_is_set_only_before_cuda_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables: dict[str, str] = {}
    with computing(Flags(False, True), variables):
        assert variables == {CUBLAS: WORKSPACE}
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with computing(Flags(False, True), dict(variables)), computing(Flags(False, False), {}):
        pass
    words = f"needs the variable {CUBLAS}, which is not set, and CUDA has started"
    with pytest.raises(GrowlangError, match=words) as error, computing(Flags(False, True), {}):
        pass
    assert f"export {CUBLAS}={WORKSPACE}" in error.value.help
    odd = {CUBLAS: ":0:0"}
    with pytest.raises(GrowlangError, match="which is :0:0"), computing(Flags(False, True), odd):
        pass


def test_a_process_has_the_variable_when_it_first_asks_for_a_gpu(data: Path) -> None:
    """A real process, which ends at its first call of CUDA and tells the variable."""
    (data / "plan.json").write_text(plan([phase(steps=1)]).model_dump_json())
    command = [sys.executable, str(PROBE), str(data)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, WORKSPACE), done.stderr


def test_flags_are_in_checkpoints_and_a_difference_is_told_on_resume(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(CUBLAS, WORKSPACE)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        stopped = train(plan(), data, quiet=True, deterministic=True, tf32=True)
    found, _ = checkpoint.newest(stopped.run / "checkpoints")
    assert found is not None
    environment = found.record.environment
    assert (environment.deterministic, environment.tf32, environment.compile) == (True, True, False)
    train(plan(), data, resume="must")
    told = [line["text"] for line in metrics(stopped.run) if line.get("event") == "warning"]
    ending = "the result will not be bit-for-bit identical to an uninterrupted run"
    assert told == [
        f"tf32 is False, but was True: {ending}",
        f"deterministic is False, but was True: {ending}",
    ]


def test_a_preview_has_an_autocast_of_its_own_without_the_cache() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        with apart(CPU):
            assert not torch.is_autocast_enabled("cpu")
            assert not torch.is_autocast_cache_enabled()
        assert torch.is_autocast_enabled("cpu")
        assert torch.is_autocast_cache_enabled()


def test_a_grid_during_training_in_bf16_changes_nothing(data: Path) -> None:
    given = plan([phase(precision="bf16")], net())
    plain = train(given, data, "plain", quiet=True)
    drawn = train(given, data, "drawn", quiet=True, sample_every=1)
    assert (plain.run / "model.safetensors").read_bytes() == (
        drawn.run / "model.safetensors"
    ).read_bytes()
