import os
from pathlib import Path

import pytest
from tiny import full_disk, phase, plan, train

from growlang.diagnostics import GrowlangError
from growlang_runtime.storage.run import Run, recorded_plan


def test_a_run_begins_with_the_spec_and_the_plan(tmp_path: Path) -> None:
    given = plan()
    with Run.create(tmp_path / "tiny" / "main", given) as run:
        assert (run.path / "spec.grow").read_text() == given.source
    assert recorded_plan(run.path) == given


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
