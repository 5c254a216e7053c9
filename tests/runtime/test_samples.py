"""Samples as they lie around in tars: unsorted, split, linked, with dots, from a Mac."""

import io
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from growlang.plans.plan import SEMANTICS
from growlang.spec.data import WebDataset
from growlang_runtime.data.index import Index, open_index
from growlang_runtime.data.layout import Layout
from growlang_runtime.data.plain_tars import EDGE
from growlang_runtime.data.tars import members

WriteTar = Callable[[str, Mapping[str, bytes]], Path]
Encode = Callable[..., bytes]
PNG = WebDataset(urls="a.tar", image="png")


def opened(source: WebDataset, folder: Path, semantics: int = SEMANTICS) -> Index:
    layout = Layout.of(source, ("caption",), semantics=semantics)
    return open_index(layout, source.urls, folder, folder / "cache")


def texts(index: Index) -> dict[str, str]:
    """The captions of the samples that can be used, by their keys."""
    rows = [row for row in range(len(index)) if row not in index.faults]
    return {index.key(row): (index.read(row, "caption") or b"").decode() for row in rows}


def test_members_need_not_stand_together(tmp_path: Path, write_tar: WriteTar, png: Encode) -> None:
    members = {f"{i}.png": png(9 + i, 9) for i in range(3)}
    write_tar("a.tar", members | {f"{i}.txt": b"%d" % i for i in (2, 0, 1)})
    index = opened(PNG, tmp_path)
    assert texts(index) == {"0": "0", "1": "1", "2": "2"}
    assert index.rows["width"].tolist() == [9, 10, 11]


def test_a_name_may_come_again_where_its_sample_is_whole(tmp_path: Path, png: Encode) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, data in [("1.png", png(9, 9)), ("1.txt", b"a"), ("2.png", png(9, 9)),
                           ("2.txt", b"b"), ("1.png", png(9, 9)), ("1.txt", b"c")]:  # fmt: skip
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    for semantics in (1, 2):
        index = opened(PNG, tmp_path, semantics)
        assert [index.read(row, "caption") for row in range(3)] == [b"a", b"b", b"c"]


def test_dots_in_names(tmp_path: Path, write_tar: WriteTar, png: Encode) -> None:
    image = png(9, 9)
    write_tar(
        "a.tar",
        {
            "photo 2.0 (final).PNG": image,
            "photo 2.0 (final).txt": b"final",
            "photo 2.1.png": image,
            "photo 2.1.txt": b"first",
            "v1.0/x.png": image,
            "v1.0/x.txt": b"in a folder",
            "x.png": image,
            "x.txt": b"plain",
            "x.mask.png": image,
            "x.large.png": image,
            "x.large.txt": b"beside",
        },
    )
    expected = {
        "photo 2.0 (final)": "final",
        "photo 2.1": "first",
        "v1.0/x": "in a folder",
        "x": "plain",
        "x.large": "beside",
    }
    index = opened(PNG, tmp_path)
    assert (texts(index), index.faults) == (expected, {})


def test_what_a_mac_adds_and_other_files_are_no_samples(
    tmp_path: Path, write_tar: WriteTar, png: Encode
) -> None:
    double = b"\0\x05\x16\x07"
    members = {
        "__MACOSX/._1.png": double,
        "images/._1.png": double,
        "images/.DS_Store": double,
        "._1.txt": double,
        "meta.json": b"{}",
        "1.png": png(9, 9),
        "1.txt": b"one",
    }
    write_tar("a.tar", members)
    index = opened(PNG, tmp_path)
    assert (texts(index), index.faults) == ({"1": "one"}, {})


def test_an_image_of_another_ending_is_told(
    tmp_path: Path, write_tar: WriteTar, png: Encode
) -> None:
    image = png(9, 9)
    write_tar("a.tar", {"1.png": image, "1.txt": b"", "2.webp": image, "2.txt": b""})
    assert opened(PNG, tmp_path).faults == {1: "it has no image `.png`, only `.webp`, `.txt`"}
    both = WebDataset(urls="a.tar", image=["png", ".WebP"])
    assert opened(both, tmp_path).faults == {}


def test_the_preferred_ending_is_taken(tmp_path: Path, write_tar: WriteTar, png: Encode) -> None:
    members = {"1.png": png(9, 9), "1.jpg": png(8, 8), "1.TXT": b"a", "2.jpg": png(7, 7)}
    write_tar("a.tar", members | {"2.caption": b"b"})
    both = WebDataset(urls="a.tar", image=["jpg", "png"], caption=["txt", "caption"])
    index = opened(both, tmp_path)
    assert index.rows["width"].tolist() == [8, 7]
    assert texts(index) == {"1": "a", "2": "b"}


