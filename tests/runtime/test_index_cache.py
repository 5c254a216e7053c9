"""Indexes of shards that are kept: made once, by one of several processes, until one changes."""

import fcntl
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tiny import full_disk

from growlang.diagnostics import GrowlangError
from growlang.spec.data import WebDataset
from growlang_runtime.data import cache, indexing, progress, sharing
from growlang_runtime.data.index import Index, open_index
from growlang_runtime.data.layout import Layout

WriteTar = Callable[[str, Mapping[str, bytes]], Path]
Encode = Callable[..., bytes]
LAYOUT = Layout.of(WebDataset(urls="*.tar", image="png"))


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards that were written just now are kept too."""
    monkeypatch.setattr(cache, "SETTLED", -1e9)
    monkeypatch.setattr(cache, "COARSE", -1e9)


@pytest.fixture
def write(write_tar: WriteTar, png: Encode) -> Callable[[str, str], Path]:
    """Writes a shard of one sample, as a new file."""

    def write(name: str, key: str) -> Path:
        made = write_tar(f"{name}.new", {f"{key}.png": png(5, 9), f"{key}.txt": b"text"})
        return made.rename(made.with_name(name))

    return write


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the shards that are indexed, by this process."""
    names: list[str] = []
    real = indexing.index_shard

    def index_shard(path: Path, layout: Layout) -> Any:
        names.append(path.name)
        return real(path, layout)

    monkeypatch.setattr(sharing, "index_shard", index_shard)
    return names


def opened(folder: Path, where: str = "cache") -> Index:
    return open_index(LAYOUT, "*.tar", folder, folder / where)


def keys(folder: Path) -> list[str]:
    return list(opened(folder).keys())


def task(folder: Path, parent: int) -> str:
    """What a helper is told, which indexes all shards of a folder."""
    shards = sorted(map(str, folder.glob("*.tar")))
    layout = {"declared": LAYOUT.declared, "semantics": LAYOUT.semantics}
    return json.dumps({"shards": shards, "cache": str(folder / "cache"), "parent": parent} | layout)


def test_a_new_a_changed_and_a_removed_shard_cost_only_themselves(
    tmp_path: Path, write: Callable[[str, str], Path], made: list[str]
) -> None:
    for name in "abc":
        write(f"{name}.tar", name)
    assert keys(tmp_path) == ["a", "b", "c"]
    made.clear()
    assert keys(tmp_path) == ["a", "b", "c"] and made == []
    write("d.tar", "d")
    assert keys(tmp_path) == ["a", "b", "c", "d"] and made == ["d.tar"]
    made.clear()
    write("b.tar", "x")
    assert keys(tmp_path) == ["a", "x", "c", "d"] and made == ["b.tar"]
    made.clear()
    (tmp_path / "a.tar").unlink()
    assert keys(tmp_path) == ["x", "c", "d"] and made == []
    assert list((tmp_path / "cache").glob("*.lock")) == []


def test_a_kept_index_is_the_one_that_was_made(
    tmp_path: Path, write_tar: WriteTar, png: Encode
) -> None:
    members = {"1.png": png(3, 4), "1.txt": b"one", "2.png": b"broken", "2.txt": b"two"}
    write_tar("a.tar", members | {"3.png": png(5, 6)})
    write_tar("b.tar", {"3.txt": b"three", "4.png": png(7, 8), "4.txt": b""})
    first, again = opened(tmp_path), opened(tmp_path)
    assert first.identity == again.identity
    assert first.faults == again.faults
    assert sorted(first.faults) == [1, 2]
    assert "split across two shards" in first.faults[2]
    assert [again.key(row) for row in range(len(again))] == ["1", "2", "3", "4"]
    assert [again.shard(row).name for row in range(4)] == ["a.tar", "a.tar", "a.tar", "b.tar"]
    assert (again.rows["width"].tolist(), again.read(0, "caption")) == ([3, 0, 5, 7], b"one")
    with pytest.raises(IndexError):
        again.key(4)
    assert len(list((tmp_path / "cache").iterdir())) == 3, "one a shard, and both joined"


def test_a_replaced_shard_of_the_same_size_and_time_is_read_anew(
    tmp_path: Path,
    write: Callable[[str, str], Path],
    write_tar: WriteTar,
    png: Encode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write("a.tar", "one")
    os.utime(path, ns=(1, 1))
    assert keys(tmp_path) == ["one"]
    before = path.stat()
    write("a.tar", "two")
    os.utime(path, ns=(1, 1))
    after = path.stat()
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    assert keys(tmp_path) == ["two"]
    # Written in place, at once: the times of the file may be the same, so it is not kept at all.
    monkeypatch.undo()
    write_tar("a.tar", {"one.png": png(5, 9), "one.txt": b"text"})
    assert keys(tmp_path) == ["one"]
    write_tar("a.tar", {"two.png": png(5, 9), "two.txt": b"text"})
    assert keys(tmp_path) == ["two"]


def test_a_shard_that_changes_while_it_is_indexed_is_not_kept(
    tmp_path: Path, write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.tar", "one")
    real = indexing.index_shard

    def changing(path: Path, layout: Layout) -> Any:
        index = real(path, layout)
        write("a.tar", "two")
        return index

    monkeypatch.setattr(sharing, "index_shard", changing)
    assert keys(tmp_path) == ["one"]
    assert list((tmp_path / "cache").glob("*.npy")) == []


def test_the_default_cache_is_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[str, str], Path]
) -> None:
    write("a.tar", "one")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    open_index(LAYOUT, "a.tar", tmp_path)
    assert len(list((tmp_path / "xdg/growlang/index").iterdir())) == 2


