"""Indexes of tar shards: what webdataset writes is read back, and broken shards are named."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import webdataset.tariterators as reference  # type: ignore[import-untyped]
from webdataset import ShardWriter

from growlang.diagnostics import GrowlangError
from growlang.spec.data import WebDataset
from growlang_runtime.data import shards
from growlang_runtime.data.index import Index, open_index
from growlang_runtime.data.layout import Layout
from growlang_runtime.data.shards import expand

WriteTar = Callable[[str, Mapping[str, bytes]], Path]
Encode = Callable[..., bytes]

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415478da63"
    "f8cfc0000003010100f70341430000000049454e44ae426082"
)
"""A PNG of 1 x 1 pixel."""


def sample(key: str) -> dict[str, bytes]:
    return {f"{key}.png": PIXEL, f"{key}.txt": f"caption of {key}".encode()}


PNG = WebDataset(urls="a.tar", image="png")


def opened(source: WebDataset, folder: Path, cache: Path | None = None, **more: Any) -> Index:
    return open_index(Layout.of(source, **more), source.urls, folder, cache)


def read_by_webdataset(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as stream:
        shard = [{"url": str(path), "stream": stream}]
        return list(reference.group_by_keys(reference.tar_file_expander(shard)))


def failure(source: WebDataset, folder: Path) -> GrowlangError:
    with pytest.raises(GrowlangError) as caught:
        opened(source, folder, folder / "cache")
    return caught.value


def test_reads_what_webdataset_writes_and_reads(tmp_path: Path, png: Encode) -> None:
    pattern = str(tmp_path / "train-%05d.tar")
    with ShardWriter(pattern, maxcount=3, verbose=0) as writer:
        for i in range(8):
            key = ("folder/" if i % 2 else "") + f"{i:04}" + "k" * (200 if i == 5 else 0)
            writer.write({"__key__": key, "png": png(i + 1, 9), "txt": f"é {i}", "cls": i})
    source = WebDataset(urls="train-{00000..00002}.tar", image="png", label="cls")
    index = opened(source, tmp_path, tmp_path / "cache")
    theirs = [s for path in sorted(tmp_path.glob("*.tar")) for s in read_by_webdataset(path)]
    ours = [
        {
            "__key__": index.key(row),
            "png": index.read(row, "image"),
            "txt": index.read(row, "caption"),
            "cls": index.read(row, "label"),
        }
        for row in range(len(index))
    ]
    assert ours == [{name: s[name] for name in ("__key__", "png", "txt", "cls")} for s in theirs]
    assert index.rows["width"].tolist() == list(range(1, 9))
    assert set(index.rows["height"].tolist()) == {9}


def test_groups_members_as_webdataset_does(
    tmp_path: Path, write_tar: WriteTar, png: Encode
) -> None:
    members = {
        "__meta__": b"skipped",
        "README": b"no ending",
        "b.c/1.PNG": PIXEL,
        "b.c/1.txt": b"one",
        "b.c/1.x.txt": b"x",
        "a.PNG": png(2, 1),
        "a.txt": b"two",
        "a.json": b"{}",
    }
    path = write_tar("a.tar", members)
    index = opened(PNG, tmp_path, tmp_path / "cache")
    theirs = read_by_webdataset(path)
    assert [index.key(row) for row in range(len(index))] == [s["__key__"] for s in theirs]
    assert [index.read(row, "image") for row in range(2)] == [s["png"] for s in theirs]


def test_a_missing_shard_is_named_with_its_pattern_and_the_data_root(
    tmp_path: Path, write_tar: WriteTar
) -> None:
    write_tar("a0.tar", sample("one"))
    error = failure(WebDataset(urls="a{0..1}.tar"), tmp_path)
    assert error.message == f'shards "a{{0..1}}.tar": no such file: {tmp_path / "a1.tar"}'
    assert error.help == f"paths are relative to {tmp_path}; --data-root changes that"


@pytest.mark.parametrize("urls", ["pipe:cat a.tar", "https://example.com/a.tar", "s3://b/a.tar"])
def test_streams_are_refused(tmp_path: Path, urls: str) -> None:
    error = failure(WebDataset(urls=urls), tmp_path)
    assert error.message.startswith(f'shards "{urls}": streaming is not supported')


@pytest.mark.parametrize("urls", ["a{0..1.tar", "${unset_folder}/a.tar"])
def test_a_pattern_that_does_not_expand_is_refused(tmp_path: Path, urls: str) -> None:
    assert "invalid pattern" in failure(WebDataset(urls=urls), tmp_path).message


def test_braces_expand_in_order(tmp_path: Path) -> None:
    names = ["x-08.tar", "x-09.tar", "x-10.tar"]
    for name in names:
        (tmp_path / name).touch()
    assert expand("x-{08..10}.tar", tmp_path) == [tmp_path / name for name in names]


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar").touch()
    assert failure(PNG, tmp_path).message == f"{tmp_path / 'a.tar'} is empty (0 bytes)"


def test_a_tar_without_samples_is_named(tmp_path: Path, write_tar: WriteTar) -> None:
    write_tar("a.tar", {})
    assert failure(PNG, tmp_path).message == f"{tmp_path / 'a.tar'} contains no samples"


def test_a_file_that_is_no_tar_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"\x1f\x8b" + b"x" * 2000)
    error = failure(PNG, tmp_path)
    assert error.message.startswith(f"{tmp_path / 'a.tar'} is not a tar file, or is truncated")


@pytest.mark.parametrize("length", [100, 512, 600, 1024, 1500, 1536, 2048, 2600])
def test_a_tar_that_is_cut_short_is_named(tmp_path: Path, length: int, write_tar: WriteTar) -> None:
    """Wherever the cut is: in a header, in data, or between members."""
    path = write_tar("a.tar", sample("one") | sample("two"))
    path.write_bytes(path.read_bytes()[:length])
    message = failure(PNG, tmp_path).message
    assert str(path) in message and "truncated" in message


def test_the_place_of_a_cut_is_named(tmp_path: Path, write_tar: WriteTar) -> None:
    path = write_tar("a.tar", sample("one") | sample("two"))
    path.write_bytes(path.read_bytes()[:2048])
    assert (
        failure(PNG, tmp_path).message == f"{path} is truncated: 2048 bytes, no "
        "end-of-archive marker at byte 2048"
    )


@pytest.mark.parametrize("lacking", ["txt", "png"])
def test_a_sample_without_a_member_is_told_with_what_it_has(
    tmp_path: Path, lacking: str, write_tar: WriteTar
) -> None:
    members = sample("one") | sample("two") | {"two.json": b"{}"}
    del members[f"two.{lacking}"]
    write_tar("a.tar", members)
    what, other = ("caption", "png") if lacking == "txt" else ("image", "txt")
    assert opened(PNG, tmp_path, tmp_path / "cache").faults == {
        1: f"it has no {what} `.{lacking}`, only `.{other}`, `.json`"
    }


@pytest.mark.parametrize("lacking", ["txt", "png"])
def test_an_ending_that_no_sample_has_is_told_with_those_there_are(
    tmp_path: Path, lacking: str, write_tar: WriteTar
) -> None:
    members = sample("one") | sample("two")
    del members[f"one.{lacking}"], members[f"two.{lacking}"]
    write_tar("a.tar", members)
    error = failure(PNG, tmp_path)
    what, other = ("caption", "png") if lacking == "txt" else ("image", "txt")
    a = "a" if what == "caption" else "an"
    assert error.message == (
        f"no sample in {tmp_path / 'a.tar'} has {a} {what} `.{lacking}`; found `.{other}`"
    )
    assert f'{what} = "EXTENSION"' in error.help


def test_the_ending_of_the_images_that_are_there_is_proposed(
    tmp_path: Path, write_tar: WriteTar
) -> None:
    write_tar("a.tar", sample("one") | {"one.json": b"{}"})
    error = failure(WebDataset(urls="a.tar"), tmp_path)
    assert error.help == 'set the file extension of the images: webdataset(..., image = "png")'


def test_a_member_that_is_there_twice_is_named(tmp_path: Path, write_tar: WriteTar) -> None:
    write_tar("a.tar", {"one.png": PIXEL, "one.PNG": PIXEL})
    assert "has `one.png` twice in a row" in failure(PNG, tmp_path).message


def test_an_image_without_a_header_has_no_size(tmp_path: Path, write_tar: WriteTar) -> None:
    write_tar("a.tar", {"one.png": b"no image", "one.txt": b"text"})
    index = opened(PNG, tmp_path, tmp_path / "cache")
    assert (index.rows["width"][0], index.rows["height"][0]) == (0, 0)


def test_a_source_may_lack_captions(tmp_path: Path, write_tar: WriteTar) -> None:
    write_tar("a.tar", {"one.png": PIXEL})
    source = WebDataset(urls="a.tar", image="png", caption=None)
    index = opened(source, tmp_path, tmp_path / "cache")
    assert index.read(0, "caption") is None
    assert index.read(0, "image") == PIXEL


def test_a_read_error_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_tar: WriteTar
) -> None:
    write_tar("a.tar", sample("one"))
    index = opened(PNG, tmp_path, tmp_path / "cache")
    real, failures = os.pread, [OSError("stale handle"), OSError("stale handle")]

    def flaky(descriptor: int, length: int, at: int) -> bytes:
        if failures:
            raise failures.pop()
        return real(descriptor, length, at)

    monkeypatch.setattr(os, "pread", flaky)
    monkeypatch.setattr(shards, "RETRIES", (0.0, 0.0, 0.0))
    assert index.read(0, "caption") == b"caption of one"
    failures += [OSError("gone")] * 4
    with pytest.raises(GrowlangError, match=r"cannot read .*a\.tar at byte \d+: gone"):
        index.read(0, "caption")


def test_a_shard_that_shrinks_under_a_run_is_named(tmp_path: Path, write_tar: WriteTar) -> None:
    path = write_tar("a.tar", sample("one"))
    index = opened(PNG, tmp_path, tmp_path / "cache")
    os.truncate(path, 540)
    with pytest.raises(GrowlangError, match=r"a\.tar has changed: got 28 of"):
        index.read(0, "image")


def test_more_shards_than_handles_can_be_read(tmp_path: Path, write_tar: WriteTar) -> None:
    for i in range(300):
        write_tar(f"{i:03}.tar", {f"{i}.png": b"x", f"{i}.txt": str(i).encode()})
    source = WebDataset(urls="{000..299}.tar", image="png")
    index = opened(source, tmp_path, tmp_path / "cache")
    assert [index.read(row, "caption") for row in range(300)] == [
        str(i).encode() for i in range(300)
    ]
    assert len(os.listdir("/proc/self/fd")) < 300


def test_stars_give_the_order_of_the_names(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("b-2.tar", "b-10.tar", "a.tar", ".hidden.tar", "more/c.tar", "[1].tar"):
        (tmp_path / name).touch()
    assert expand("*.tar", tmp_path) == [
        tmp_path / name for name in ("[1].tar", "a.tar", "b-10.tar", "b-2.tar")
    ]
    assert expand("{b-*,a}.tar", tmp_path)[-1] == tmp_path / "a.tar"
    assert expand("**/c.tar", tmp_path) == [tmp_path / "more/c.tar"]
    assert expand("[1].tar", tmp_path) == [tmp_path / "[1].tar"], "a file of that name"
    assert expand(f"{tmp_path}/more/*.tar", Path("elsewhere")) == [tmp_path / "more/c.tar"]


def test_a_star_that_matches_nothing_is_told(tmp_path: Path) -> None:
    error = failure(WebDataset(urls="train/*.tar"), tmp_path)
    assert error.message == f'shards "train/*.tar": no file matches {tmp_path}/train/*.tar'
    assert error.help == f"paths are relative to {tmp_path}; --data-root changes that"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.tar").touch()
    for urls in ("~/a.tar", "~/*.tar"):
        assert expand(urls, Path("elsewhere")) == [tmp_path / "a.tar"]


def test_a_folder_is_no_shard(tmp_path: Path) -> None:
    assert failure(WebDataset(urls="."), tmp_path).message == (
        f'shards ".": {tmp_path} is a folder'
    )