def test_links_stand_for_what_they_link_to(tmp_path: Path, png: Encode) -> None:
    image = png(9, 9)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, data in [("a/1.png", image), ("a/1.txt", b"one")]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, kind, target in [
            ("b/2.png", tarfile.LNKTYPE, "a/1.png"),
            ("b/2.txt", tarfile.SYMTYPE, "../a/1.txt"),
            ("b/3.png", tarfile.SYMTYPE, "2.png"),
            ("b/3.txt", tarfile.LNKTYPE, "elsewhere/3.txt"),
            ("b/4.png", tarfile.SYMTYPE, "5.png"),
            ("b/5.png", tarfile.SYMTYPE, "4.png"),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
    index = opened(PNG, tmp_path)
    assert texts(index) == {"a/1": "one", "b/2": "one"}
    assert [index.read(row, "image") for row in range(3)] == [image] * 3
    assert index.faults == {
        2: "its caption cannot be read: it is a link to `elsewhere/3.txt`, which is not in the tar",
        3: "its image cannot be read: it is a link to `5.png`, which leads back to itself",
        4: "its image cannot be read: it is a link to `4.png`, which leads back to itself",
    }


def test_a_sparse_file_is_told_wherever_it_stands(tmp_path: Path, png: Encode) -> None:
    """A file of 1 MB with one block of data, as `tar --sparse` stores it in the GNU format."""
    image = png(9, 9)
    info = tarfile.TarInfo("2.png")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, tarfile.BLOCKSIZE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (1 << 19, tarfile.BLOCKSIZE)
    header[483:495] = b"%011o\0" % (1 << 20)
    header[148:156] = b"%06o\0 " % (256 + sum(header[:148]) + sum(header[156:]))
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, data in [("1.png", image), ("1.txt", b"one"), ("2.txt", b"two")]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        tar.fileobj.write(bytes(header) + image.ljust(tarfile.BLOCKSIZE, b"\0"))
        tar.offset += 2 * tarfile.BLOCKSIZE
    index = opened(PNG, tmp_path)
    assert texts(index) == {"1": "one"}
    assert index.faults == {1: "its image cannot be read: it is a sparse file"}


def test_a_sample_that_is_split_over_shards_is_told_once(
    tmp_path: Path, write_tar: WriteTar, png: Encode
) -> None:
    write_tar("0.tar", {"1.png": png(9, 9), "1.txt": b"one", "2.png": png(9, 9)})
    write_tar("1.tar", {"2.txt": b"two", "1.png": png(9, 9), "1.txt": b"another one"})
    index = opened(WebDataset(urls="{0,1}.tar", image="png"), tmp_path)
    assert [index.key(row) for row in range(len(index))] == ["1", "2", "1"]
    assert index.faults == {1: "it is split across two shards: `.png` in 0.tar, `.txt` in 1.tar"}


# --- identity ------------------------------------------------------------------------------------


def identity(folder: Path, urls: str = "a.tar") -> str:
    return opened(WebDataset(urls=urls, image="png"), folder).identity


def test_the_identity_is_of_the_samples_and_not_of_their_place(
    tmp_path: Path, write_tar: WriteTar, png: Encode
) -> None:
    members = {"1.png": png(9, 9), "1.txt": b"one", "2.png": png(9, 9), "2.txt": b"two"}
    before = identity((path := write_tar("a.tar", members)).parent)
    path.rename(tmp_path / "b.tar")
    assert identity(tmp_path, "b.tar") == before
    with tarfile.open(tmp_path / "c.tar", "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uname = len(data), 12345, "somebody"
            tar.addfile(info, io.BytesIO(data))
    assert identity(tmp_path, "c.tar") == before


@pytest.mark.parametrize(
    "changes",
    [
        {"1.txt": b"two", "2.txt": b"one"},
        {"1.txt": b"One"},
        {"3.png": b"", "3.txt": b""},
    ],
)
def test_other_contents_of_the_same_size_and_time_have_another_identity(
    tmp_path: Path, write_tar: WriteTar, png: Encode, changes: dict[str, bytes]
) -> None:
    """All of it under one name and one time, as `open_index` reads a cache in between."""
    members = {"1.png": png(9, 9), "1.txt": b"one", "2.png": png(9, 9), "2.txt": b"two"}
    path = write_tar("a.tar", members)
    before, length = identity(tmp_path), path.stat().st_size
    os.utime(path, ns=(1, 1))
    write_tar("a.tar", members | changes)
    os.utime(path, ns=(1, 1))
    assert path.stat().st_size == length, "tars are padded"
    assert identity(tmp_path) != before


def test_another_order_has_another_identity(
    tmp_path: Path, write_tar: WriteTar, png: Encode
) -> None:
    one, two = {"1.png": png(9, 9), "1.txt": b"t"}, {"2.png": png(9, 9), "2.txt": b"t"}
    write_tar("0.tar", one)
    write_tar("1.tar", two)
    assert identity(tmp_path, "{0,1}.tar") != identity(tmp_path, "{1,0}.tar")
    write_tar("a.tar", one | two)
    write_tar("b.tar", two | one)
    assert identity(tmp_path) != identity(tmp_path, "b.tar")


@pytest.mark.parametrize("at", [0, EDGE - 1, 3 * EDGE, 4 * EDGE - 1])
def test_a_byte_at_either_end_of_a_member_changes_its_checksum(
    tmp_path: Path, write_tar: WriteTar, at: int
) -> None:
    data = bytearray(4 * EDGE)
    (before, _) = members(write_tar("a.tar", {"1.png": bytes(data), "2.png": b""}))
    data[at] = 1
    (after, _) = members(write_tar("a.tar", {"1.png": bytes(data), "2.png": b""}))
    assert before.checksum != after.checksum


def test_extended_headers_are_passed_over(tmp_path: Path, png: Encode) -> None:
    """Long names in both dialects."""
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(tmp_path / "a.tar", "w", format=form) as tar:
            for name, data in [("ü" * 150 + ".png", png(9, 9)), ("ü" * 150 + ".txt", b"one")]:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        index = opened(PNG, tmp_path)
        assert texts(index) == {"ü" * 150: "one"}
