"""What `init` chooses, and that what it writes is clean: nothing is measured here."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from growlang.checking import check
from growlang.diagnostics import GrowlangError
from growlang.spec.data import WebDataset
from growlang.spec.declaring import classes_call, name_of
from growlang.spec.labels import named_or_counted
from growlang.starting.choice import ENOUGH, LADDER, SHARE, Choice, choose, steps_within
from growlang.starting.project import SIZES, Project, proposed_size, require_size, specs
from growlang.starting.seen import Asked, Condition, Seen, project_of
from growlang.starting.start import Started
from growlang.tools.formatting import formatted

IMAGES = Seen(
    data=WebDataset(urls="x.tar", image="png", label="cls"),
    images=100,
    side=70,
    captions=['a red "circle"', "a blue square", "Größe 3"],
    classes=["circle", "square"],
    tokens=8,
    vocabulary=1024,
)


def project(size: int | None = None, condition: Condition | None = None) -> Project:
    return project_of(IMAGES, Asked("shapes/", size, condition, 10, "cpu"))


# --- the net and its steps -----------------------------------------------------------------------


def test_the_largest_net_that_makes_enough_steps_is_chosen() -> None:
    tried = []

    def seconds(choice: Choice) -> float:
        tried.append((choice.width, choice.depth))
        return choice.width * choice.depth / 1200

    found = choose(seconds, 10, 16)
    assert (found.width, found.depth) == (128, 2)
    assert found.steps == steps_within(10, 256 / 1200) >= ENOUGH
    assert tried == [(64, 2), (128, 2), (128, 3)], "larger ones are not even tried"


@pytest.mark.parametrize(("seconds", "rung"), [(1e-4, LADDER[-1]), (60.0, LADDER[0])])
def test_machines_of_any_speed_get_a_net(seconds: float, rung: tuple[int, int]) -> None:
    found = choose(lambda _: seconds, 10, 16)
    assert (found.width, found.depth) == rung
    assert 1 <= found.steps * seconds <= SHARE * 600


def test_a_budget_that_is_too_small_goes_into_more_steps_of_fewer_images() -> None:
    found = choose(lambda choice: choice.batch / 16, 10, 16)
    assert (found.width, found.batch, found.steps) == (LADDER[0].width, 8, 1000)


def test_a_longer_budget_goes_into_the_net_and_into_its_steps() -> None:
    short, long = (choose(lambda c: c.width * c.depth / 1200, m, 16) for m in (10, 120))
    assert long.width > short.width
    assert long.steps > short.steps
    assert long.lr < short.lr


# --- the specs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", ["text", "classes", "none"])
@pytest.mark.parametrize("size", [16, 64, 72, 256, 1024])
def test_both_specs_are_clean_and_formatted(
    tmp_path: Path, condition: Condition, size: int
) -> None:
    made = project(size, condition)
    for name, text in specs(made, Choice(192, 4, 16, 2300), Choice(192, 4, 16, 1)).items():
        (tmp_path / name).write_text(text, "utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {
        f"core_{size // 2}.grow",
        f"shapes_{size}.grow",
    }
    for path in tmp_path.iterdir():
        assert check(path).diagnostics == ()
        assert not formatted(path).changed
        assert "$" not in path.read_text("utf-8")


def test_of_many_images_some_are_held_out(tmp_path: Path) -> None:
    few, many = (replace(IMAGES, images=count) for count in (499, 500))
    texts = [_core(images) for images in (few, many)]
    assert ["holdout     = 2%" in text for text in texts] == [False, True]
    (tmp_path / "core_32.grow").write_text(texts[1], "utf-8")
    assert check(tmp_path / "core_32.grow").diagnostics == ()
    assert not formatted(tmp_path / "core_32.grow").changed


def _core(images: Seen) -> str:
    made = project_of(images, Asked("x", 64, "text", 10, "cpu"))
    return specs(made, Choice(64, 2, 16), Choice(64, 2, 16))["core_32.grow"]


def test_what_is_not_said_is_taken_from_the_images() -> None:
    made = project()
    assert (made.size, made.core_size) == (64, 32)
    assert made.condition == "words(width, tokens = 8)"
    assert made.prompts == tuple(IMAGES.captions)


@pytest.mark.parametrize(("width", "rows"), [(64, 2048), (256, 8192)])
def test_the_embedding_of_many_words_is_not_most_of_a_small_net(width: int, rows: int) -> None:
    choice = Choice(width, 2, 16)
    text = specs(replace(project(), vocabulary=8192), choice, choice)["core_32.grow"]
    assert f"words(width, tokens = 8, vocabulary = {rows})" in text


@pytest.mark.parametrize(
    ("side", "most", "size"), [(10, 64, 16), (64, 64, 64), (300, 64, 64), (300, 256, 256)]
)
def test_a_size_is_proposed_that_the_images_have(side: int, most: int, size: int) -> None:
    assert proposed_size(side, most) == size


@pytest.mark.parametrize("size", SIZES)
def test_every_size_that_is_proposed_can_be_made(size: int) -> None:
    require_size(size)


@pytest.mark.parametrize("size", [8, 20, 65, 2048])
def test_a_size_that_cannot_be_made_is_refused(size: int) -> None:
    with pytest.raises(GrowlangError, match=f"--size {size}") as refused:
        require_size(size)
    assert "64" in (refused.value.help or "")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("my images/", "my_images"),
        ("../Birds", "birds"),
        ("birds-{000..017}.tar", "birds"),
        ("birds/{000..017}.tar", "birds"),
        ("birds/*.tar", "birds"),
        ("data/demo-00000.tar", "demo"),
        ("birds/000000.tar", "birds"),
        ("flowers-102", "flowers_102"),
        ("2024/", "set_2024"),
        ("and", "and_images"),
        ("写真", "images"),
        ("core", "core_images"),
        (".", "images"),
    ],
)
def test_the_data_is_named_after_its_place(given: str, name: str) -> None:
    assert name_of(given) == name


@pytest.mark.parametrize("condition", ["text", "classes"])
def test_conditions_that_the_images_lack_are_refused(condition: Condition) -> None:
    bare = Seen(IMAGES.data, 10, 64, [], [], 8, 1024)
    with pytest.raises(GrowlangError, match="the images have no") as refused:
        bare.call(condition)
    assert "--condition none" in (refused.value.help or "")


@pytest.mark.parametrize(
    ("labels", "call"),
    [
        (["3", "5"], 'classes(width, names = ["3", "5"])'),
        (["10", "9"], 'classes(width, names = ["9", "10"])'),
        (["1", "0", "2"], "classes(3, width)"),
        (["b", "a", "b"], 'classes(width, names = ["a", "b"])'),
    ],
)
def test_classes_are_named_where_their_numbers_do_not_count_them(
    labels: list[str], call: str
) -> None:
    assert classes_call(*named_or_counted(labels)) == call
    assert replace(IMAGES, classes=labels).call("classes") == call


def test_commands_are_quoted_for_the_shell() -> None:
    started = Started(Path("my specs/core_8.grow"), Path("my specs/x_16.grow"), Choice(64, 2, 16))
    assert [shlex.split(line)[2] for line in started.commands] == [
        "my specs/core_8.grow",
        "my specs/x_16.grow",
        "runs/x_16/main",
    ]
