"""Two processes that train together do what one does, and any number goes on with their work."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import many
import numpy
import pytest
import torch
from PIL import Image
from scenes import PHASES, WATCHED, few_draws, grown, parent, scene
from tiny import metrics, plan, train, write_data

from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.distributed.launch import Launch, launch, rendezvous, starter
from growlang_runtime.distributed.ranks import ALONE
from growlang_runtime.report.runs import status_of
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.checkpoint import Checkpoint
from growlang_runtime.storage.weights import load, load_moments
from growlang_runtime.train.result import TrainResult

WORKER = Path(__file__).parent / "many.py"


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def python(*command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, *command]
    return subprocess.run(run, env=environment, capture_output=True, text=True)


def in_two(folder: Path, *scenes: str) -> subprocess.CompletedProcess[str]:
    """In processes that are forked from one, which starts sooner than by torchrun."""
    return python(str(WORKER), str(folder), *scenes)


def by_torchrun(folder: Path, *scenes: str) -> subprocess.CompletedProcess[str]:
    return python(*TORCHRUN, str(WORKER), str(folder), *scenes)


def test_torchrun_tells_each_process_its_place(tmp_path: Path) -> None:
    done = python(*TORCHRUN, "--no-python", "sh", "-c", f"env -0 > {tmp_path}/$RANK")
    assert done.returncode == 0, done.stderr
    for rank in (0, 1):
        said = (tmp_path / str(rank)).read_text().split("\0")
        environ = dict(line.split("=", 1) for line in said if line)
        assert launch(environ) == Launch(rank, 2, rank)
        assert starter(environ) == ["torchrun", "--nproc-per-node=2", "-m"]
        assert rendezvous(environ) == {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What one process and two made of the same plans."""
    path = write_data(tmp_path_factory.mktemp("many"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    train(parent(), path, "one", name="parent", quiet=True)
    train(plan(PHASES, scene()), path, "one", checkpoint_every=2, keep_checkpoints=9, quiet=True)
    train(grown(), path, "one", parent_run=path / "one" / "tiny" / "parent", quiet=True)
    with few_draws():
        train(WATCHED, path, "watched_one", sample_every=2, quiet=True)
    done = in_two(path, "whole_run", "child", "there_and_back", "nan", "refused", "watched")
    assert done.returncode == 0, done.stderr
    (path / "stderr.txt").write_text(done.stderr)
    yield path
    torch.set_num_threads(before)


def losses(run: Path) -> dict[int, float]:
    return {line["step"]: line["loss"] for line in metrics(run) if "loss" in line}


def last(run: Path) -> Checkpoint:
    found, torn = checkpoint.newest(run / "checkpoints")
    assert found is not None
    assert not torn
    return found


def said(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads((folder / f"{name}.{rank}.json").read_text()) for rank in (0, 1)]


def require_alike(one: Path, two: Path) -> None:
    """The same losses, counts and proofs; tensors that are as near as sums in another order."""
    assert losses(two) == pytest.approx(losses(one), abs=1e-5)
    a, b = last(one), last(two)
    assert a.record.counts == b.record.counts
    assert a.record.readings == b.record.readings
    assert a.names == b.names
    tensors = b.tensors()
    for name, tensor in a.tensors().items():
        torch.testing.assert_close(tensors[name], tensor, atol=1e-3, rtol=1e-3, msg=name)


def test_two_train_as_one_over_freezing_and_unfreezing(folder: Path) -> None:
    require_alike(folder / "one/tiny/main", folder / "two/tiny/main")
    proofs = [
        [(line["step"], line["at"], line["tensors"]) for line in metrics(run) if "at" in line]
        for run in (folder / "one/tiny/main", folder / "two/tiny/main")
    ]
    assert proofs[0] == proofs[1]


def test_a_child_goes_on_with_moments_as_in_one_process(folder: Path) -> None:
    require_alike(folder / "one/grown/main", folder / "two/grown/main")


def test_each_process_writes_a_file_and_the_finished_weights_are_one(folder: Path) -> None:
    names = {path.name for path in last(folder / "two/tiny/main").path.iterdir()}
    assert names == {".metadata", "__0_0.distcp", "__1_0.distcp", "state.json"}
    one, two = (load(folder / out / "tiny/main") for out in ("one", "two"))
    assert one.metadata == two.metadata
    assert one.tensors.keys() == two.tensors.keys()


def test_one_process_prints_and_writes(folder: Path) -> None:
    steps = [line["step"] for line in metrics(folder / "two/tiny/main") if "loss" in line]
    assert steps == list(range(1, 9))
    told = (folder / "stderr.txt").read_text()
    assert told.count(f"started {folder / 'two/tiny/main'}: 8 steps") == 1


def test_a_run_goes_from_two_processes_to_one_and_back(folder: Path) -> None:
    first, second = said(folder, "stopped")
    assert first["first"] == second["first"] == [2, 143]
    assert first["last"] == second["last"] == [8, 0]
    require_alike(folder / "one/tiny/main", folder / "cut/tiny/main")


def test_what_is_saved_is_what_is_loaded(folder: Path) -> None:
    """Whole states, by their hashes: of two processes by one, and of one by two."""
    first, second = said(folder, "stopped")
    _, by_one, by_two = first["loaded"]
    assert [first["saved"]["2"], first["saved"]["5"]] == [by_one, by_two]
    assert second["loaded"][1] == by_two


def test_nan_in_one_process_skips_the_step_in_both(folder: Path) -> None:
    run = folder / "nan/tiny/main"
    skipped = [line["step"] for line in metrics(run) if line.get("event") == "skipped"]
    assert skipped == [2]
    before, after = (checkpoint.read(run / f"checkpoints/step_{i:08d}") for i in (1, 2))
    assert before.record.counts == after.record.counts
    kept = after.tensors()
    assert all(torch.equal(tensor, kept[name]) for name, tensor in before.tensors().items())


def test_all_processes_end_with_one_message(folder: Path) -> None:
    first, second = said(folder, "refused")
    assert first == second
    assert "already exists" in first["there"][0]
    assert "has 1 images in a batch, and there are 2 processes" in first["small"][0]


def test_validation_and_samples_are_those_of_one_process(folder: Path) -> None:
    one, two = (folder / f"watched_{n}/tiny/main" for n in ("one", "two"))
    require_alike(one, two)
    found = [
        [line["averaged"] for line in metrics(run) if line.get("event") == "validation"]
        for run in (one, two)
    ]
    assert found[1] == pytest.approx(found[0], abs=1e-5)
    grids = [numpy.asarray(Image.open(run / "samples/step_00000004.png")) for run in (one, two)]
    assert numpy.abs(grids[0].astype(int) - grids[1]).max() <= 1


def test_a_torn_checkpoint_of_several_files_is_passed_over(folder: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(folder / "two/tiny/main", tmp_path / "run"))
    newest = last(run).path
    for name, change, reason in (
        ("__1_0.distcp", lambda data: data[:-1] + bytes([data[-1] ^ 1]), "checksum"),
        (".metadata", lambda data: data[:-1], "bytes instead of"),
    ):
        whole = (newest / name).read_bytes()
        (newest / name).write_bytes(change(whole))
        found, torn = checkpoint.newest(run / "checkpoints")
        assert found is not None
        assert found.step == 6
        assert name in torn[0]
        assert reason in torn[0]
        (newest / name).write_bytes(whole)


def test_what_reads_checkpoints_reads_those_of_several_processes(folder: Path) -> None:
    place = folder / "two/tiny/main/checkpoints/step_00000004"
    weights = load(place)
    assert weights.tensors.keys() == scene().table.keys()
    assert load_moments(place, weights.net).parts["first"].keys() == weights.tensors.keys()
    branched = train(
        plan(PHASES, scene()), folder, "branch", from_run=folder / "two/tiny/main@4", quiet=True
    )
    assert isinstance(branched, TrainResult)
    assert losses(branched.run) == pytest.approx(
        {step: loss for step, loss in losses(folder / "one/tiny/main").items() if step > 4},
        abs=1e-5,
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "killed_in_a_step"])
def test_what_is_killed_in_one_process_goes_on(folder: Path, tmp_path: Path, how: str) -> None:
    write_data(tmp_path)
    done = by_torchrun(tmp_path, how)
    assert done.returncode
    run = tmp_path / "killed/tiny/main"
    assert done.stderr.count("error: another process of this run ended: it was killed") == 1
    assert f"continue with: {status_of(run).status.command}" in done.stderr  # type: ignore[union-attr]
    assert (status_of(run).state, status_of(run).exit_status) == ("interrupted", 4)
    assert [p.name for p in (run / "checkpoints").iterdir() if p.name[0] != "."] == [
        "step_00000002"
    ]
    done = by_torchrun(tmp_path, "goes_on")
    assert done.returncode == 0, done.stderr
    require_alike(folder / "one/tiny/main", run)


@pytest.mark.slow
def test_an_evaluation_may_take_longer_than_an_exchange(tmp_path: Path) -> None:
    done = by_torchrun(write_data(tmp_path), "evaluated_for_long")
    assert done.returncode == 0, done.stderr
    assert [found["end"] for found in said(tmp_path, "evaluated")] == [[2, 143], [2, 143]]


@pytest.mark.slow
def test_the_matrix_of_processes_workers_and_resuming(tmp_path: Path) -> None:
    """Of one number of processes the bits are the same; of another one the losses to 1e-5."""
    write_data(tmp_path)
    done = by_torchrun(tmp_path, "matrix")
    assert done.returncode == 0, done.stderr
    many.matrix(tmp_path, ALONE)
    states = {
        (how, processes, workers): contents_hash(
            last(tmp_path / f"{how}_{processes}_{workers}/tiny/main").tensors()
        )
        for how in ("whole", "resumed")
        for processes in (1, 2)
        for workers in (0, 1, 3)
    }
    for processes in (1, 2):
        assert len({hash for key, hash in states.items() if key[1] == processes}) == 1, states
    require_alike(tmp_path / "whole_1_0/tiny/main", tmp_path / "resumed_2_3/tiny/main")


# --- a net of a million parameters ----------------------------------------------------------------

SPECS = Path(__file__).parent.parent / "fixtures" / "many"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Specs of a net of every kind of op and of what grows from it, with their data."""
    path = tmp_path_factory.mktemp("large")
    for spec in SPECS.glob("*.grow"):
        shutil.copy(spec, path)
    with tarfile.open(path / "dots.tar", "w") as tar:
        for i in range(12):
            generator = torch.Generator().manual_seed(i)
            pixels = torch.randint(0, 256, (72, 72, 3), generator=generator, dtype=torch.uint8)
            data = io.BytesIO()
            Image.fromarray(pixels.numpy()).resize((72, 72)).save(data, "png")
            files = {"png": data.getvalue(), "txt": b"dot %d" % i, "cls": b"%d" % (i % 4)}
            for ending, content in files.items():
                info = tarfile.TarInfo(f"{i:03d}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def by_command(folder: Path, out: str, name: str, processes: int, *flags: str) -> Path:
    """Train a spec with the command, from the run that one process made of its parent."""
    command = ["growlang", "train", str(folder / f"{name}.grow"), "--out", str(folder / out)]
    command += ["--log-every", "1", *flags]
    if name != "small":
        command += ["--parent-run", str(folder / "one" / "small" / "main")]
    done = python(*(TORCHRUN if processes > 1 else ()), "-m", *command)
    assert done.returncode == 0, done.stderr
    return folder / out / name / "main"


@pytest.mark.slow
def test_two_train_every_op_as_one_over_growth_bridge_and_retained_ends(large: Path) -> None:
    for name in ("small", "wide", "retained", "bridged"):
        one = by_command(large, "one", name, 1)
        require_alike(one, by_command(large, "two", name, 2))
    flags = ("--micro-batch", "2", "--activation-checkpointing")
    require_alike(large / "one/small/main", by_command(large, "parts", "small", 2, *flags))
    grown = last(large / "two" / "wide" / "main")
    parts = {name.split(".")[1] for name in grown.names if name.startswith("grown.")}
    assert parts == {"eps", "step"}


@pytest.mark.slow
def test_slurm_starts_processes_that_keep_their_exit_status(large: Path) -> None:
    def by_srun(job: int) -> list[tuple[int, str]]:
        command = [sys.executable, "-m", "growlang", "train", str(large / "small.grow")]
        started = [
            subprocess.Popen(
                [*command, "--out", str(large / "slurm")],
                env=os.environ
                | {"PYTHONPATH": os.pathsep.join(sys.path), "SLURM_NTASKS": "2"}
                | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
                | {"SLURM_JOB_ID": str(job), "SLURM_STEP_NODELIST": "localhost"},
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in (0, 1)
        ]
        ended = [process.communicate()[1] for process in started]
        return [(p.returncode, said) for p, said in zip(started, ended, strict=True)]

    (first, told), (second, silent) = by_srun(os.getpid())
    assert (first, second, silent) == (0, 0, "")
    assert "finished: " in told
    ends = by_srun(os.getpid() + 1)
    assert [status for status, _ in ends] == [2, 2]
    assert "".join(said for _, said in ends).count("already exists") == 1
