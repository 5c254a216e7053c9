from __future__ import annotations

from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from fixture_specs import SHIPPED, SPECS, checked, edited, findings

from growlang.checking import Checked
from growlang.diagnostics import GrowlangError
from growlang.planning import plan
from growlang.spec.data import Crop, Resize, Source
from growlang.spec.optimizers import AdamW
from growlang.spec.rates import WSD
from growlang.spec.recipe import Settings


def settings(found: Checked, recipe: str) -> Settings:
    return next(r.settings for r in found.resolved.recipes if r.name == recipe)


def codes(path: Path, **params: str) -> list[str]:
    return [item.code for item in findings(path, **params)]


def width_of(found: Checked, name: str) -> int:
    return next(c.output.width for c in found.net.components if c.name == name)


# --- params --------------------------------------------------------------------------------------


def test_params_need_no_order() -> None:
    core = checked(SPECS / "core.grow")
    assert len([n for n in core.net.nodes if n.op == "transformer"]) == 2


def test_a_param_that_nobody_sets_right_is_evaluated_once(tmp_path: Path) -> None:
    path = edited(SPECS / "core.grow", tmp_path / "a.grow", ("half = 1", "half = 1 / 0"))
    assert codes(path) == ["G201"]


def test_set_replaces_a_param_and_what_depends_on_it() -> None:
    assert len([n for n in checked(SPECS / "core.grow", half="2").net.nodes]) == 13
    assert width_of(checked(SPECS / "core.grow", width="8 * 4"), "core") == 32


def test_set_reaches_declared_params_only() -> None:
    with pytest.raises(GrowlangError, match="no param `breadth`") as error:
        checked(SPECS / "core.grow", breadth="8")
    assert "width" in error.value.help
    with pytest.raises(GrowlangError, match="no param `width`"):
        checked(SPECS / "child.grow", width="8")


@pytest.mark.parametrize("text", ["", "3 model m { }", "(", "3 param a = 4"])
def test_set_takes_one_value(text: str) -> None:
    with pytest.raises(GrowlangError):
        checked(SPECS / "core.grow", width=text)


