"""What may happen to a transfer: kills, full disks, and files that are not what they say."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from zlib import crc32

import pytest
import torch
from checkpoints import contents, trained, write_index
from fixture_specs import checked, growlang
from test_grown_checkpoint import CHILD, parent_file

from growlang.checking import Checked
from growlang.diagnostics import Exit, GrowlangError
from growlang.plans.tensor_index import read_index
from growlang.torch_backend.tensor_files import write_tensors
from growlang.transferring.journal import PREFIX
from growlang.transferring.parent import open_parent
from growlang.transferring.transfer import transfer

KILLING = Path(__file__).with_name("killed.py")
LIMIT = 60_000
BEGINNING = 25
"""Moments of a transfer in which the folder, the lock and the journal are made, and more."""


def run(*arguments: str | Path) -> int:
    done = subprocess.run(
        [sys.executable, KILLING, *arguments], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_a_killed_transfer_goes_on_to_the_same_bytes(kills: int, tmp_path: Path) -> None:
    parent = parent_file(tmp_path / "parent.safetensors", checked(CHILD))
    count = run(parent, CHILD, tmp_path / "whole")
    wanted = contents(tmp_path / "whole")
    assert len(wanted) > 10 and count > 2 * len(wanted)
    drawn = random.Random(kills).sample(range(1, count + 1), kills)
    ends = [*range(1, BEGINNING), *range(count - 3, count + 1)]
    moments = [str(moment) for moment in sorted({*drawn, *ends})]
    assert run(parent, CHILD, tmp_path / "killed", *moments) == len(moments)
    for moment in moments:
        assert contents(tmp_path / "killed" / moment) == wanted, moment


def interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Checked, Path, Path]:
    """A child, its parent's weights, and where a transfer was interrupted before its index."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    child = checked(CHILD)
    parent, out = parent_file(folder / "parent.safetensors", child), folder / "out"
    with monkeypatch.context() as patched:
        patched.setattr("growlang.transferring.folder.Folder.complete", interrupt)
        with pytest.raises(KeyboardInterrupt):
            transfer(parent, child, out, shard_size=LIMIT)
    return child, parent, out


def test_what_is_whole_is_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, parent, out = interrupted(tmp_path, monkeypatch)
    (journal,) = out.glob(PREFIX + "*")
    assert not (out / "model.safetensors.index.json").exists()
    assert journal.stat().st_size == 0  # to free a block waits for the disk
    last = sorted(out.glob("*.safetensors"))[-1]
    last.unlink()
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.safetensors")}
    done = transfer(parent, child, out, shard_size=LIMIT)
    assert done.resumed == len(before)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not [*out.glob(".*")]


