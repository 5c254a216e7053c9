"""Images: draw p is a function of p, whatever the batches, the workers and what is broken."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from mixes import Open, labelled, source

from growlang.diagnostics import GrowlangError
from growlang.spec.data import Crop, Source, WebDataset
from growlang.spec.labels import Labels
from growlang_runtime.data.corrupt import PATIENCE, Corrupt
from growlang_runtime.data.mix import Batch, prefetch

WriteTar = Callable[[str, Mapping[str, bytes]], Path]
Encode = Callable[..., bytes]


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.images, other.images) and (one.captions, one.labels) == (
        other.captions,
        other.labels,
    )


def test_a_draw_is_an_image_with_its_caption(open_images: Open) -> None:
    images = open_images()
    assert len(images) == 10
    image = images.draw(4)
    assert image.image.shape == (3, 8, 8)
    assert image.image.dtype == torch.float32
    assert image.caption == f"a number {image.key[1:]}"
    assert (image.label, image.source, image.corrupt) == (None, "a", ())


def test_an_epoch_draws_each_image_once_in_a_new_order(open_images: Open) -> None:
    images = open_images()
    epochs = [[images.draw(10 * e + i).key for i in range(10)] for e in range(3)]
    assert all(sorted(epoch) == [f"a{i}" for i in range(10)] for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_the_crop_changes_between_epochs(open_images: Open) -> None:
    images = open_images()
    first = {p.key: p.image for p in map(images.draw, range(10))}
    second = {p.key: p.image for p in map(images.draw, range(10, 20))}
    assert any(not torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("size", [1, 3, 24])
@pytest.mark.parametrize("workers", [1, 4])
def test_neither_batches_nor_workers_change_a_draw(
    open_images: Open, size: int, workers: int
) -> None:
    mix = (source("a", share=0.75), source("b", share=0.25))
    expected = open_images(*mix).batch(range(24))
    ranges = [range(start, start + size) for start in range(0, 24, size)]
    batches = list(prefetch(open_images(*mix), ranges, workers))
    assert all(len(batch.images) == size for batch in batches)
    together = Batch(
        torch.cat([batch.images for batch in batches]),
        sum((batch.captions for batch in batches), ()),
        sum((batch.labels for batch in batches), ()),
    )
    assert same(together, expected)


def test_a_process_may_read_any_draws(open_images: Open) -> None:
    images = open_images()
    whole = images.batch(range(8))
    odd = next(prefetch(images, [range(1, 8, 2)], 2))
    assert torch.equal(odd.images, whole.images[1::2])
    assert odd.captions == whole.captions[1::2]


def test_prefetching_stops_when_it_is_closed(open_images: Open) -> None:
    asked: list[int] = []

    def ranges() -> Any:
        for step in range(1000):
            asked.append(step)
            yield range(4 * step, 4 * step + 4)

    batches = prefetch(open_images(), ranges(), 2)
    next(batches)
    batches.close()
    assert len(asked) == 3


def test_a_mix_keeps_its_shares_and_goes_through_each_source(open_images: Open) -> None:
    images = open_images(source("a", share=0.8), source("b", share=0.2))
    assert len(images) == 17
    drawn = [images.draw(p) for p in range(50)]
    assert Counter(p.source for p in drawn) == {"a": 40, "b": 10}
    of_a = [p.key for p in drawn if p.source == "a"]
    assert all(len(set(of_a[i : i + 10])) == 10 for i in range(0, 40, 10))


def test_a_new_mix_goes_on_where_the_sources_were(open_images: Open) -> None:
    alone = open_images(source("a"))
    given = alone.given(5)
    assert given == {"a": 5}
    mixed = open_images(source("a", share=0.5), source("b", share=0.5), first=5, given=given)
    assert mixed.given(15) == {"a": 10, "b": 5}
    epoch = [alone.draw(p).key for p in range(5)]
    epoch += [p.key for p in map(mixed.draw, range(5, 15)) if p.source == "a"]
    assert sorted(epoch) == [f"a{i}" for i in range(10)]


def test_where_keeps_rows_by_their_size(open_images: Open) -> None:
    where = (">=", ("min", ("row", "width"), ("row", "height")), 15)
    images = open_images(source("a", where=where))
    assert {images.draw(p).key for p in range(20)} == {f"a{i}" for i in range(3, 10)}


def test_where_keeps_rows_by_their_caption(open_images: Open) -> None:
    images = open_images(source("a", where=("==", ("row", "caption"), "a number 4")))
    assert len(images) == 1
    assert images.draw(7).caption == "a number 4"


def test_where_that_keeps_nothing_is_refused(open_images: Open) -> None:
    with pytest.raises(GrowlangError) as caught:
        open_images(source("a", where=(">=", ("row", "width"), 512)))
    assert caught.value.message == (
        "source `a`: where(row.width >= 512) matches none of its 10 images"
    )
    assert caught.value.help.startswith("they are 12 to 21 pixels wide and 16 to 16 high")


def test_where_of_an_unknown_field_is_refused(open_images: Open) -> None:
    with pytest.raises(GrowlangError, match="source `a`: rows have no field `aesthetic`"):
        open_images(source("a", where=(">", ("row", "aesthetic"), 5)))


@pytest.fixture
def broken(write_tar: WriteTar, png: Encode) -> Path:
    """Source `c`: 6 images, of which number 2 is cut short after its header."""
    members: dict[str, bytes] = {}
    for i in range(6):
        data = png(64, 64)
        members[f"c{i}.png"] = data[: len(data) // 2] if i == 2 else data
        members[f"c{i}.txt"] = b"text"
    return write_tar("c.tar", members)


def test_a_corrupt_image_is_replaced_and_told_with_the_draw(
    open_images: Open, broken: Path
) -> None:
    images = open_images(source("c"))
    drawn = [images.draw(p) for p in range(12)]
    (one, other) = [p.corrupt for p in drawn if p.corrupt]
    assert one == other, "once in each epoch"
    assert [(c.shard, c.key) for c in one] == [(broken, "c2")]
    assert one[0].reason.startswith("image file is truncated"), "Pillow's own words"
    assert Counter(p.key for p in drawn[:6]) == {"c0": 1, "c1": 1, "c3": 2, "c4": 1, "c5": 1}


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("workers", [1, 4])
def test_a_batch_has_what_was_left_out_of_it(open_images: Open, workers: int) -> None:
    images = open_images(source("c"))
    batches = list(prefetch(images, [range(0, 3), range(3, 6)], workers))
    assert [c.key for batch in batches for c in batch.corrupt] == ["c2"]


def test_text_that_is_not_utf8_is_left_out_where_it_is_read(
    open_images: Open, write_tar: WriteTar, png: Encode
) -> None:
    latin = "caf\u00e9".encode("latin-1")
    members = {"0.png": png(9, 9), "0.txt": latin, "1.png": png(9, 9), "1.txt": b"a"}
    path = write_tar("g.tar", members)
    told = Corrupt(path, "0", "its caption is not UTF-8 (unexpected end of data at byte 3)")
    images = open_images(source("g"))
    assert {c for p in range(2) for c in images.draw(p).corrupt} == {told}
    assert {images.draw(p).key for p in range(4)} == {"1"}
    unread = open_images(source("g"), reads=())
    assert {unread.draw(p).key for p in range(2)} == {"0", "1"}
    with pytest.raises(GrowlangError) as caught:
        open_images(source("g", where=("==", ("row", "caption"), "a")), reads=())
    assert caught.value.message == f"cannot use image {told} (--max-corrupt is 0)"


def test_a_header_that_cannot_be_read_counts_before_where(
    open_images: Open, write_tar: WriteTar, png: Encode
) -> None:
    path = write_tar("d.tar", {"d.png": b"<html>", "d.txt": b"", "e.png": png(9, 9), "e.txt": b""})
    large = source("d", where=(">=", ("row", "width"), 4))
    with pytest.raises(GrowlangError) as caught:
        open_images(large)
    reason = "cannot identify image file: it starts with `<html>`"
    assert caught.value.message == f"cannot use image `d` in {path}: {reason} (--max-corrupt is 0)"
    assert len(open_images(large, most=1)) == 1
    assert len(open_images(source("d"), most=1)) == 1, "it is no part of an epoch"
    assert len(open_images(source("d"), most=1, semantics=1)) == 2, "as version 0.1 had it"


def test_a_source_without_an_image_that_can_be_used_is_refused(
    open_images: Open, write_tar: WriteTar, png: Encode
) -> None:
    write_tar("d.tar", {"d.png": b"", "d.txt": b""})
    message = r"source `d` has no usable image: `d` in .*: .* it is empty \(0 bytes\)"
    with pytest.raises(GrowlangError, match=message):
        open_images(source("d"), most=1)
    data = png(64, 64)
    write_tar("c.tar", {"c.png": data[: len(data) // 2], "c.txt": b""})
    with pytest.raises(GrowlangError, match="source `c` has no usable image"):
        open_images(source("c"), most=1).draw(0)


def test_a_source_without_labels_is_not_searched_to_its_end(
    open_images: Open, write_tar: WriteTar, png: Encode
) -> None:
    image = png(9, 9)
    members = {f"{i}.{ending}": data for i in range(PATIENCE + 9)
               for ending, data in (("png", image), ("cls", b"cat"))}  # fmt: skip
    write_tar("e.tar", members)
    images = open_images(labelled("cls"), reads=("label",), classes=Labels(10), most=2)
    told = rf"^{PATIENCE + 3} images cannot be used, but --max-corrupt is 2:\n  `.*`cat` is not"
    with pytest.raises(GrowlangError, match=told):
        images.draw(0)


def test_a_caption_that_utf8_cannot_hold_is_left_out(
    open_images: Open, write_tar: WriteTar, png: Encode
) -> None:
    texts = [b'{"caption": "a \\ud83d"}', b'{"caption": "\\ud83d\\ude00"}']
    members: dict[str, bytes] = {}
    for i, text in enumerate(texts):
        members |= {f"{i}.png": png(9, 9), f"{i}.json": text}
    path = write_tar("j.tar", members)
    data = WebDataset(urls="j.tar", image="png", caption="json:caption")
    batch = open_images(Source(name="j", data=data)).batch(range(2))
    assert batch.captions == ("\U0001f600",) * 2
    assert batch.corrupt == (Corrupt(path, "0", "its caption `a \\ud83d` has half a character"),)


def test_a_transform_that_does_not_fit_names_the_image(open_images: Open) -> None:
    images = open_images(transform=[Crop(size=30)])
    with pytest.raises(
        GrowlangError, match=r"`a\d` in .*/a\.tar: crop\(30\) does not fit an image of"
    ):
        images.draw(0)
