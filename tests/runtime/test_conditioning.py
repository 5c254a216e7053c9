"""Conditions of a net: ids, labels, masks, nulls, and which are dropped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from growlang.diagnostics import GrowlangError
from growlang.net import Input, Net, Shape, grid, tokens, vector
from growlang_runtime.conditioning.conditioner import Conditioner, dropped
from growlang_runtime.conditioning.readings import Reading
from growlang_runtime.conditioning.words import word_ids


def net(**encoders: Mapping[str, Any]) -> Net:
    """A net of inputs alone: what a conditioner reads of it."""
    inputs = [Input("image", "image", grid(3, 8, 8))]
    for name, call in encoders.items():
        length = call.get("tokens", 1)
        if call["op"] == "classes":
            read = Input(f"{name}.label", "label", Shape("ids", ()), name)
        elif call["op"] == "number":
            count = len(call["from"]) if isinstance(call["from"], list) else 1
            read = Input(f"{name}.number", "number", vector(count), name)
        elif call["op"] == "words":
            read = Input(f"{name}.ids", "ids", Shape("ids", (length,)), name)
        else:
            read = Input(f"{name}.embedding", "embedding", tokens(length, call["width"]), name)
        inputs += [read, Input(f"{name}.mask", "mask", Shape("ids", (length,)), name)]
    return Net("test", tuple(inputs), (), (), "image", encoders)


WORDS = {"op": "words", "width": 8, "tokens": 4, "vocabulary": 100, "from": "caption"}
SIZE = {"op": "number", "width": 8, "from": ["height", "width"]}
SCORE = {"op": "number", "width": 8, "from": "json:score"}
CLASSES = {"op": "classes", "n": 10, "width": 8, "from": "label"}


def test_words_are_hashed_padded_and_cut() -> None:
    inputs = Conditioner(net(text=WORDS)).encode(["A cat, a Cat!", "", "a b c d e f"], [None] * 3)
    a, cat = word_ids("a cat", 100)
    assert list(inputs) == ["text.ids", "text.mask"]
    assert inputs["text.ids"].tolist() == [
        [a, cat, a, cat],
        [100] * 4,
        word_ids("a b c d", 100),
    ]
    assert inputs["text.mask"].tolist() == [[True] * 4, [True, False, False, False], [True] * 4]
    assert inputs["text.ids"].dtype == torch.int64
    assert inputs["text.mask"].dtype == torch.bool


def test_the_hash_of_a_word_never_changes() -> None:
    ids = [3715, 2527, 3763, 1461, 3015, 1438]
    assert word_ids("Grinning face: Côte d'Ivoire 3", 8192) == ids


@given(st.text(), st.integers(1, 1000))
def test_ids_are_below_the_vocabulary(caption: str, vocabulary: int) -> None:
    assert all(0 <= i < vocabulary for i in word_ids(caption, vocabulary))


def test_captions_that_are_not_read_whole_are_known() -> None:
    captions = ["a b c d", "a b c d e", "!!", "", "e d c b a"]
    dropped = {"text": torch.tensor([False, False, False, False, True])}
    conditioner = Conditioner(net(text=WORDS, kind=CLASSES))
    found = conditioner.read(captions, [1] * 5, dropped)
    assert found.readings == {"text": Reading(4, "words", 4, ("a b c d e",), ("!!", ""))}
    assert torch.equal(
        found.inputs["text.ids"], conditioner.encode(captions, [1] * 5, dropped)["text.ids"]
    )


def test_a_frozen_encoder_knows_what_it_cuts(t5: Path) -> None:
    call = {"op": "t5", "id": str(t5), "tokens": 3, "width": 16, "from": "caption"}
    found = Conditioner(net(text=call)).read(["a red cat", "cat", ""], [None] * 3)
    assert found.readings == {"text": Reading(3, "tokens", 3, ("a red cat",), ("",))}


def test_words_are_those_of_the_plans_semantics() -> None:
    now, before = (Conditioner(net(text=WORDS), semantics=n) for n in (2, 1))
    captions, labels = ["STRASSE", "straße"], [None] * 2
    new, old = (c.encode(captions, labels)["text.ids"][:, 0].tolist() for c in (now, before))
    assert new[0] == new[1] == old[0] != old[1]


def test_classes_are_labels_with_one_valid_token() -> None:
    inputs = Conditioner(net(kind=CLASSES)).encode([None, None], [3, 9])
    assert inputs["kind.label"].tolist() == [3, 9]
    assert inputs["kind.mask"].tolist() == [[True], [True]]


def test_what_is_dropped_is_null() -> None:
    conditioner = Conditioner(net(text=WORDS, kind=CLASSES))
    masks = {"text": torch.tensor([True, False]), "kind": torch.tensor([False, True])}
    inputs = conditioner.encode(["a cat", "a cat"], [3, 3], masks)
    null = conditioner.null(2)
    assert inputs["kind.label"].tolist() == [3, 10]
    assert null["kind.label"].tolist() == [10, 10]
    assert null["text.ids"].tolist() == [[100] * 4] * 2
    assert torch.equal(inputs["text.ids"][0], null["text.ids"][0])
    assert torch.equal(inputs["text.mask"][0], null["text.mask"][0])
    assert inputs["text.ids"][1].tolist() == [*word_ids("a cat", 100), 100, 100]


def test_a_frozen_encoder_gives_embeddings_and_the_empty_caption_when_dropped(t5: Path) -> None:
    call = {"op": "t5", "id": str(t5), "tokens": 6, "width": 16, "from": "caption"}
    conditioner = Conditioner(net(text=call))
    masks = {"text": torch.tensor([False, True])}
    inputs = conditioner.encode(["a red cat", "a red cat"], [None, None], masks)
    assert list(inputs) == ["text.embedding", "text.mask"]
    assert inputs["text.embedding"].shape == (2, 6, 16)
    assert inputs["text.mask"].sum(1).tolist() == [4, 1]
    null = conditioner.null(1)
    assert torch.equal(inputs["text.embedding"][1:], null["text.embedding"])
    assert not torch.equal(inputs["text.embedding"][:1], null["text.embedding"])


def test_every_null_keeps_a_valid_token() -> None:
    null = Conditioner(net(text=WORDS, kind=CLASSES)).null(3)
    assert all(null[name].any(1).all() for name in ("text.mask", "kind.mask"))


def test_a_net_without_conditions_has_no_inputs() -> None:
    assert Conditioner(net()).encode([None], [None]) == {}


@pytest.mark.parametrize(
    ("captions", "labels", "message"),
    [
        ([None], [1], "condition `text` reads the caption, but the data source has none"),
        (["a"], [None], "condition `kind` reads the label, but the data source has none"),
        (["a"], [10], "label 10 is out of range for condition `kind`, which has 10 classes"),
        (["a"], [-1], "label -1 is out of range for condition `kind`, which has 10 classes"),
    ],
)
def test_what_cannot_be_encoded_is_named(
    captions: list[str | None], labels: list[int | None], message: str
) -> None:
    with pytest.raises(GrowlangError) as caught:
        Conditioner(net(text=WORDS, kind=CLASSES)).encode(captions, labels)
    assert caught.value.message == message


def test_a_label_that_has_no_null_is_not_dropped() -> None:
    read = Conditioner(net(kind=CLASSES | {"null": False}))
    assert read.encode(["a"], [9])["kind.label"].tolist() == [9]
    with pytest.raises(GrowlangError, match="`kind` is dropped, and it has no null") as caught:
        read.null(1)
    assert "`drop = 0`" in (caught.value.help or "")


def test_a_field_that_samples_do_not_have_is_named() -> None:
    with pytest.raises(GrowlangError, match="`text` reads the field `tags`, but words can"):
        Conditioner(net(text=WORDS | {"from": "tags"}))


def test_conditions_are_dropped_together_by_a_number() -> None:
    masks = dropped(0, range(4000), 0.1, ["text", "kind"])
    assert torch.equal(masks["text"], masks["kind"])
    assert abs(masks["text"].double().mean().item() - 0.1) < 0.02


def test_conditions_are_dropped_each_by_a_mapping() -> None:
    masks = dropped(0, range(4000), {"text": 0.5, "kind": 0.2}, ["text", "kind", "other"])
    assert abs(masks["text"].double().mean().item() - 0.5) < 0.03
    assert abs(masks["kind"].double().mean().item() - 0.2) < 0.03
    assert not masks["other"].any()
    both = (masks["text"] & masks["kind"]).double().mean().item()
    assert abs(both - 0.1) < 0.02, "independent of each other"


@pytest.mark.parametrize("drop", [0.3, {"text": 0.3}])
def test_what_is_dropped_is_a_function_of_the_draw(drop: float | dict[str, float]) -> None:
    whole = dropped(7, range(50), drop, ["text"])["text"]
    parts = [dropped(7, [p], drop, ["text"])["text"] for p in range(50)]
    assert torch.equal(whole, torch.cat(parts))


def test_a_dropped_name_that_is_no_condition_is_named() -> None:
    with pytest.raises(GrowlangError) as caught:
        dropped(0, [0], {"txt": 0.1}, ["text"])
    assert caught.value.message == "`drop` names `txt`, which is not a condition of the model"
    assert caught.value.help == "conditions of the model: text"


def test_numbers_are_those_of_each_image_and_nan_where_they_are_dropped() -> None:
    conditioner = Conditioner(net(size=SIZE, score=SCORE))
    numbers = [{"size": (3.0, 4.0), "score": (0.5,)}, {"size": (5.0, 6.0), "score": (0.25,)}]
    masks = {"score": torch.tensor([False, True])}
    inputs = conditioner.encode([None] * 2, [None] * 2, masks, numbers)
    assert inputs["size.number"].tolist() == [[3.0, 4.0], [5.0, 6.0]]
    assert inputs["score.number"][0].tolist() == [0.5]
    assert inputs["score.number"][1].isnan().all()
    assert inputs["score.mask"].all()
    assert inputs["score.number"].dtype == torch.float32
    assert conditioner.null(2)["size.number"].isnan().all()


def test_numbers_without_a_null_are_not_dropped() -> None:
    conditioner = Conditioner(net(size=SIZE | {"null": False}, score=SCORE))
    everything = {name: torch.ones(1, dtype=torch.bool) for name in ("size", "score")}
    inputs = conditioner.encode([None], [None], everything, [{"size": (3.0, 4.0)}])
    assert inputs["size.number"].tolist() == [[3.0, 4.0]]
    assert set(conditioner.null(1)) == {"score.number", "score.mask"}, "the others stay"


def test_an_image_without_a_number_is_refused() -> None:
    with pytest.raises(GrowlangError, match="condition `score` reads numbers"):
        Conditioner(net(score=SCORE)).encode([None], [None])


def test_numbers_of_images_that_are_drawn() -> None:
    conditioner = Conditioner(net(size=SIZE, score=SCORE))
    assert conditioner.usual_numbers({"score": [7]}) == {"score": (7.0,), "size": (8.0, 8.0)}
    assert conditioner.usual_numbers({"size": [1, 2]}) == {"size": (1.0, 2.0)}, "no score: null"
    for wrong, message, help in [
        ({"skore": [1.0]}, "no condition of the model", "give --number score=SCORE"),
        ({"size": [1.0]}, "1 number is given", "give --number size=HEIGHT,WIDTH"),
        ({"score": [float("nan")]}, "not finite", "give --number score=SCORE"),
    ]:
        with pytest.raises(GrowlangError, match=message) as error:
            conditioner.usual_numbers(wrong)
        assert error.value.help == help
    with pytest.raises(GrowlangError, match="has no null"):
        Conditioner(net(score=SCORE | {"null": False})).usual_numbers({})