def test_files_of_an_earlier_boot_are_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, parent, out = interrupted(tmp_path, monkeypatch)
    lost = sorted(out.glob("*.safetensors"))[0]
    whole = lost.read_bytes()
    lost.write_bytes(bytes(len(whole)))
    (tmp_path / "boot").write_text("another\n")
    monkeypatch.setattr("growlang.transferring.journal.BOOT", tmp_path / "boot")

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:  # before anything is written by this boot
        patched.setattr("growlang.transferring.writing.Writing.write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            transfer(parent, child, out, shard_size=LIMIT)
    assert transfer(parent, child, out, shard_size=LIMIT).resumed == 0
    assert lost.read_bytes() == whole


def test_an_unfinished_transfer_of_other_inputs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, parent, out = interrupted(tmp_path, monkeypatch)
    before = contents(out)
    with pytest.raises(GrowlangError, match="other inputs; they differ in the dtypes or sizes"):
        transfer(parent, child, out, shard_size=LIMIT, dtype="bf16")
    os.utime(parent, ns=(1, 1))
    with pytest.raises(GrowlangError, match="other inputs; they differ in the files of the parent"):
        transfer(parent, child, out, shard_size=LIMIT)
    assert contents(out) == before


def test_an_unfinished_transfer_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, parent, out = interrupted(tmp_path, monkeypatch)
    (journal,) = out.glob(PREFIX + "*")
    journal.rename(out / journal.name.rpartition("-")[0])  # has an input less
    with pytest.raises(GrowlangError, match="they differ in the version of growlang"):
        transfer(parent, child, out, shard_size=LIMIT)


def test_no_file_of_the_result_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To flush the index would wait for most of what was written before it."""
    flush, flushed = os.fsync, set[int]()

    def noted(descriptor: int) -> None:
        flushed.add(os.fstat(descriptor).st_ino)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    child = checked(CHILD)
    parent, out = parent_file(tmp_path / "parent.safetensors", child), tmp_path / "out"
    transfer(parent, child, out, shard_size=LIMIT)
    assert flushed  # the journal
    assert not flushed & {path.stat().st_ino for path in out.iterdir()}


@pytest.mark.parametrize(
    "name", ["growlang-transfer-notes.txt", ".growlang-transfer-mine", ".growlang-transfer.json"]
)
def test_what_is_called_almost_as_a_journal_stays(name: str, tmp_path: Path) -> None:
    child = checked(CHILD)
    parent, out = parent_file(tmp_path / "parent.safetensors", child), tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(GrowlangError, match=re.escape(f"not empty: {name}")):
        transfer(parent, child, out)
    assert contents(out) == {name: b"mine"}


def test_a_full_disk_after_a_restart_leaves_a_transfer_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, parent, out = interrupted(tmp_path, monkeypatch)
    before = contents(out)
    (tmp_path / "boot").write_text("another\n")
    monkeypatch.setattr("growlang.transferring.journal.BOOT", tmp_path / "boot")
    usage = shutil.disk_usage(out)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: usage._replace(free=-(1 << 40)))
        with pytest.raises(GrowlangError, match="are free"):
            transfer(parent, child, out, shard_size=LIMIT)
    assert contents(out) == before
    with monkeypatch.context() as patched:  # but for what the files take that are written again
        patched.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
        assert transfer(parent, child, out, shard_size=LIMIT).resumed == 0


def test_nothing_is_written_over(tmp_path: Path) -> None:
    child = checked(CHILD)
    parent = parent_file(tmp_path / "parent.safetensors", child)
    out = tmp_path / "out"
    out.mkdir()
    (out / "model.safetensors").write_text("mine")
    with pytest.raises(GrowlangError, match=r"not empty: model\.safetensors"):
        transfer(parent, child, out)
    assert contents(out) == {"model.safetensors": b"mine"}
    for path in (parent, tmp_path / "file"):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(GrowlangError, match="cannot write"):
            transfer(parent, child, path)
    assert (tmp_path / "file").read_text() == "mine"


FULL = (
    "import resource, sys\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))\n"
    "from growlang.cli import main\n"
    "sys.argv = ['growlang', 'grow', *sys.argv[1:]]\nmain()\n"
)


@pytest.mark.parametrize("limit", [100, 20_000, 64_000])
@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_leaves_everything_as_it_was(limit: int, exists: bool, tmp_path: Path) -> None:
    parent = parent_file(tmp_path / "parent.safetensors", checked(CHILD))
    out = tmp_path / "out"
    if exists:
        out.mkdir()
    code = FULL.format(limit=limit)
    done = subprocess.run(
        [sys.executable, "-c", code, parent, CHILD, "-o", out, "--shard-size", str(LIMIT)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == Exit.FULL, done.stderr
    assert "nothing was changed" in done.stderr and "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == sorted([parent, *([out] if exists else [])])
    assert not exists or contents(out) == {}


def test_a_disk_without_room_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = checked(CHILD)
    parent = parent_file(tmp_path / "parent.safetensors", child)
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage)
    with pytest.raises(GrowlangError, match="it needs 1 MiB, and 0 MiB are free"):
        transfer(parent, child, tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Usage:
    free = 1000


# --- files that are not what they say ------------------------------------------------------------


def header_changed(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    length = int.from_bytes(data[:8], "little")
    said = json.loads(data[8 : 8 + length])
    change(said)
    text = json.dumps(said).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def other_dtype(said: dict[str, Any]) -> None:
    said["time.linear1.weight"]["dtype"] = "I32"


def wrong_size(said: dict[str, Any]) -> None:
    said["time.linear1.weight"]["dtype"] = "F16"


def overlapping(said: dict[str, Any]) -> None:
    names = [n for n in said if n != "__metadata__"]
    first, second = names[:2]
    size = said[second]["data_offsets"][1] - said[second]["data_offsets"][0]
    said[second]["data_offsets"] = [0, size]
    assert first != second


def renamed(said: dict[str, Any]) -> None:
    said["core.other.weight"] = said.pop("time.linear1.weight")


def with_another_name(data: bytes) -> bytes:
    return header_changed(data, renamed)


LIES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated": (lambda data: data[:-100], "it is truncated"),
    "longer": (lambda data: data + b"x", "1 bytes follow its last tensor"),
    "header beyond the file": (lambda d: (10**7).to_bytes(8, "little") + d[8:], "in its header"),
    "huge header": (lambda d: (2**60).to_bytes(8, "little") + d[8:], "length of a header"),
    "header cut": (lambda data: data[:50], "truncated in its header"),
    "header flipped": (lambda d: d[:20] + bytes([d[20] ^ 0xFF]) + d[21:], "its header is not"),
    "other dtype": (lambda d: header_changed(d, other_dtype), r"`time\.\S*weight` is I32"),
    "wrong size": (lambda d: header_changed(d, wrong_size), r"`time\.\S*` takes .* needs"),
    "overlapping": (lambda d: header_changed(d, overlapping), r"`\S+` overlaps another tensor"),
    "renamed": (with_another_name, r"(?s)missing: `time.*not in.*`core\.other"),
    "empty": (lambda data: b"", "it is empty"),
    "html": (lambda data: b"<html>" + data, "HTML"),
}


@pytest.mark.parametrize("lie, said", LIES.values(), ids=LIES)
@pytest.mark.parametrize("files", [1, 3])
def test_a_lie_is_refused_by_name(
    lie: Callable[[bytes], bytes], said: str, files: int, tmp_path: Path
) -> None:
    child = checked(CHILD)
    assert child.parent is not None
    tensors = trained(child.parent.net)
    if files == 1:
        named = broken = tmp_path / "parent.safetensors"
        write_tensors(broken, tensors, {})
    else:
        named = write_index(tmp_path / "parent", tensors, files)
        holder = json.loads(named.read_text())["weight_map"]["time.linear1.weight"]
        broken = named.with_name(holder)
    broken.write_bytes(lie(broken.read_bytes()))
    run = growlang("grow", named, CHILD, "-o", tmp_path / "out")
    assert run.status == Exit.UNABLE and "Traceback" not in run.err
    assert re.search(
        "`core.other.weight`" if files > 1 and lie is with_another_name else said, run.err
    )
    assert broken.name in run.err or named.name in run.err
    assert not (tmp_path / "out").exists()


class Malicious:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.proof,)


@pytest.mark.parametrize("name", ["a.bin", "a.pt", "a.pth", "a.pkl", "a.ckpt", "a.safetensors"])
@pytest.mark.parametrize("zipped", [False, True])
def test_nothing_is_executed(name: str, zipped: bool, tmp_path: Path) -> None:
    proof, file = tmp_path / "proof", tmp_path / name
    if zipped:
        torch.save({"a": Malicious(proof)}, file)
    else:
        file.write_bytes(pickle.dumps({"a": Malicious(proof)}))
    run = growlang("grow", file, CHILD, "-o", tmp_path / "out")
    assert run.status == Exit.UNABLE and name in run.err and "pickle" in run.err
    assert not proof.exists() and not (tmp_path / "out").exists()


def test_tensors_of_other_names_and_shapes_are_refused_by_name(tmp_path: Path) -> None:
    child = checked(CHILD)
    assert child.parent is not None
    tensors = trained(child.parent.net)
    tensors["extra.weight"] = tensors.pop("time.linear1.weight")
    write_tensors(tmp_path / "parent.safetensors", tensors, {})
    run = growlang("grow", tmp_path / "parent.safetensors", CHILD, "-o", tmp_path / "out")
    assert run.status == Exit.UNABLE
    assert (
        "1 missing: `time.linear1.weight`" in run.err
        and "1 not in the net: `extra.weight`" in run.err
    )


def test_a_flipped_bit_is_refused_by_tensor_where_there_are_checksums(tmp_path: Path) -> None:
    child = checked(CHILD)
    parent = parent_file(tmp_path / "parent.safetensors", child)
    grandchild = tmp_path / "again.grow"
    grandchild.write_text(
        f'grow 1\n\nmodel again grows "{CHILD}" {{\n  keep stem, time, core, head\n}}\n'
    )
    plain = transfer(parent, child, tmp_path / "plain", shard_size=LIMIT)
    summed = transfer(parent, child, tmp_path / "summed", shard_size=LIMIT, checksums=True)
    again = checked(grandchild)
    same = transfer(summed.path, again, tmp_path / "same")
    assert same.bytes["copied"] == read_index(plain.path).bytes
    file = sorted(summed.path.glob("*.safetensors"))[2]
    data = bytearray(file.read_bytes())
    data[-1000] ^= 4
    file.write_bytes(data)
    with pytest.raises(GrowlangError, match=rf"{file.name} is damaged: `\S+` has the CRC-32"):
        transfer(summed.path, again, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    transfer(summed.path, again, tmp_path / "out", verify=False)


def test_checksums_change_nothing_else(tmp_path: Path) -> None:
    child = checked(CHILD)
    parent = parent_file(tmp_path / "parent.safetensors", child)
    transfer(parent, child, tmp_path / "a", shard_size=LIMIT)
    transfer(parent, child, tmp_path / "b", shard_size=LIMIT, checksums=True)
    sums = open_parent(tmp_path / "b").sums
    assert sums.keys() == child.net.table.keys()
    for (name, plain), summed in zip(
        read_index(tmp_path / "a").tensors.items(),
        read_index(tmp_path / "b").tensors.values(),
        strict=True,
    ):
        data = plain.file.read_bytes()[plain.begin : plain.end]
        assert summed.file.read_bytes()[summed.begin : summed.end] == data
        assert crc32(data) == sums[name]


def test_numbers_that_are_not_finite_are_refused_where_they_are_computed(tmp_path: Path) -> None:
    child = checked(CHILD)
    assert child.parent is not None
    tensors = trained(child.parent.net)
    name = next(e.source for e in child.mapping or () if e.category == "expanded")
    assert name is not None
    tensors[name].view(-1)[0] = float("nan")
    write_tensors(tmp_path / "parent.safetensors", tensors, {})
    with pytest.raises(GrowlangError, match="holds NaN or infinity"):
        transfer(tmp_path / "parent.safetensors", child, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_processes_do_not_write_one_folder(tmp_path: Path) -> None:
    child = checked(CHILD)
    parent = parent_file(tmp_path / "parent.safetensors", child)
    (tmp_path / "out").mkdir()
    lock = tmp_path / "out" / ".growlang-transfer.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(GrowlangError, match="another process writes"):
            transfer(parent, child, tmp_path / "out")


def test_pipes_are_not_opened_and_files_are_no_folders(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "parent.safetensors")  # to open it would wait for ever
    run = growlang("grow", tmp_path / "parent.safetensors", CHILD, "-o", tmp_path / "out")
    assert run.status == Exit.UNABLE and "it is not a regular file" in run.err
    parent = parent_file(tmp_path / "whole.safetensors", checked(CHILD))
    run = growlang("grow", parent, CHILD, "-o", parent)
    assert run.status == Exit.UNABLE and "name a new or empty folder with -o" in run.err