def child_with(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    (tmp_path / "core.grow").write_text((SPECS / "core.grow").read_text())
    return edited(SPECS / "child.grow", tmp_path / "child.grow", *edits)


def test_the_child_gives_its_parents_params_values(tmp_path: Path) -> None:
    path = child_with(tmp_path, ('grows "core.grow"', 'grows "core.grow" (width = 32, half = 2)'))
    child = checked(path)
    assert child.parent is not None
    assert width_of(child.parent, "core") == width_of(child, "core") == 32
    assert len([n for n in child.net.nodes if n.op == "transformer"]) == 4


def test_the_parents_params_are_in_the_childs_scope(tmp_path: Path) -> None:
    path = child_with(tmp_path, ("stem         patch(2, 8)", "stem         patch(2, width / 2)"))
    assert width_of(checked(path), "stem") == 8


def test_a_kept_component_is_evaluated_with_its_own_files_params(tmp_path: Path) -> None:
    path = child_with(tmp_path, ("grow 1\n", "grow 1\nparam width = 8\nparam depth = 1\n"))
    child = checked(path)
    assert width_of(child, "core") == 16
    assert len([n for n in child.net.nodes if n.op == "transformer"]) == 2


# --- blocks, groups and imports ------------------------------------------------------------------


@pytest.fixture(scope="module")
def blocks() -> Checked:
    return checked(SPECS / "blocks.grow")


def residuals(found: Checked, prefix: str) -> list[str]:
    return [
        n.path.removeprefix(prefix)
        for n in found.net.nodes
        if n.op == "residual" and n.path.startswith(prefix)
    ]


def test_blocks_are_levels_and_groups_are_not(blocks: Checked) -> None:
    assert residuals(blocks, "stage.16.encode.") == [
        "res2.0.residual.0",
        "res2.0.residual.1",
        "res2.1.residual.0",
        "res2.1.residual.1",
        "residual.0",
        "res2.2.residual.0",
        "res2.2.residual.1",
        "residual.1",
    ]
    assert residuals(blocks, "stage.16.decode.") == residuals(blocks, "stage.16.encode.")


def test_an_imported_block_sees_the_blocks_of_its_own_file(blocks: Checked) -> None:
    found = [name.removeprefix("twice.0.pair.") for name in residuals(blocks, "core.")]
    assert found == ["0.residual.0", "1.residual.0", "1.residual.1"]


def test_imports_bring_params(blocks: Checked) -> None:
    assert width_of(blocks, "stage.16") == 8
    (one, two, rest) = settings(blocks, "main").data
    assert one.where == [
        "and",
        [">=", ["row", "width"], 16],
        [">=", ["row", "height"], 4],
    ]
    assert two.where == ["and", [">=", ["row", "width"], 24], one.where]
    assert rest.where is None


def test_ops_are_counted_by_name_within_a_side(tmp_path: Path) -> None:
    path = edited(
        SPECS / "core.grow",
        tmp_path / "a.grow",
        ("head      residual(width)", "head  residual(width) * 2 | norm | residual(width)"),
    )
    head = [n.path for n in checked(path).net.of("head") if n.op != "grid"]
    assert head == [
        "head.residual.0",
        "head.residual.1",
        "head.norm.0",
        "head.residual.2",
        "head.unpatch.0",
    ]


def test_a_block_may_have_the_name_of_one_that_it_uses(tmp_path: Path) -> None:
    (tmp_path / "lib.grow").write_text("grow 1 block pair(width) { residual(width) }")
    path = tmp_path / "a.grow"
    path.write_text(
        'grow 1 import "lib.grow" as lib block pair(width) { lib.pair(width) * 2 } '
        "model m { image = image(8) stem conv(8) core @ 8 pair(8) head conv(3) }"
    )
    assert residuals(checked(path), "core.") == [
        "pair.0.pair.0.residual.0",
        "pair.0.pair.1.residual.0",
    ]


# --- images and data -----------------------------------------------------------------------------


def test_an_image_need_not_be_square(blocks: Checked) -> None:
    assert blocks.net.image.dims == (3, 16, 24)
    shapes = {c.name: c.output.dims for c in blocks.net.components}
    assert shapes["stage.16"] == (8, 16, 24)
    assert shapes["core"] == (16, 8, 12)


def test_image_size_is_the_shorter_side(blocks: Checked) -> None:
    assert settings(blocks, "main").transform == [Resize(size=16, side="short")]


def test_shares_of_a_mix(blocks: Checked) -> None:
    sources = settings(blocks, "main").data
    assert [(s.name, s.share) for s in sources] == [
        ("wide_one", 0.125),
        ("wide_two", 0.375),
        ("one", 0.5),
    ]
    assert {s.data.urls for s in sources} == {"one.tar"}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("two = 0.75", "two = 0.5", "G201"),
        ("two = 0.75", "three = 0.75", "G101"),
        ("row.width >= image.width", "row.depth >= 3", "G101"),
        ("row.width >= image.width", "width >= 3", "G201"),
        ("row.width >= image.width", "row.width", "G201"),
        ("row.width >= image.width", '["and"]', "G201"),
    ],
)
def test_data_that_cannot_be(tmp_path: Path, old: str, new: str, code: str) -> None:
    text = (SPECS / "blocks.grow").read_text().replace('"lib/', f'"{SPECS}/lib/')
    assert old in text
    path = tmp_path / "a.grow"
    path.write_text(text.replace(old, new))
    assert codes(path) == [code]


# --- recipes -------------------------------------------------------------------------------------


def test_a_recipe_takes_what_it_leaves_out_from_its_files_first_recipe() -> None:
    core = checked(SPECS / "core.grow")
    first, second = settings(core, "first"), settings(core, "second")
    assert second == first.model_copy(update={"seed": 7})
    assert [p.name for p in core.phases("second")] == ["learn"]


