"""Folders of images packed into shards: what is in them, what is held out, and going on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import growlang
from growlang import GrowlangError, Packed
from growlang.spec.data import WebDataset
from growlang_runtime.data.holdout import is_held_out
from growlang_runtime.data.index import open_index
from growlang_runtime.data.layout import Layout
from growlang_runtime.packing import pack as packing
from growlang_runtime.packing.locking import locked
from growlang_runtime.packing.shards import Member

Encode = Callable[..., bytes]


@pytest.fixture
def images(tmp_path: Path, png: Encode, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`images/` with two folders of 10 images each, which is here."""
    monkeypatch.chdir(tmp_path)
    for kind in ("circle", "square"):
        Path("images", kind).mkdir(parents=True)
        for number in range(10):
            Path("images", kind, f"{number}.png").write_bytes(png(8, 9 + number, "red"))
    return Path("images")


def pack(folder: Path, output: str = "shards/{000..}.tar", **options: Any) -> Packed:
    return growlang.pack(folder, output, **options)


def refused(folder: Path, output: str = "shards/{000..}.tar", **options: Any) -> str:
    with pytest.raises(GrowlangError) as caught:
        pack(folder, output, **options)
    return f"{caught.value.message}\n{caught.value.help}"


def contents(data: WebDataset | None) -> dict[str, tuple[bytes | None, ...]]:
    """The image, caption and label of each sample by its key."""
    assert data is not None
    index = open_index(Layout.of(data), data.urls, Path(), Path("cache"))
    members = ("image", "caption", "label")
    return {index.key(r): tuple(index.read(r, m) for m in members) for r in range(len(index))}


def test_shards_hold_images_captions_and_labels(images: Path) -> None:
    for path in images.rglob("*.png"):
        path.with_suffix(".txt").write_text(f"caption of {path}")
    packed = pack(images, label="folder", holdout=0.3, shard_bytes=20_000)
    assert packed.statements == (
        'data images = webdataset("shards/{000..001}.tar", image = "png", label = "cls")\n'
        'data images_holdout = webdataset("shards/holdout/000.tar", image = "png", label = "cls")'
    )
    assert packed.condition == 'classes(width, names = ["circle", "square"])'
    training, held_out = contents(packed.data), contents(packed.holdout)
    assert (len(training), len(held_out)) == (packed.images, packed.held_out)
    assert training.keys().isdisjoint(held_out)
    both = training | held_out
    assert len(both) == 20
    for key, (image, caption, label) in both.items():
        assert image == (images / f"{key}.png").read_bytes()
        assert (caption, label) == (f"caption of images/{key}.png".encode(), key[:6].encode())
    assert packed.smallest == (8, 9)


def test_what_is_held_out_stays_so_when_images_are_added(images: Path, png: Encode) -> None:
    before = contents(pack(images, holdout=0.3).holdout).keys()
    (images / "more.png").write_bytes(png(8, 8))
    after = contents(pack(images, "more/{000..}.tar", holdout=0.3).holdout).keys()
    assert after - {"more"} == before


