import fcntl
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny import full_disk, phase, plan, train

from growlang.diagnostics import GrowlangError
from growlang_runtime.storage import run as module
from growlang_runtime.storage.run import LOCK, Run, recorded_plan
from growlang_runtime.train.resume import require_checkpoints


def test_a_run_begins_with_the_spec_and_the_plan(tmp_path: Path) -> None:
    given = plan()
    with Run.create(tmp_path / "tiny" / "main", given) as run:
        assert (run.path / "spec.grow").read_text() == given.source
    assert recorded_plan(run.path) == given


def test_a_start_that_is_killed_before_or_behind_its_plan_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run has the folder of its checkpoints once it has a plan; without one it is none."""
    write, left = module.write_text, tmp_path / "left"

    def killed(path: Path, text: str) -> None:
        if path.name == module.PLAN:
            shutil.copytree(path.parent, left)
        write(path, text)

    monkeypatch.setattr(module, "write_text", killed)
    with Run.create(tmp_path / "run", plan()) as run:
        require_checkpoints(left)
        require_checkpoints(run.path)
    monkeypatch.undo()
    with Run.create(left, plan()):
        assert recorded_plan(left) == plan()


def test_a_yaml_spec_is_kept_as_one(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", plan(spec="tiny.grow.yaml")) as run:
        assert (run.path / "spec.grow.yaml").exists()


def test_a_folder_that_exists_is_refused(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", plan()):
        pass
    with pytest.raises(GrowlangError, match="already exists") as error:
        Run.create(tmp_path / "run", plan())
    assert "--resume" in error.value.help


def test_two_processes_cannot_train_in_one_folder(tmp_path: Path) -> None:
    with (
        Run.create(tmp_path / "run", plan()),
        pytest.raises(GrowlangError, match=r"process \d+ is training in"),
    ):
        Run(tmp_path / "run", plan())
    with Run(tmp_path / "run", plan()):
        pass


def test_what_looks_whether_a_run_is_in_use_does_not_keep_it_from_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Run.create(tmp_path / "run", plan()) as run:
        pass
    assert (run.path / LOCK).read_text() == ""
    (run.path / LOCK).write_text(f"{2**22 + 1}\n")  # one that was killed: Linux has no such number
    looks = os.open(run.path / LOCK, os.O_RDONLY)
    fcntl.flock(looks, fcntl.LOCK_SH)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            os.close(looks)

    monkeypatch.setattr(module, "sleep", sleep)
    with Run(run.path, plan()):
        assert len(slept) == 3
        with pytest.raises(GrowlangError, match=f"process {os.getpid()} is training in"):
            Run(run.path, plan())
    assert len(slept) == 3


def test_a_lock_that_is_never_given_back_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / LOCK).touch()
    holds = os.open(tmp_path / LOCK, os.O_RDONLY)
    fcntl.flock(holds, fcntl.LOCK_EX)
    monkeypatch.setattr(module, "sleep", lambda _: None)
    with pytest.raises(GrowlangError, match="another process is training in"):
        Run(tmp_path, plan())
    os.close(holds)


@pytest.mark.parametrize("anew", [True, False])
def test_a_run_that_is_moved_aside_while_it_is_locked_is_not_the_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: bool
) -> None:
    path, flock = tmp_path / "run", fcntl.flock
    path.mkdir()

    def moved(*given: Any) -> None:
        if not path.with_name("run.old-1").exists():
            path.rename(path.with_name("run.old-1"))
            if anew:
                path.mkdir()
        flock(*given)

    monkeypatch.setattr(fcntl, "flock", moved)
    if anew:
        with Run(path, plan()):
            assert (path / LOCK).read_text() == f"{os.getpid()}\n"
    else:
        with pytest.raises(GrowlangError, match="was moved or removed meanwhile"):
            Run(path, plan())


def test_a_run_that_a_full_disk_keeps_from_beginning_leaves_nothing(tmp_path: Path) -> None:
    with full_disk(100), pytest.raises(GrowlangError, match="the disk is full") as error:
        Run.create(tmp_path / "run", plan())
    assert error.value.help == "make room, or choose another output root with --out"
    assert not (tmp_path / "run").exists()


def test_files_have_the_permissions_that_the_umask_leaves(data: Path) -> None:
    before = os.umask(0o007)
    try:
        done = train(plan([phase(steps=1)]), data)
    finally:
        os.umask(before)
    files = [path for path in done.run.rglob("*") if path.is_file()]
    assert {"model.safetensors", "state.safetensors", "metrics.jsonl"} <= {f.name for f in files}
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o660"}
