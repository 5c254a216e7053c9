import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tiny import full_disk

from growlang.diagnostics import GrowlangError
from growlang.plans.tensor_file import read_header
from growlang.torch_backend.tensor_files import write_tensors
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.record import Counts, Environment, Record

TENSORS = {"model.w": torch.arange(1000.0), "ema.w": torch.ones(3)}


def save(folder: Path, step: int) -> Path:
    record = Record(
        step=step,
        phase="a",
        counts=Counts(ema={"w": step}, optimizer={"w": step}),
        nonfinite=0,
        frozen={},
        images=[6],
        environment=Environment(),
    )
    return checkpoint.save(folder, record, TENSORS, {"net": "{}"})


def test_a_checkpoint_gives_back_what_was_saved(tmp_path: Path) -> None:
    found = checkpoint.read(save(tmp_path, 7))
    assert (found.step, found.record.phase) == (7, "a")
    assert read_header(found.path / checkpoint.TENSORS).metadata == {"net": "{}"}
    assert {n: t.tolist() for n, t in found.tensors().items()} == {
        n: t.tolist() for n, t in TENSORS.items()
    }
    assert list(found.tensors("ema.")) == ["w"]
    assert [p.name for p in tmp_path.iterdir()] == ["step_00000007"]


def test_equal_tensors_and_metadata_give_equal_bytes(tmp_path: Path) -> None:
    texts = {name: name * 9 for name in ("net", "settings", "format", "sample", "spec_hash")}
    for i, path in enumerate(tmp_path / str(n) for n in range(4)):
        write_tensors(path, TENSORS, dict(sorted(texts.items(), reverse=i % 2 == 0)))
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_what_is_written_is_read_by_the_formats_own_reader(tmp_path: Path) -> None:
    tensors = {
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "odd": torch.tensor([True, False, True]),
        "wide": torch.arange(3.0, dtype=torch.float64),
        "turned": torch.arange(6.0).view(2, 3).T,
        "scalar": torch.tensor(7),
        "none": torch.zeros(0, 2),
    }
    path = tmp_path / "a.safetensors"
    write_tensors(path, tensors, {"b": "é", "a": "1"})
    found = load_file(path)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[n], t) and found[n].dtype == t.dtype for n, t in tensors.items())
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"a": "1", "b": "é"}


def test_the_newest_before_a_step_is_found(tmp_path: Path) -> None:
    for step in (1, 3, 20):
        save(tmp_path, step)
    found = [checkpoint.newest(tmp_path, before=step)[0] for step in (1, 3, 4, 21)]
    assert [c and c.step for c in found] == [None, 1, 3, 20]


def test_the_newest_valid_one_is_found_and_torn_ones_are_named(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        save(tmp_path, step)
    data = (tmp_path / "step_00000004" / checkpoint.TENSORS).read_bytes()
    (tmp_path / "step_00000004" / checkpoint.TENSORS).write_bytes(data[:-8])
    (tmp_path / "step_00000003" / checkpoint.TENSORS).write_bytes(data[:-1] + b"\1")
    found, torn = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.step == 2
    assert torn == [
        f"{tmp_path}/step_00000004: state.safetensors has {len(data) - 8} bytes instead of "
        f"{len(data)}",
        f"{tmp_path}/step_00000003: state.safetensors does not match its checksum",
    ]


@pytest.mark.parametrize("text", ["", "{}", '{"files": {}, "checksum": "0"}', "[]"])
def test_a_torn_record_is_skipped(tmp_path: Path, text: str) -> None:
    (save(tmp_path, 1) / checkpoint.RECORD).write_text(text)
    found, torn = checkpoint.newest(tmp_path)
    assert found is None
    assert "state.json" in torn[0]


def test_a_changed_record_is_torn(tmp_path: Path) -> None:
    path = save(tmp_path, 1) / checkpoint.RECORD
    path.write_text(json.dumps(json.loads(path.read_text()) | {"step": 9}))
    with pytest.raises(checkpoint.TornCheckpoint, match="checksum"):
        checkpoint.read(path.parent)


def test_a_record_of_0_1_is_read() -> None:
    stored = Path(__file__).parent.parent / "fixtures/runs/0.1/runs/grown_16/carry/checkpoints"
    found, torn = checkpoint.newest(stored)
    assert found is not None and not torn
    assert (found.record.images, found.record.skipped, found.record.readings) == ([16], 0, {})


def test_a_torn_checkpoint_is_written_again_and_a_valid_one_kept(tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    os.utime(path / checkpoint.TENSORS, ns=(1, 1))
    save(tmp_path, 1)
    assert (path / checkpoint.TENSORS).stat().st_mtime_ns == 1
    (path / checkpoint.TENSORS).write_bytes(b"")
    assert checkpoint.read(save(tmp_path, 1)).step == 1


def test_a_full_disk_keeps_the_older_checkpoint_and_leaves_nothing_else(tmp_path: Path) -> None:
    save(tmp_path, 1)
    with (
        full_disk(2000),
        pytest.raises(GrowlangError, match=r"cannot write .*step_00000002: the disk is full"),
    ):
        save(tmp_path, 2)
    assert [p.name for p in tmp_path.iterdir()] == ["step_00000001"]
    assert checkpoint.read(tmp_path / "step_00000001").step == 1


def test_other_failures_are_not_called_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        save(tmp_path / "file", 1)


def test_a_checkpoint_that_is_cut_short_is_not_counted_by_prune(tmp_path: Path) -> None:
    for step in (200, 250, 300):
        save(tmp_path, step)
    (tmp_path / "step_00000300" / checkpoint.TENSORS).write_bytes(b"half")
    checkpoint.prune(tmp_path, 1, frozenset())
    assert [p.name for p in tmp_path.iterdir()] == ["step_00000250"]


@pytest.mark.parametrize(("valid", "left"), [(2, [1, 2]), (None, [])])
def test_torn_checkpoints_are_removed_once_they_are_named(
    tmp_path: Path, valid: int | None, left: list[int]
) -> None:
    for step in (1, 2, 3, 4):
        path = save(tmp_path, step)
        if valid is None or step > valid:
            (path / checkpoint.RECORD).write_text("")
    checkpoint.forget_after(tmp_path, checkpoint.newest(tmp_path)[0])
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"step_{s:08d}" for s in left]


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    save(tmp_path, 1)
    for name in (".step_00000002.tmp", "..best.new.tmp", ".step_notes.tmp", ".mine.tmp"):
        (tmp_path / name).mkdir()
    checkpoint.forget_after(tmp_path, checkpoint.newest(tmp_path)[0])
    left = [".mine.tmp", ".step_notes.tmp", "step_00000001"]
    assert sorted(p.name for p in tmp_path.iterdir()) == left


def test_what_is_no_checkpoint_is_left_alone(tmp_path: Path) -> None:
    save(tmp_path, 1)
    (tmp_path / "step_notes.txt").touch()
    (tmp_path / "step_00000009").touch()
    (tmp_path / "step_00000001 copy").mkdir()
    found, torn = checkpoint.newest(tmp_path)
    assert found is not None and found.step == 1 and not torn
    checkpoint.prune(tmp_path, 1, frozenset())
    checkpoint.forget_after(tmp_path, found)
    names = ["step_00000001", "step_00000001 copy", "step_00000009", "step_notes.txt"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_prune_keeps_the_newest_and_the_ends_of_phases(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        save(tmp_path, step)
    checkpoint.prune(tmp_path, 1, frozenset({10}))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step_00000010", "step_00000040"]
