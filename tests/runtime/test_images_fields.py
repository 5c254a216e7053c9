"""What is read of a sample beside its image: labels, captions and numbers, in files and in JSON."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mixes import Open, labelled, source
from PIL import Image

from growlang.diagnostics import GrowlangError
from growlang.spec.data import Crop, Source, Transform, WebDataset
from growlang.spec.labels import Labels
from growlang_runtime.data.corrupt import Corrupt

WriteTar = Callable[[str, Mapping[str, bytes]], Path]
Encode = Callable[..., bytes]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"circle", "its label `circle` is not an integer"),
        (b"", "its label is empty"),
        (b"-1", "its label -1 is out of range (0 to 9)"),
        (b"10", "its label 10 is out of range (0 to 9)"),
        (b"\xff", "its label is not UTF-8 (invalid start byte at byte 0)"),
    ],
)
def test_labels_are_numbers_of_classes(
    open_images: Open, write_tar: WriteTar, png: Encode, content: bytes, reason: str
) -> None:
    members = {"0.png": png(12, 12), "0.cls": b"7\n", "1.png": png(12, 12), "1.cls": content}
    path = write_tar("e.tar", members)
    images = open_images(labelled("cls"), reads=("label",), classes=Labels(10))
    batch = images.batch(range(2))
    assert (batch.captions, batch.labels) == ((None, None), (7, 7))
    needed = 11 if content == b"10" else 0
    assert batch.corrupt == (Corrupt(path, "1", reason, needed),)


def test_captions_and_labels_are_fields_of_json(
    open_images: Open, write_tar: WriteTar, png: Encode
) -> None:
    sidecars = [
        {"meta": {"caption": "nested"}, "class": 3},
        {"meta.caption": "dotted", "class": "4"},
        {"meta": {}, "alt": "another", "class": 5.0},
        {"meta": {"caption": None}, "class": 6},
        {"meta": {"caption": 7}, "class": True},
    ]
    members: dict[str, bytes] = {}
    for i, sidecar in enumerate(sidecars):
        members |= {f"{i}.png": png(9, 9), f"{i}.json": json.dumps(sidecar).encode()}
    write_tar("j.tar", members | {"5.png": png(9, 9), "5.json": b"{"})
    data = WebDataset(
        urls="j.tar", image="png", caption=["json:meta.caption", "json:alt"], label="json:class"
    )
    images = open_images(Source(name="j", data=data), reads=("caption", "label"))
    drawn = [images.draw(p) for p in range(6)]
    assert {(d.key, d.caption, d.label) for d in drawn} == {
        ("0", "nested", 3),
        ("1", "dotted", 4),
        ("2", "another", 5),
    }
    assert {c.key: c.reason for d in drawn for c in d.corrupt} == {
        "3": "it has no caption: its JSON has no `meta.caption` or `alt`",
        "4": "its caption `7` in JSON is not a string",
        "5": "the JSON of its caption is not valid: Expecting property name enclosed in double "
        "quotes: line 1 column 2 (char 1)",
    }


def test_where_reads_fields_of_json(open_images: Open, write_tar: WriteTar, png: Encode) -> None:
    sidecars: list[Any] = [{"score": 0.9, "tag": "a"}, {"score": 2}, {"tag": "a"}, {"score": None}]
    members: dict[str, bytes] = {"4.png": png(9, 9), "4.txt": b""}
    for i, sidecar in enumerate(sidecars):
        members |= {f"{i}.png": png(9, 9), f"{i}.txt": b""}
        members |= {f"{i}.json": json.dumps(sidecar).encode()}
    write_tar("k.tar", members)

    def keys(where: Any) -> tuple[set[str], list[str]]:
        images = open_images(source("k", where=where))
        return {images.draw(p).key for p in range(len(images))}, images.warnings

    assert keys((">", ("row", "json.score"), 0.5)) == (
        {"0", "1"},
        ["source `k`: where(row.json.score > 0.5) drops 3 of 5 images that lack a field"],
    )
    assert keys(("not", (">", ("row", "json.score"), 1)))[0] == {"0"}, "none that lacks the field"
    assert keys(("==", ("row", "json.tag"), "a"))[0] == {"0", "2"}
    with pytest.raises(GrowlangError) as caught:
        keys((">", ("row", "json.scor"), 0.5))
    assert caught.value.message == (
        "source `k`: none of its 5 images has a field `scor` in a file KEY.json"
    )
    assert caught.value.help == "did you mean `json.score`?"


def test_a_field_that_is_a_number_and_a_text_is_refused(
    open_images: Open, write_tar: WriteTar, png: Encode
) -> None:
    members: dict[str, bytes] = {}
    for i, score in enumerate(['"high"', "3"]):
        members |= {f"{i}.png": png(9, 9), f"{i}.txt": b""}
        members |= {f"{i}.json": b'{"x": %s}' % score.encode()}
    path = write_tar("k.tar", members)
    with pytest.raises(GrowlangError) as caught:
        open_images(source("k", where=(">", ("row", "json.x"), 1)))
    assert caught.value.message == (
        f"source `k`: `json.x` has mixed types: `high` for `0` in {path} and `3` for `1` in {path}"
    )


def test_sources_of_the_same_shards_share_an_index(open_images: Open) -> None:
    large = source("a", where=(">=", ("row", "width"), 15), share=0.5).model_copy(
        update={"name": "large"}
    )
    images = open_images(source("a", share=0.5), large)
    assert images.identity["a"] == images.identity["large"]
    assert images._sources[0].index is images._sources[1].index


def test_captions_that_nothing_reads_are_not_looked_for(
    open_images: Open, write_tar: WriteTar, png: Encode
) -> None:
    write_tar("c.tar", {"0.png": png(9, 9), "0.cls": b"1"})
    assert open_images(source("c"), reads=()).draw(0).caption is None
    with pytest.raises(GrowlangError, match=r"no sample in .* has a caption `\.txt`"):
        open_images(source("c"))


NUMBERS = {"score": ("json:meta.score",), "size": ("height", "width"), "at": ("crop_left",)}


def test_numbers_are_read_of_json_and_of_the_image(
    open_images: Open, tmp_path: Path, write_tar: WriteTar, png: Encode
) -> None:
    """Of one image without a number, and of one with a word, the next is drawn."""
    members = {f"n{i}.png": png(20 + i, 16) for i in range(4)}
    said: list[Any] = [{"meta": {"score": "2.5"}}, {"meta": {"score": 3}}, {"meta": 1}, [True]]
    said[3] = {"meta": {"score": True}}
    members |= {f"n{i}.json": json.dumps(one).encode() for i, one in enumerate(said)}
    write_tar("n.tar", members)
    images = open_images(source("n"), reads=("json",), numbers=NUMBERS, most=2)
    drawn = [images.draw(p) for p in range(40)]
    scores = {"n0": 2.5, "n1": 3.0}
    assert {one.key for one in drawn} == scores.keys()
    for one in drawn:
        assert one.numbers["score"] == (scores[one.key],)
        assert one.numbers["size"] == (16.0, 20.0 + int(one.key[1:]))
    lefts = {one.numbers["at"][0] for one in drawn}
    assert len(lefts) > 2, "the crops are random"
    corrupt = {c.key: c.reason for one in drawn for c in one.corrupt}
    assert corrupt == {
        "n2": "it has no `json:meta.score`: its JSON has `meta`",
        "n3": "its `json:meta.score` is `True`, which is no number",
    }
    assert images.batch(range(3)).numbers == tuple(one.numbers for one in drawn[:3])


def test_a_crop_is_where_the_numbers_say(
    open_images: Open, tmp_path: Path, write_tar: WriteTar
) -> None:
    """Each column of the image has its number as its value."""
    columns = np.tile(np.arange(20, dtype=np.uint8), (8, 1))
    file = io.BytesIO()
    Image.fromarray(columns).save(file, "PNG")
    write_tar("c.tar", {"c.png": file.getvalue()})
    crop: list[Transform] = [Crop(size=8, at="random")]
    images = open_images(
        source("c"), transform=crop, reads=(), numbers={"at": ("crop_left", "crop_top")}
    )
    for p in range(8):
        one = images.draw(p)
        left = float(one.image[0, 0, 0] + 1) * 127.5
        assert one.numbers["at"] == (pytest.approx(left, abs=1e-3), 0.0)


def test_shards_have_no_tables_of_numbers(open_images: Open) -> None:
    field = "scores.csv:score"
    with pytest.raises(GrowlangError, match="folders alone have tables") as error:
        open_images(reads=(field,), numbers={"score": (field,)}).draw(0)
    assert error.value.help == 'write `from = "json:score"` for a field of the JSON files'
