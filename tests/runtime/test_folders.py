"""Images of a folder, read where they lie: captions, labels, identity, and mistakes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from growlang.diagnostics import GrowlangError
from growlang.net import grid
from growlang.plans.plan import SEMANTICS
from growlang.spec.data import Folder, Resize, Source
from growlang.spec.labels import Labels
from growlang_runtime.data.corrupt import Budget
from growlang_runtime.data.folders import FolderIndex, open_folder
from growlang_runtime.data.images import Images, Indexes
from growlang_runtime.data.source import Wanted

Encode = Callable[..., bytes]
SHAPES = Labels(2, ("circle", "square"))


@pytest.fixture
def images(tmp_path: Path, png: Encode) -> Path:
    """`images/` with two circles and two squares, each in its folder."""
    folder = tmp_path / "images"
    for kind in SHAPES.names:
        (folder / kind).mkdir(parents=True)
        for number in range(2):
            (folder / kind / f"{number}.png").write_bytes(png(8 + number, 8, "red"))
    return folder


def opened(folder: Path, *reads: str, **declared: Any) -> FolderIndex:
    source = Folder(path=folder.name, **{"caption": None, **declared})
    wanted = Wanted(frozenset(reads), SEMANTICS)
    return open_folder(source, wanted, folder.parent, folder.parent / "cache")


def refused(folder: Path, *reads: str, **declared: Any) -> str:
    with pytest.raises(GrowlangError) as caught:
        opened(folder, *reads, **declared)
    return f"{caught.value.message}\n{caught.value.help}".replace(f"{folder.parent}/", "")


def table(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("\n".join(lines) + "\n")


def test_reads_images_in_the_order_of_their_names(images: Path, png: Encode) -> None:
    (images / "square" / "B.PNG").write_bytes(png(5, 3))
    (images / ".hidden.png").write_bytes(b"")
    index = opened(images)
    keys = [index.key(row) for row in range(len(index))]
    assert keys == ["circle/0", "circle/1", "square/0", "square/1", "square/B"]
    assert index.read(4, "image") == png(5, 3)
    assert (index.rows["width"].tolist()[-1], index.rows["height"].tolist()[-1]) == (5, 3)


def test_captions_beside_images_in_json_and_in_tables(images: Path) -> None:
    keys = ["circle/0", "circle/1", "square/0", "square/1"]
    for key in keys:
        (images / f"{key}.txt").write_text(f"é {key}")
        (images / f"{key}.json").write_text(json.dumps({"text": f"json {key}"}))
    table(images, "a.csv", "file_name,text", *(f'{key}.png,"table, {key}"' for key in keys))
    lines = [json.dumps({"image": key, "prompt": f"lines {key}"}) for key in keys]
    table(images.parent, "b.jsonl", *lines)
    for declared, said in [
        ("txt", "é"),
        ("json:text", "json"),
        ("a.csv:text", "table,"),
        ("a.csv", "table,"),
        ("b.jsonl", "lines"),
    ]:
        batch = of(images, caption=declared).batch(range(4))
        assert sorted(str(text) for text in batch.captions) == [f"{said} {key}" for key in keys]


def of(images: Path, budget: int = 0, **declared: Any) -> Images:
    source = Source(name="own", data=Folder(path=images.name, **{"caption": None, **declared}))
    reads = [name for name in ("caption", "label") if getattr(source.data, name)]
    indexes = Indexes(images.parent, reads, cache=images.parent / "cache")
    sizes = [Resize(size=8, side="both")]
    root = Budget(budget, images.parent)
    return Images([source], sizes, grid(3, 8, 8), 0, indexes, root, classes=SHAPES)


def test_labels_are_names_of_folders_names_or_numbers(images: Path) -> None:
    rows = ["circle/0.png,circle", "circle/1.png,0", "square/0.png,square", "square/1.png,1"]
    table(images, "metadata.csv", "file_name,label", *rows)
    for label in ("folder", "metadata.csv", "metadata.csv:label"):
        pictures = of(images, label=label)
        found = {(e.key, e.label) for e in map(pictures.draw, range(4))}
        assert found == {("circle/0", 0), ("circle/1", 0), ("square/0", 1), ("square/1", 1)}


def test_a_label_that_is_no_class_names_the_sample_and_the_classes(images: Path) -> None:
    table(
        images,
        "a.csv",
        "file,label",
        *(f"{n}.png,sqare" for n in ("circle/0", "circle/1", "square/0", "square/1")),
    )
    with pytest.raises(GrowlangError) as caught:
        of(images, label="a.csv").draw(0)
    message = caught.value.message.replace(f"{images.parent}/", "")
    assert "` in images: its label `sqare` is no class; did you mean `square`? " in message
    assert message.endswith("The classes are `circle`, `square`")


def test_each_split_has_a_table_of_its_own(images: Path) -> None:
    for kind in SHAPES.names:
        rows = [f"{n}.png,{kind} {n}" for n in range(2)]
        table(images / kind, "metadata.csv", "file_name,text", *rows)
    index = opened(images, "caption", caption="metadata.csv:text")
    assert [index.read(row, "caption") for row in (0, 3)] == [b"circle 0", b"square 1"]


def test_what_is_wrong_with_one_image_is_told_of_it(images: Path, png: Encode) -> None:
    (images / "circle" / "0.jpg").write_bytes(png(8, 8))
    (images / "square" / "0.png").write_bytes(b"no image")
    (images / "notes.txt").write_text("no caption")
    rows = ["circle/1.png,one", "circle/1.png,two", "square/0.png,x", "circle/2.png,x"]
    table(images, "a.csv", "file_name,text", *rows)
    faults = opened(images, "caption", caption="a.csv").faults
    assert faults == {
        0: "its name is that of two images: circle/0.jpg and circle/0.png",
        1: "it has two captions: a.csv, line 2, and line 3",
        2: "cannot identify image file: it starts with `no image`",
        3: "it has no caption: a.csv has no row for it",
        4: "there is no such image, but a.csv, line 5 has a caption for it; did you mean "
        "`circle/1.png`?",
    }


def test_the_identity_is_that_of_names_and_contents(images: Path, png: Encode) -> None:
    whole = opened(images).identity
    moved = images.rename(images.parent / "elsewhere")
    assert opened(moved).identity == whole
    (moved / "circle" / "0.png").write_bytes(png(8, 8, "blue"))
    other = opened(moved).identity
    assert other != whole
    table(moved, "a.csv", "file,text", *(f"{k}/{n},x" for k in SHAPES.names for n in (0, 1)))
    captioned = opened(moved, "caption", caption="a.csv").identity
    table(moved, "a.csv", "file,text", *(f"{k}/{n},y" for k in SHAPES.names for n in (0, 1)))
    assert len({other, captioned, opened(moved, "caption", caption="a.csv").identity}) == 3


def test_a_folder_without_images_or_captions_says_what_it_has(images: Path) -> None:
    table(images, "metadata.csv", "file_name,text", "circle/0.png,a circle")
    (images.parent / "empty").mkdir()
    assert refused(images.parent / "nowhere").startswith("the folder of images nowhere does not")
    assert refused(images.parent / "empty").startswith("the folder of images empty is empty")
    assert 'image = ["png"]' in refused(images, image="jpg")
    assert 'caption = "metadata.csv:text"' in refused(images, "caption", caption="txt")
    assert 'label = "folder"' in refused(images, "label", label="cls")
    assert "did you mean `metadata.csv`?" in refused(images, "caption", caption="metdata.csv")
    assert "did you mean `text`?" in refused(images, "caption", caption="metadata.csv:txt")
    table(images, "metadata.csv", "file_name,text", "c0.png,a circle")
    assert "rows name images by their path" in refused(images, "caption", caption="metadata.csv")


def test_parquet_needs_pyarrow(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (images / "a.parquet").write_bytes(b"PAR1")
    said = refused(images, "caption", caption="a.parquet:text")
    assert said == (
        "reading images/a.parquet needs pyarrow, which is not installed\n"
        "pip install pyarrow, or save the table as CSV"
    )


def test_numbers_are_a_column_of_a_table(images: Path) -> None:
    """Of an image that the table does not name nothing is drawn."""
    rows = ["circle/0.png,1.5", "circle/1.png,2", "square/0.png,x"]
    table(images, "scores.csv", "file_name,score", *rows)
    field = "scores.csv:score"
    indexes = Indexes(images.parent, [field], cache=images.parent / "cache")
    source = Source(name="own", data=Folder(path=images.name, caption=None))
    sizes, root = [Resize(size=8, side="both")], Budget(2, images.parent)
    numbers = {"score": (field,)}
    found = Images([source], sizes, grid(3, 8, 8), 0, indexes, root, numbers=numbers)
    drawn = [found.draw(p) for p in range(8)]
    assert {(one.key, *one.numbers["score"]) for one in drawn} == {
        ("circle/0", 1.5),
        ("circle/1", 2.0),
    }
    reasons = {c.key: c.reason for one in drawn for c in one.corrupt}
    assert reasons["square/0"] == "its `scores.csv:score` is `x`, which is no number"
    index = indexes.of(source)
    assert [*index.faults.values()] == ["it has no number: scores.csv has no row for it"]


def test_a_missing_table_of_numbers_says_who_reads_it(images: Path) -> None:
    indexes = Indexes(images.parent, ["scores.csv:score"], cache=images.parent / "cache")
    with pytest.raises(GrowlangError) as caught:
        indexes.of(Source(name="own", data=Folder(path=images.name, caption=None)))
    assert caught.value.message == (
        "no such file: scores.csv, which should have the numbers that the model reads by "
        f'`from = "scores.csv:score"` of the images in {images}'
    )