def test_packing_goes_on_where_it_was_killed(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pack(images, "whole/{000..}.tar", shard_bytes=20_000)
    written: list[Path] = []
    write = packing.write_tar

    def killed(path: Path, members: Iterator[Member]) -> None:
        if written[1:]:
            raise KeyboardInterrupt
        written.append(path)
        write(path, members)

    monkeypatch.setattr(packing, "write_tar", killed)
    with pytest.raises(KeyboardInterrupt):
        pack(images, shard_bytes=20_000)
    monkeypatch.setattr(packing, "write_tar", lambda p, m: written.append(p) or write(p, m))
    packed = pack(images, shard_bytes=20_000)
    assert [path.name for path in written] == ["000.tar", "001.tar", "002.tar"]
    assert contents(packed.data) == contents(whole.data)
    assert Path("shards/001.tar").read_bytes() == Path("whole/001.tar").read_bytes()


def test_shards_that_exist_are_replaced_only_if_asked(images: Path, png: Encode) -> None:
    pack(images, holdout=0.3)
    (images / "circle" / "0.png").write_bytes(png(8, 8, "blue"))
    assert "shards/000.tar already exists, with shards of other images" in refused(images)
    before = Path("shards/000.tar").read_bytes()
    assert pack(images, "shards/{000..}.tar", force=True).images == 20
    assert before != Path("shards/000.tar").read_bytes()
    assert not Path("shards/holdout/000.tar").exists()
    Path("other").mkdir()
    Path("other/007.tar").write_bytes(b"")
    assert "other/007.tar already exists, with shards that pack did not write" in refused(
        images, "other/{000..}.tar"
    )


def test_images_that_cannot_be_used_are_named_or_left_out(images: Path, png: Encode) -> None:
    (images / "circle" / "0.png").write_bytes(b"no image")
    (images / "circle" / "1.png").write_bytes(png(64, 64)[:-40])
    (images / "square" / "a.b.png").write_bytes(png(8, 8))
    said = refused(images)
    assert "`circle/0` in images: cannot identify image file: it starts with `no image`" in said
    said = refused(images, max_corrupt=1)
    assert "`circle/1` in images: image file is truncated" in said
    packed = pack(images, max_corrupt=2)
    assert len(packed.left_out) == 2
    assert pack(images, max_corrupt=2) == packed  # as the record says
    for path in images.rglob("*.png"):
        path.with_suffix(".txt").write_text("a caption")
    (images / "square" / "99.txt").write_text("a caption")
    (images / "square" / "0.txt").unlink()
    said = refused(images, "other/{000..}.tar")
    assert "`square/99` in images: there is no image beside square/99.txt" in said
    assert "`square/0` in images: it has no caption `.txt`, only `.png`" in said
    assert {"circle/2", "square/a_b"} < contents(packed.data).keys()


def test_captions_of_tables_and_of_the_hub(images: Path) -> None:
    keys = [f"{kind}/{number}" for kind in ("circle", "square") for number in range(10)]
    rows = "".join(f"{key}.png,the {key},{n % 5}\n" for n, key in enumerate(keys))
    Path("a.csv").write_text("image,words,label\n" + rows)
    packed = pack(images, captions="a.csv", caption="words")
    assert (packed.classes, packed.class_count) == ((), 5)
    assert packed.condition == "classes(5, width)"
    assert contents(packed.data)["square/0"][1:] == (b"the square/0", b"0")
    (images / "metadata.csv").write_text(
        "file_name,text\n" + "".join(f"{key}.png,hub {key}\n" for key in keys)
    )
    assert contents(pack(images, "hub/{0..}.tar").data)["circle/3"][1] == b"hub circle/3"
    (images / "circle" / "0.txt").write_text("another")
    assert "there are two captions for `circle/0.png`" in refused(images, "b/{0..}.tar")


def test_tables_without_captions_and_labels_from_nowhere_are_refused(images: Path) -> None:
    Path("a.csv").write_text("file;words\ncircle/0.png;one\n")
    assert "its columns: `file`, `words`" in refused(images, captions="a.csv")
    assert "did you mean `words`?" in refused(images, captions="a.csv", label="word")
    assert "did you mean `folder`?" in refused(images, label="folders")
    assert "a table ends in .csv" in refused(images, captions="a.xlsx")
    assert "is in no table" in refused(images, caption="words")
    Path("a.csv").write_bytes(b"file,text\ncircle/0.png,caf\xe9\n")
    assert "a.csv is not UTF-8" in refused(images, captions="a.csv")


def test_a_share_a_name_and_a_pattern_are_checked_first(images: Path) -> None:
    assert 'give a range of numbers: -o "out/{000000..}.tar"' in refused(images, "out")
    assert "must be at least 0 and below 1" in refused(images, holdout=1.5)
    assert "leaves 0 held out" in refused(images, holdout=1e-9)
    assert "cannot be the name of data" in refused(images, name="My images")
    assert "cannot be the name of data" in refused(images, name="core")
    assert not Path("shards").exists()


def test_a_share_of_shards_is_that_of_the_folder_packed(images: Path, png: Encode) -> None:
    for number in range(40):
        (images / f"a.{number}.png").write_bytes(png(8, 8))
    packed = pack(images, holdout=0.3)
    assert all(is_held_out(key, 0.3) for key in contents(packed.holdout))
    assert not any(is_held_out(key, 0.3) for key in contents(packed.data))


def test_shards_without_a_usable_image_are_no_data(images: Path) -> None:
    whole = (images / "circle" / "0.png").read_bytes()
    for path in images.rglob("*.png"):
        path.write_bytes(whole[:-30])
    said = refused(images, max_corrupt=20)
    assert "none of the 20 images to train on can be used: `circle/0` in images" in said
    assert not list(Path("shards").glob("*.tar"))
    for path in images.rglob("*.png"):
        held_out = is_held_out(path.relative_to(images).with_suffix("").as_posix(), 0.3)
        path.write_bytes(whole if held_out else whole[:-30])
    assert "images to train on can be used" in refused(images, max_corrupt=20, holdout=0.3)
    assert [path.parent.name for path in Path("shards").rglob("*.tar")] == ["holdout"]


def test_two_processes_do_not_write_the_same_shards(images: Path) -> None:
    with locked(Path("shards/pack.json")):
        assert "another process is packing the shards of shards/pack.json" in refused(images)
        assert pack(images, "other/{000..}.tar").images == 20
    assert pack(images).images == 20


def test_shards_without_an_image_are_left_out_of_the_pattern(images: Path, png: Encode) -> None:
    for number in (0, 3, 9):
        (images / "circle" / f"{number}.png").write_bytes(png(64, 64)[:-40])
    packed = pack(images / "circle", shard_bytes=1, max_corrupt=3)
    assert packed.data.urls == "shards/{{001..002},{004..008}}.tar"
    assert contents(packed.data).keys() == {"1", "2", "4", "5", "6", "7", "8"}
    assert pack(images / "circle", shard_bytes=1, max_corrupt=3) == packed
