"""Faults of the data and the disk in mid-run: each is told, and what resumes is the unbroken run.

What users of trainers complain about most, and the test that covers it. Those of several processes are
in `test_many_processes.py`; what is not named otherwise is in `tests/runtime`.

| promise | test |
|---|---|
| freeze, save, load, unfreeze keeps moments | test_stored_runs, test_many_processes: `..._over_freezing_and_unfreezing` |
| what is unfrozen stays so on resume | test_trainer: `test_a_tensor_has_moments_from_its_first_update_on`; test_many_processes |
| no state is there twice on resume | test_checkpoint: `test_a_checkpoint_gives_back_what_was_saved` |
| the first resumed step's loss is the unbroken run's | below: `test_the_losses_after_a_resume_are_those_of_the_unbroken_run` |
| another number of processes gives the same samples | test_images: `test_a_process_may_read_any_draws`; test_many_processes |
| no process has state of its own | test_many_processes: `test_a_run_goes_from_two_processes_to_one_and_back` |
| the same order for 0, 1 and 2 workers after a resume | below: `test_the_number_of_workers_changes_nothing_after_a_resume` |
| a resume at a phase's end skips nothing | below: `test_a_resume_at_the_end_of_a_phase_skips_nothing` |
| partial checkpoints are never chosen | test_checkpoint: `test_the_newest_valid_one_is_found_and_torn_ones_are_named` |
| after any kill the newest valid step | test_interruption: `test_a_killed_process_goes_on_bit_for_bit` |
| SIGTERM saves within a step | test_interruption: `test_an_interrupted_run_goes_on_bit_for_bit` |
| the rate at step k depends on k alone | test_learning_rate; test_trainer: `test_micro_batches_give_the_same_gradients` |
| a NaN changes no weight and is logged | below: `test_a_batch_with_nan_changes_nothing_and_is_told`; test_nonfinite |
| averages go by name | test_checkpoint; with shards test_many_processes: `test_what_is_saved_is_what_is_loaded` |
| sampling leaves the weights as they are | below: `test_drawing_leaves_the_weights_as_they_are` |
| Ctrl-C leaves nothing that blocks the next start | test_interruption, test_run: locks are given back by the system |
| the logged norm is that of all processes | test_many_processes: `test_two_train_as_one_over_freezing_and_unfreezing` |
| metrics have one line a step after a resume | test_interruption: `test_a_killed_process_goes_on_bit_for_bit` |
| errors of the spec come before data and weights | test_refusals, test_check; test_trainer: `..._before_the_first_step_leaves_no_folder` |
"""  # noqa: E501

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import interrupt_at, metrics, phase, plan, state, train, write_data

from growlang.diagnostics import GrowlangError
from growlang_runtime.data import shards
from growlang_runtime.data.images import Images
from growlang_runtime.data.mix import Example
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.storage import checkpoint

GIVEN = plan([phase(steps=6)])
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, act: Callable[[], object]) -> None:
    """Do something once the metrics of a step are written."""
    write = Metrics.write

    def then(self: Metrics, **values: Any) -> None:
        write(self, **values)
        if values["step"] == step and "loss" in values:
            act()

    monkeypatch.setattr(Metrics, "write", then)


def remove(folder: Path) -> None:
    (folder / "data.tar").rename(folder / "aside.tar")
    shards._handle.cache_clear()  # as where there are more shards than open files


def replace(folder: Path) -> None:
    shutil.copy(folder / "data.tar", folder / "aside.tar")
    (folder / "other").mkdir()
    write_data(folder / "other", captions=[b"shade 9"] * 6)
    (folder / "other/data.tar").replace(folder / "data.tar")
    os.utime(folder / "data.tar", (1, 1))
    shards._handle.cache_clear()


