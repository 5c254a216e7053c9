"""Pictures: draw p is a function of p, whatever the batches, the workers and what is broken."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from growlang.diagnostics import GrowlangError
from growlang.net import grid
from growlang.spec import Crop, Flip, Resize, Source, Transform, WebDataset
from growlang_runtime.pictures import Batch, Pictures, prefetch

WriteTar = Callable[[str, Mapping[str, bytes]], Path]
Encode = Callable[..., bytes]
Open = Callable[..., Pictures]

TRANSFORM: list[Transform] = [Resize(size=12), Crop(size=8, at="random"), Flip(probability=0.5)]


def source(name: str, **changes: Any) -> Source:
    return Source(name=name, webdataset=WebDataset(urls=f"{name}.tar", image="png"), **changes)


@pytest.fixture
def open_pictures(tmp_path: Path, write_tar: WriteTar, png: Encode) -> Open:
    """Opens mixes of source `a` (10 pictures, 12 to 21 wide) and `b` (7, 40 wide)."""
    for name, count in (("a", 10), ("b", 7)):
        members: dict[str, bytes] = {}
        for i in range(count):
            members[f"{name}{i}.png"] = png(12 + i, 16) if name == "a" else png(40, 30 + i)
            members[f"{name}{i}.txt"] = f"{name} number {i}".encode()
        write_tar(f"{name}.tar", members)

    def open_(*sources: Source, transform: list[Transform] = TRANSFORM, **more: Any) -> Pictures:
        return Pictures(
            sources or [source("a")],
            transform,
            grid(3, 8, 8),
            3,
            tmp_path,
            cache=tmp_path / "cache",
            **more,
        )

    return open_


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.images, other.images) and (one.captions, one.labels) == (
        other.captions,
        other.labels,
    )


def test_a_draw_is_a_picture_with_its_caption(open_pictures: Open) -> None:
    pictures = open_pictures()
    assert len(pictures) == 10
    picture = pictures.draw(4)
    assert picture.image.shape == (3, 8, 8)
    assert picture.image.dtype == torch.float32
    assert picture.caption == f"a number {picture.key[1:]}"
    assert (picture.label, picture.source, picture.corrupt) == (None, "a", ())


def test_an_epoch_draws_each_picture_once_in_a_new_order(open_pictures: Open) -> None:
    pictures = open_pictures()
    epochs = [[pictures.draw(10 * e + i).key for i in range(10)] for e in range(3)]
    assert all(sorted(epoch) == [f"a{i}" for i in range(10)] for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_the_crop_changes_between_epochs(open_pictures: Open) -> None:
    pictures = open_pictures()
    first = {p.key: p.image for p in map(pictures.draw, range(10))}
    second = {p.key: p.image for p in map(pictures.draw, range(10, 20))}
    assert any(not torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("size", [1, 3, 24])
@pytest.mark.parametrize("workers", [1, 4])
def test_neither_batches_nor_workers_change_a_draw(
    open_pictures: Open, size: int, workers: int
) -> None:
    mix = (source("a", share=0.75), source("b", share=0.25))
    expected = open_pictures(*mix).batch(range(24))
    ranges = [range(start, start + size) for start in range(0, 24, size)]
    batches = list(prefetch(open_pictures(*mix), ranges, workers))
    assert all(len(batch.images) == size for batch in batches)
    together = Batch(
        torch.cat([batch.images for batch in batches]),
        sum((batch.captions for batch in batches), ()),
        sum((batch.labels for batch in batches), ()),
    )
    assert same(together, expected)


def test_a_process_may_read_any_draws(open_pictures: Open) -> None:
    pictures = open_pictures()
    whole = pictures.batch(range(8))
    odd = next(prefetch(pictures, [range(1, 8, 2)], 2))
    assert torch.equal(odd.images, whole.images[1::2])
    assert odd.captions == whole.captions[1::2]


def test_prefetching_stops_when_it_is_closed(open_pictures: Open) -> None:
    asked: list[int] = []

    def ranges() -> Any:
        for step in range(1000):
            asked.append(step)
            yield range(4 * step, 4 * step + 4)

    batches = prefetch(open_pictures(), ranges(), 2)
    next(batches)
    batches.close()
    assert len(asked) == 3


def test_a_mix_keeps_its_shares_and_goes_through_each_source(open_pictures: Open) -> None:
    pictures = open_pictures(source("a", share=0.8), source("b", share=0.2))
    assert len(pictures) == 17
    drawn = [pictures.draw(p) for p in range(50)]
    assert Counter(p.source for p in drawn) == {"a": 40, "b": 10}
    of_a = [p.key for p in drawn if p.source == "a"]
    assert all(len(set(of_a[i : i + 10])) == 10 for i in range(0, 40, 10))


def test_a_new_mix_goes_on_where_the_sources_were(open_pictures: Open) -> None:
    alone = open_pictures(source("a"))
    given = alone.given(5)
    assert given == {"a": 5}
    mixed = open_pictures(source("a", share=0.5), source("b", share=0.5), first=5, given=given)
    assert mixed.given(15) == {"a": 10, "b": 5}
    epoch = [alone.draw(p).key for p in range(5)]
    epoch += [p.key for p in map(mixed.draw, range(5, 15)) if p.source == "a"]
    assert sorted(epoch) == [f"a{i}" for i in range(10)]


def test_where_keeps_rows_by_their_size(open_pictures: Open) -> None:
    where = (">=", ("min", ("row", "width"), ("row", "height")), 15)
    pictures = open_pictures(source("a", where=where))
    assert {pictures.draw(p).key for p in range(20)} == {f"a{i}" for i in range(3, 10)}


def test_where_keeps_rows_by_their_caption(open_pictures: Open) -> None:
    pictures = open_pictures(source("a", where=("==", ("row", "caption"), "a number 4")))
    assert len(pictures) == 1
    assert pictures.draw(7).caption == "a number 4"


def test_where_that_keeps_nothing_is_refused(open_pictures: Open) -> None:
    with pytest.raises(GrowlangError) as caught:
        open_pictures(source("a", where=(">=", ("row", "width"), 512)))
    assert caught.value.message == (
        "source `a`: where(row.width >= 512) keeps none of its 10 pictures"
    )
    assert caught.value.help.startswith("they are 12 to 21 pixels wide and 16 to 16 high")


def test_where_of_an_unknown_field_is_refused(open_pictures: Open) -> None:
    with pytest.raises(GrowlangError, match="source `a`: its rows have no `aesthetic`"):
        open_pictures(source("a", where=(">", ("row", "aesthetic"), 5)))


@pytest.fixture
def broken(write_tar: WriteTar, png: Encode) -> Path:
    """Source `c`: 6 pictures, of which number 2 is cut short after its header."""
    members: dict[str, bytes] = {}
    for i in range(6):
        data = png(64, 64)
        members[f"c{i}.png"] = data[: len(data) // 2] if i == 2 else data
        members[f"c{i}.txt"] = b"text"
    return write_tar("c.tar", members)


def test_a_corrupt_picture_is_named(open_pictures: Open, broken: Path) -> None:
    pictures = open_pictures(source("c"))
    with pytest.raises(GrowlangError) as caught:
        for p in range(6):
            pictures.draw(p)
    assert caught.value.message == (
        f"the picture `c2` of {broken} cannot be decoded; at most 0 may be corrupt"
    )


def test_corrupt_pictures_within_the_budget_are_replaced(open_pictures: Open, broken: Path) -> None:
    pictures = open_pictures(source("c"), budget=1)
    drawn = [pictures.draw(p) for p in range(12)]
    replaced = [p for p in drawn if p.corrupt]
    told = f"the picture `c2` of {broken} cannot be decoded"
    assert [p.corrupt for p in replaced] == [(told,)] * 2, "once in each epoch"
    assert Counter(p.key for p in drawn[:6]) == {"c0": 1, "c1": 1, "c3": 2, "c4": 1, "c5": 1}
    assert pictures.corrupt == {told}


def test_a_caption_that_is_not_utf8_is_told_as_such(
    open_pictures: Open, write_tar: WriteTar, png: Encode
) -> None:
    path = write_tar("g.tar", {"0.png": png(9, 9), "0.txt": "caf\u00e9".encode("latin-1")})
    told = f"the caption of `0` of {path} is not UTF-8 (unexpected end of data at byte 3)"
    with pytest.raises(GrowlangError) as caught:
        open_pictures(source("g")).draw(0)
    assert caught.value.message == ("source `g` has no picture that can be decoded: " + told)
    with pytest.raises(GrowlangError) as caught:
        open_pictures(source("g", where=("==", ("row", "caption"), "x")))
    assert caught.value.message == told
    write_tar("g.tar", {"0.png": png(9, 9), "0.txt": b"\xff", "1.png": png(9, 9), "1.txt": b"a"})
    pictures = open_pictures(source("g"))
    with pytest.raises(GrowlangError, match=r"the caption of `0` of .* is not UTF-8 \(invalid"):
        pictures.batch(range(2))


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("workers", [1, 4])
def test_a_corrupt_picture_stops_the_batch_that_has_it(open_pictures: Open, workers: int) -> None:
    lenient = open_pictures(source("c"), budget=1)
    at = next(p for p in range(6) if lenient.draw(p).corrupt)
    batches = prefetch(open_pictures(source("c")), [[p] for p in range(6)], workers)
    assert len([next(batches) for _ in range(at)]) == at
    with pytest.raises(GrowlangError, match="cannot be decoded"):
        next(batches)


def test_a_header_that_cannot_be_read_is_named_before_the_first_draw(
    open_pictures: Open, write_tar: WriteTar
) -> None:
    write_tar("d.tar", {"d.png": b"no picture", "d.txt": b"text"})
    with pytest.raises(GrowlangError, match=r"the picture `d` of .* cannot be decoded"):
        open_pictures(source("d"))
    lenient = open_pictures(source("d"), budget=1)
    with pytest.raises(GrowlangError, match="source `d` has no picture that can be decoded"):
        lenient.draw(0)


def test_a_transform_that_does_not_fit_names_the_picture(open_pictures: Open) -> None:
    pictures = open_pictures(transform=[Crop(size=30)])
    with pytest.raises(GrowlangError, match=r"`a\d` of .*/a\.tar: crop\(30\) of a picture of"):
        pictures.draw(0)


def test_labels_are_numbers(
    open_pictures: Open, write_tar: WriteTar, png: Encode, tmp_path: Path
) -> None:
    write_tar("e.tar", {"0.png": png(12, 12), "0.cls": b"7\n"})
    write_tar("f.tar", {"0.png": png(12, 12), "0.cls": b"cat"})

    def labelled(name: str) -> Source:
        data = WebDataset(urls=f"{name}.tar", image="png", caption=None, label="cls")
        return Source(name=name, webdataset=data)

    batch = open_pictures(labelled("e")).batch([0])
    assert (batch.captions, batch.labels) == ((None,), (7,))
    with pytest.raises(GrowlangError, match=r"the label of `0` of .*f\.tar is `cat`,"):
        open_pictures(labelled("f")).draw(0)