def test_then_from_the_parents_first_recipe() -> None:
    child = checked(SPECS / "child.grow")
    grown, raw = settings(child, "grown"), settings(child, "raw")
    assert (grown.seed, raw.seed) == (3, 3)
    assert grown.ema == raw.ema == 0.9
    assert grown.batch == raw.batch == 8
    assert grown.optimizer == AdamW(lr=1e-3)
    assert [s.name for s in grown.data] == ["pictures"]


def test_start_and_phases_are_never_inherited() -> None:
    child = checked(SPECS / "child.grow")
    starts = {r.name: r.start for r in child.resolved.recipes}
    assert (starts["grown"].origin, starts["grown"].ema) == ("parent", True)
    assert (starts["raw"].recipe, starts["raw"].ema) == ("second", False)
    assert starts["scratch"].origin == "scratch"
    assert [p.name for p in child.phases("raw")] == ["all"]


def test_moments_are_carried_with_the_raw_weights_only() -> None:
    starts = {r.name: r.start for r in checked(SPECS / "child.grow").resolved.recipes}
    assert starts["raw"].moments == "carry"
    assert starts["grown"].moments == "reset"


@pytest.mark.parametrize(
    ("written", "moments", "new"),
    [
        ("carry", "carry", "mean"),
        ("carry(new = mean)", "carry", "mean"),
        ("carry(new = reset)", "carry", "reset"),
        ("reset", "reset", "mean"),
    ],
)
def test_moments_and_rewarm(tmp_path: Path, written: str, moments: str, new: str) -> None:
    mended = SPECS.parent / "mended"
    copy(mended / "_trained.grow", tmp_path)
    change = ("carry(new = reset)", written)
    found = checked(edited(mended / "g406_rewarm.grow", tmp_path / "grown.grow", change))
    (recipe,) = found.resolved.recipes
    assert (recipe.start.moments, recipe.start.new_moments) == (moments, new)
    first, second = found.phases("main")
    assert (first.rewarm, second.rewarm) == (20, 200)
    assert second.settings.lr_schedule == WSD(decay=0.1)
    assert (first.own_schedule, second.own_schedule) == (False, True)
    declared = plan(found).declared["start"]
    assert declared.get("new_moments") == (None if new == "mean" else new)


def test_inherited_settings_see_the_childs_image() -> None:
    assert settings(checked(SPECS / "child.grow"), "grown").transform == [
        Resize(size=32, side="short"),
        Crop(size=32, at="random"),
    ]
    assert settings(checked(SPECS / "core.grow"), "first").transform[0] == Resize(size=16)


def test_sections_inherit_setting_by_setting() -> None:
    child = checked(SPECS / "child.grow").resolved
    assert child.sample.guidance == 4.0
    assert child.sample.sampler.steps == 10
    assert child.sample.prompts == "prompts.txt"
    assert child.evaluate is not None
    assert child.evaluate.count == 1000


def test_a_filter_of_the_paper() -> None:
    (source,) = settings(checked(SHIPPED / "uvit_512.grow"), "grown").data
    assert isinstance(source, Source)
    assert source.where == [">=", ["min", ["row", "width"], ["row", "height"]], 512]


@pytest.mark.parametrize(
    ("drop", "expected"),
    [
        ("[text = 0.2]", []),
        ("[txt = 0.2]", ["G101"]),
        ("[text = 0.2, text = 0.1]", ["G203"]),
        ("[0.1, 0.3]", ["G201"]),
        ("[text = 2]", ["G201"]),
    ],
)
def test_dropped_conditions_are_the_models(tmp_path: Path, drop: str, expected: list[str]) -> None:
    objective = f"batch     = 8  objective = diffusion(drop = {drop})"
    path = edited(SPECS / "core.grow", tmp_path / "a.grow", ("batch     = 8", objective))
    assert codes(path) == expected


def test_a_refused_image_is_one_finding(tmp_path: Path) -> None:
    for image in ("image(0)", "image(16, height = 8)", "image(1.5)", "words(16)"):
        path = edited(SPECS / "core.grow", tmp_path / "a.grow", ("image(16)", image))
        assert len(codes(path)) == 1, image