def overwrite(folder: Path) -> None:
    shutil.copy(folder / "data.tar", folder / "aside.tar")
    with (folder / "data.tar").open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        file.write(bytes(size))
    os.utime(folder / "data.tar", (1, 1))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (remove, r"cannot read .*data\.tar at byte \d+: .*No such file"),
        (replace, r"data\.tar has changed: it was replaced or written to"),
        (overwrite, r"data\.tar has changed: it was replaced or written to"),
    ],
)
def test_a_shard_that_is_gone_or_another_in_mid_run_is_told_and_the_run_goes_on_with_the_old_one(
    data: Path, fault: Callable[[Path], None], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(GIVEN, data)
    monkeypatch.setattr(shards, "RETRIES", (0.0, 0.0))
    with monkeypatch.context() as patch, pytest.raises(GrowlangError, match=told):
        at_step(patch, 2, lambda: fault(data))
        train(GIVEN, data, "broken", checkpoint_every=1)
    if fault is not remove:
        with pytest.raises(GrowlangError):
            train(GIVEN, data, "broken", resume="must")
    (data / "aside.tar").replace(data / "data.tar")
    assert state(train(GIVEN, data, "broken", resume="must")) == state(whole)


def test_a_batch_with_nan_changes_nothing_and_is_told(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = Images.draw

    def broken(self: Images, p: int, out: torch.Tensor | None = None) -> Example:
        example = draw(self, p, out)
        if p == 9:  # of step 3
            example.image[0, 2, 2] = float("nan")
        return example

    monkeypatch.setattr(Images, "draw", broken)
    result = train(GIVEN, data, checkpoint_every=1, keep_checkpoints=9)
    folder = result.run / "checkpoints"
    before, after = (checkpoint.read(folder / f"step_0000000{n}").tensors() for n in (2, 3))
    assert all(torch.equal(before[name], after[name]) for name in before)
    (skipped,) = [line for line in metrics(result.run) if line.get("event") == "skipped"]
    assert (skipped["step"], skipped["loss"]) == (3, "nan")
    assert result.finished


@pytest.mark.parametrize("workers", [(0, 2), (2, 0), (1, 2)])
def test_the_number_of_workers_changes_nothing_after_a_resume(
    data: Path, workers: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(GIVEN, data)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3)
        train(GIVEN, data, "cut", workers=workers[0])
    resumed = train(GIVEN, data, "cut", resume="must", workers=workers[1])
    assert state(resumed) == state(whole)


def losses(run: Path) -> list[tuple[int, float]]:
    return [(line["step"], line["loss"]) for line in metrics(run) if "loss" in line]


def test_the_losses_after_a_resume_are_those_of_the_unbroken_run(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(GIVEN, data)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3)
        train(GIVEN, data, "cut")
    assert losses(train(GIVEN, data, "cut", resume="must").run) == losses(whole.run)


def test_a_resume_at_the_end_of_a_phase_skips_nothing(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = plan([phase("first", steps=3), phase("second", steps=3, seed=1)])
    whole = train(given, data)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 3)
        train(given, data, "cut")
    resumed = train(given, data, "cut", resume="must")
    assert losses(resumed.run) == losses(whole.run)
    assert [step for step, _ in losses(resumed.run)] == [1, 2, 3, 4, 5, 6]
    assert state(resumed) == state(whole)


def test_drawing_leaves_the_weights_as_they_are(data: Path) -> None:
    assert state(train(GIVEN, data, sample_every=1)) == state(train(GIVEN, data, "seldom"))


# --- file systems --------------------------------------------------------------------------------

SCRIPT = """
import sys
from pathlib import Path
from growlang.diagnostics import GrowlangError
from growlang_runtime.train import training
from growlang_runtime.train.options import RunOptions
from tiny import phase, plan

for out in map(Path, sys.argv[2:]):
    options = RunOptions(
        data_root=Path(sys.argv[1]), out=out, log_every=1, checkpoint_every=10**6, quiet=True
    )
    try:
        print(training.train(plan([phase(steps=2 if out.name == "fine" else 1000)]), options))
    except GrowlangError as error:
        print("refused:", error.message)
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="file systems cannot be mounted here")
def test_data_and_its_cache_may_be_read_only_and_a_run_may_not_nor_a_disk_be_full(
    data: Path,
) -> None:
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    only, still, full, fine = (data / name for name in ("only", "still", "full", "fine"))
    for folder in (only, still, full, fine):
        folder.mkdir()
    shutil.copy(data / "data.tar", only)
    mounts = [f"mount --bind {f} {f} && mount -o remount,ro,bind {f}" for f in (only, still)]
    mounts.append(f"mount -t tmpfs -o size=64k none {full}")
    run = [sys.executable, "-c", SCRIPT, *map(str, (only, still, full, fine))]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", " && ".join([*mounts, 'exec "$@"']), "sh", *run],
        env=ENVIRONMENT | {"XDG_CACHE_HOME": f"{only}/cache"},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    refused, filled, trained = done.stdout.splitlines()
    assert refused.startswith("refused: ") and str(still) in refused
    assert filled.startswith("refused: cannot write ") and "the disk" in filled
    assert "fine" in trained
    assert "cannot cache the index of the shards" in done.stderr
    assert "Read-only file system" in done.stderr
    assert (fine / "tiny/main/model.safetensors").exists()


MEMORY = """
import os, sys
from pathlib import Path
from growlang_runtime.report.metrics import Metrics
from tiny import phase, plan, train, write_data

real, found = Metrics.write, {}


def write(self, **values):
    real(self, **values)
    if "loss" in values and values["step"] in (200, 2000):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        found[values["step"]] = pages * os.sysconf("SC_PAGE_SIZE")


Metrics.write = write
train(plan([phase(steps=2000)]), write_data(Path(sys.argv[1])), quiet=True, log_every=100)
print(found[200], found[2000])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells the memory")
def test_memory_does_not_grow_over_2000_steps(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)],
        env=ENVIRONMENT,
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    early, late = map(int, done.stdout.split())
    print(f"{early / 2**20:.1f} MiB after 200 steps, {late / 2**20:.1f} MiB after 2,000")
    assert late < 1.05 * early