@pytest.mark.parametrize("length", [0, 7, 100, -3])
def test_a_torn_index_is_made_anew(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    write_tar: WriteTar,
    length: int,
    made: list[str],
) -> None:
    write_tar("a.tar", {"one.png": b"", "one.txt": b"text"})
    faults = opened(tmp_path).faults
    for cached in (tmp_path / "cache").iterdir():
        cached.write_bytes(cached.read_bytes()[:length])
    with caplog.at_level(logging.WARNING):
        assert opened(tmp_path).faults == faults != {}
    assert "rebuilding the index" in caplog.text
    assert opened(tmp_path).faults == faults and made == ["a.tar"] * 2


def test_a_cache_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, write: Callable[[str, str], Path]
) -> None:
    for name in "ab":
        write(f"{name}.tar", name)
    (tmp_path / "file").write_text("not a folder")
    assert list(opened(tmp_path, "file").keys()) == ["a", "b"]
    assert caplog.text.count("cannot cache the index") == 1


def test_a_full_disk_keeps_no_part_of_an_index(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, write: Callable[[str, str], Path]
) -> None:
    write("a.tar", "a")
    with full_disk(100):
        assert keys(tmp_path) == ["a"]
    assert "File too large" in caplog.text
    assert list((tmp_path / "cache").iterdir()) == []


# --- several processes ---------------------------------------------------------------------------


def test_helpers_index_what_this_process_then_finds(
    tmp_path: Path, write: Callable[[str, str], Path], made: list[str]
) -> None:
    for name in "abc":
        write(f"{name}.tar", name)
    for path in tmp_path.glob("*.tar"):  # a helper keeps only what is settled
        os.utime(path, (1, 1))
    code = (
        "import json, sys; from growlang_runtime.data import cache, sharing; "
        "cache.SETTLED = cache.COARSE = -1e9; sharing.help_index(json.load(sys.stdin))"
    )
    given = task(tmp_path, os.getpid())
    subprocess.run([sys.executable, "-c", code], input=given, text=True, check=True)
    assert keys(tmp_path) == ["a", "b", "c"]
    assert made == []


def test_a_helper_whose_run_is_gone_stops(
    tmp_path: Path, write: Callable[[str, str], Path], made: list[str]
) -> None:
    write("a.tar", "a")
    sharing.help_index(json.loads(task(tmp_path, os.getpid())))
    assert made == []


def test_helpers_are_started_once_it_takes_long_and_are_gone_at_the_end(
    tmp_path: Path, write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcd":
        write(f"{name}.tar", name)
    started: list[Any] = []
    real = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> Any:
        started.append(real(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(sharing, "_cores", lambda: 3)
    assert keys(tmp_path) == ["a", "b", "c", "d"] and started == [], "it took no second"
    monkeypatch.setattr(sharing, "ALONE", 0.0)
    (tmp_path / "cache").rename(tmp_path / "before")
    assert keys(tmp_path) == ["a", "b", "c", "d"]
    assert len(started) == 2
    assert all(helper.returncode is not None for helper in started)


@pytest.fixture
def taken(tmp_path: Path, write: Callable[[str, str], Path]) -> Iterator[int]:
    """The lock of `a.tar`, which another process holds; `b.tar` is free."""
    (tmp_path / "cache").mkdir()
    name = cache.shard_name(write("a.tar", "a"), LAYOUT)
    write("b.tar", "b")
    assert name is not None
    descriptor = os.open((tmp_path / "cache" / name).with_suffix(".lock"), os.O_CREAT | os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


def test_what_another_process_is_at_comes_last_and_is_waited_for(
    tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch, made: list[str]
) -> None:
    def finish(seconds: float) -> None:
        assert made == ["b.tar"]
        fcntl.flock(taken, fcntl.LOCK_UN)

    monkeypatch.setattr(sharing.time, "sleep", finish)
    assert keys(tmp_path) == ["a", "b"]
    assert made == ["b.tar", "a.tar"]


def test_a_process_that_hangs_is_not_waited_for_for_ever(
    tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "PATIENCE", 0.0)
    assert keys(tmp_path) == ["a", "b"]


def test_the_lock_of_a_process_that_was_killed_holds_nothing(
    tmp_path: Path, taken: int, made: list[str]
) -> None:
    fcntl.flock(taken, fcntl.LOCK_UN)  # as the system does
    assert keys(tmp_path) == ["a", "b"]
    assert made == ["a.tar", "b.tar"]
    assert list((tmp_path / "cache").glob("*.lock")) == []


def test_a_broken_shard_among_many_is_named(
    tmp_path: Path, write: Callable[[str, str], Path]
) -> None:
    write("a.tar", "a")
    (tmp_path / "b.tar").write_bytes(b"x" * 600)
    with pytest.raises(GrowlangError, match=r"b\.tar is not a tar file, or is truncated"):
        keys(tmp_path)


# --- progress ------------------------------------------------------------------------------------


def test_progress_is_told_in_lines_where_there_is_no_terminal(
    tmp_path: Path,
    write: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in "ab":
        write(f"{name}.tar", name)
    seconds = iter(range(0, 10_000, 40))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))
    with progress.shown():
        assert keys(tmp_path) == ["a", "b"]
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("indexed 1 of 2 shards: 1 samples, ")
    assert last.startswith("indexed 2 of 2 shards: 2 samples, ")
    with progress.shown(quiet=True):
        assert keys(tmp_path) == ["a", "b"]
    assert capsys.readouterr().err == ""