# --- hashes --------------------------------------------------------------------------------------


def hashes(path: Path, **params: str) -> tuple[str, str]:
    found = checked(path, **params)
    return found.net.net_hash, found.resolved.spec_hash


def squeezed(text: str) -> str:
    """The same spec on one line, without comments."""
    return " ".join(line.split("#")[0].strip() for line in text.split("\n"))


@pytest.mark.parametrize("name", ["core.grow", "child.grow"])
def test_layout_comments_and_place_enter_no_hash(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "core.grow").write_text(squeezed((SPECS / "core.grow").read_text()))
    target = folder / f"renamed_{name}"
    target.write_text("# a comment\n\n" + squeezed((SPECS / name).read_text()))
    assert hashes(target) == hashes(SPECS / name)


def test_the_parents_file_name_enters_no_hash(tmp_path: Path) -> None:
    (tmp_path / "parent.grow").write_text((SPECS / "core.grow").read_text())
    path = edited(SPECS / "child.grow", tmp_path / "a.grow", ('"core.grow"', '"parent.grow"'))
    assert hashes(path) == hashes(SPECS / "child.grow")


def test_the_models_name_enters_the_spec_hash_only(tmp_path: Path) -> None:
    path = edited(SPECS / "core.grow", tmp_path / "a.grow", ("model small", "model other"))
    net, spec = hashes(path)
    old_net, old_spec = hashes(SPECS / "core.grow")
    assert net == old_net
    assert spec != old_spec


CHANGES: list[tuple[str, str, bool]] = [
    ("half = 1", "half = 2", True),
    ("words(24,", "words(16,", True),
    ("vocabulary = 30", "vocabulary = 31", True),
    ("tokens = 5", "tokens = 6", True),
    ("heads = 2", "heads = 4", True),
    ("core @ 4 ", "core @ 4 (position = sincos)", True),
    ("batch     = 8", "batch     = 9", False),
    ("guidance = 2.0", "guidance = 2.1", False),
    ("learn for 100", "learn for 101", False),
    ("count = 1k", "count = 2k", False),
]


@pytest.mark.parametrize(("old", "new", "in_net"), CHANGES, ids=[c[1] for c in CHANGES])
def test_what_a_spec_says_enters_the_hashes(
    tmp_path: Path, old: str, new: str, in_net: bool
) -> None:
    net, spec = hashes(edited(SPECS / "core.grow", tmp_path / "a.grow", (old, new)))
    old_net, old_spec = hashes(SPECS / "core.grow")
    assert spec != old_spec
    assert (net != old_net) is in_net


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("half = 1", "half = 2 - 1"),
        ("half = 1", "half = 0.5 * 2"),
        ("learn for 100", "learn for 1e2"),
        ("batch     = 8", "batch     = 0.8e1"),
    ],
)
def test_a_value_written_otherwise_is_the_same_value(tmp_path: Path, old: str, new: str) -> None:
    path = edited(SPECS / "core.grow", tmp_path / "a.grow", (old, new))
    assert hashes(path) == hashes(SPECS / "core.grow")


def test_a_parent_enters_by_its_spec_hash(tmp_path: Path) -> None:
    net, spec = hashes(SPECS / "child.grow")
    path = child_with(tmp_path)
    assert hashes(path) == (net, spec)
    edited(SPECS / "core.grow", tmp_path / "core.grow", ("learn for 100", "learn for 101"))
    changed: tuple[Any, Any] = hashes(path)
    assert changed[0] == net
    assert changed[1] != spec


@pytest.mark.parametrize(
    "text", ["1B * 1B * 1B", "-1B * 1B * 2", "1B / 1e-15", "min()", "[1] + [2]"]
)
def test_expressions_without_a_value_to_compute_with(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.grow"
    path.write_text(f"grow 1 param a = {text}")
    assert codes(path) == ["G201"]
