"""Members of tars: the quick reader finds in plain ones what `tarfile` does."""

import io
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from growlang.diagnostics import GrowlangError
from growlang_runtime.data import tars
from growlang_runtime.data.plain_tars import EDGE, Member, plain_members

Change = Callable[[tarfile.TarInfo], None]


def nothing(begin: bytes, length: int, read: object) -> None:
    return None


def quick(path: Path) -> list[Member] | None:
    with path.open("rb") as file:
        return plain_members(file.fileno(), nothing)


def slow(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Member] | str:
    """What `tarfile` says of it."""
    with monkeypatch.context() as patched:
        patched.setattr(tars, "plain_members", lambda *arguments: None)
        try:
            return tars.members(path)
        except GrowlangError as error:
            return error.message


def write(path: Path, form: int, names: list[str], change: Change = lambda info: None) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        folder = tarfile.TarInfo("folder/")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = SIZES[number % len(SIZES)]
            change(info)
            tar.addfile(info, io.BytesIO(random.Random(number).randbytes(info.size)))
    return path


SIZES = (0, 1, 511, 512, 513, EDGE - 1, EDGE, EDGE + 1, 2 * EDGE, 2 * EDGE + 1, 5 * EDGE + 7)
NAMES = [f"folder/{n:03}.{ending}" for n in range(9) for ending in ("png", "txt", "JSON")]


def fractions(info: tarfile.TarInfo) -> None:
    info.mtime = 1700000000.123456  # webdataset's: each member has an extended header


@pytest.mark.parametrize("change", [lambda info: None, fractions])
@pytest.mark.parametrize("names", [NAMES, ["ü" * 130 + ".png", "d/" * 60 + "a.png", "b" * 99], []])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_what_is_plain_is_read_as_tarfile_reads_it(
    tmp_path: Path, form: int, names: list[str], change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == tarfile.USTAR_FORMAT:
        names = [name for name in names if name.isascii()]
    path = write(tmp_path / "a.tar", form, names, change)
    found = quick(path)
    assert found is not None
    assert [m.name for m in found] == names
    assert found == slow(path, monkeypatch)


def link(info: tarfile.TarInfo) -> None:
    info.type, info.linkname, info.size = tarfile.SYMTYPE, "elsewhere", 0


def large(info: tarfile.TarInfo) -> None:
    info.pax_headers = {"size": str(info.size)}


def foreign(info: tarfile.TarInfo) -> None:
    info.pax_headers = {"hdrcharset": "BINARY"}


@pytest.mark.parametrize("change", [link, large, foreign])
def test_what_is_not_plain_is_left_to_tarfile(tmp_path: Path, change: Change) -> None:
    path = write(tmp_path / "a.tar", tarfile.PAX_FORMAT, NAMES[:3], change)
    assert quick(path) is None
    assert [m.name for m in tars.members(path)] == NAMES[:3]


def test_damaged_tars_are_read_and_refused_as_by_tarfile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut short, or with a byte of a header changed: never read as another archive."""
    whole = write(tmp_path / "a.tar", tarfile.PAX_FORMAT, NAMES[:6], fractions).read_bytes()
    path, draw, answered = tmp_path / "b.tar", random.Random(0), 0
    for _ in range(300):
        data = bytearray(whole)
        if draw.random() < 0.3:
            del data[draw.randrange(len(data)) :]
        else:
            data[512 * draw.randrange(40) + draw.randrange(512)] = draw.randrange(256)
        path.write_bytes(data)
        if (found := quick(path)) is not None and data:
            answered += 1
            assert found == slow(path, monkeypatch)
    assert answered > 30


def test_many_members_are_read_in_few_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.tar", tarfile.USTAR_FORMAT, [f"{n}.txt" for n in range(500)])
    reads, real = [], os.pread

    def pread(descriptor: int, count: int, at: int) -> bytes:
        reads.append(count)
        return real(descriptor, count, at)

    monkeypatch.setattr(os, "pread", pread)
    found = quick(path)
    assert found is not None and len(found) == 500
    assert len(reads) <= 350
    assert max(reads) < 8 * EDGE
