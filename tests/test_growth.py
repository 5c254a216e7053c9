from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from drawing import examples
from fixture_specs import SHIPPED, SPECS, checked, edited, findings
from hypothesis import given, settings
from hypothesis import strategies as st

from growlang.checking import Checked, check
from growlang.growth.constants import Noise
from growlang.growth.mapping import CATEGORIES, Entry, Mapping
from growlang.growth.transforms import Copy, Drop, Expand, Like, Move
from growlang.net import Net

Property = settings(max_examples=examples(60), derandomize=True, database=None)


def assert_total(mapping: Mapping, child: Net, parent: Net) -> None:
    """Every tensor of both nets has its place, and the categories add up."""
    of_child = mapping.of_child
    dropped = [e for e in mapping if isinstance(e.transform, Drop)]
    assert mapping.entries == (*of_child, *dropped)
    assert len(mapping.by_name) == len(mapping)
    assert [(e.name, e.shape) for e in of_child] == [(t.name, t.shape) for t in child.tensors()]
    used = {e.source for e in of_child if e.source}
    assert used <= set(parent.table)
    for tensor in parent.tensors():
        gone = [e for e in dropped if e.name == tensor.name]
        superseded = tensor.name in child.table
        assert len(gone) == (tensor.name not in used and not superseded)
        assert all(e.shape == tensor.shape for e in gone)
    assert {e.name for e in dropped} <= set(parent.table)
    for entry in of_child:
        assert (entry.source is not None) == (entry.category in ("copied", "moved", "expanded"))
        assert entry.category != "reinitialised" or entry.name in parent.table
        assert entry.category != "initialised" or entry.name not in parent.table
        assert entry.rule
        assert entry.reason.what
    totals = mapping.summary
    assert sum(totals[c][0] for c in CATEGORIES if c != "dropped") == len(child.table)
    assert sum(totals[c][1] for c in CATEGORIES if c != "dropped") == child.parameters


def by_name(found: Checked) -> dict[str, Entry]:
    assert found.mapping is not None
    return {entry.name: entry for entry in found.mapping}


@pytest.mark.parametrize("name", ["child.grow", "grandchild.grow", "deeper.grow"])
def test_the_mapping_is_total_on_both_sides(name: str) -> None:
    found = checked(SPECS / name)
    assert found.mapping is not None
    assert found.parent is not None
    assert_total(found.mapping, found.net, found.parent.net)


def test_what_each_statement_does() -> None:
    entries = by_name(checked(SPECS / "child.grow"))
    kept = entries["core.transformer.0.mlp.up.weight"]
    assert (kept.category, kept.source, kept.transform) == ("copied", kept.name, Copy())
    assert str(kept.reason).endswith("kept: " + str(SPECS / "child.grow:4:8"))
    assert entries["stem.patch.0.proj.weight"].category == "reinitialised"
    assert entries["head.residual.0.conv1.weight"].category == "dropped"
    assert entries["stage.16.encode.residual.0.conv1.weight"].category == "initialised"
    assert entries["text.embedding.weight"].category == "copied"


def test_moved_tensors_keep_their_values_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "child.grow").write_text((SPECS / "child.grow").read_text())
    (tmp_path / "core.grow").write_text((SPECS / "core.grow").read_text())
    path = edited(
        SPECS / "grandchild.grow",
        tmp_path / "a.grow",
        (
            "moved stage[16] -> stage[16]",
            "drop stage[16] moved core.transformer[1] -> core.transformer[2]",
        ),
    )
    found = checked(path)
    assert found.mapping is not None
    assert found.parent is not None
    assert_total(found.mapping, found.net, found.parent.net)
    moved = [e for e in found.mapping if e.category == "moved"]
    assert len(moved) == len([t for t in found.net.table if ".transformer.2." in t])
    assert all(e.source == e.name.replace("transformer.2", "transformer.1") for e in moved)
    assert by_name(found)["core.transformer.0.mlp.up.weight"].category == "reinitialised"


@pytest.mark.parametrize(
    "moves",
    [
        "moved stage[16].encode -> stage[16].encode",
        "moved stage[16].encode.residual[0] -> stage[16].encode.residual[1]",
    ],
)
def test_a_part_that_moves_does_not_speak_for_the_rest(tmp_path: Path, moves: str) -> None:
    for name in ("child.grow", "core.grow"):
        (tmp_path / name).write_text((SPECS / name).read_text())
    path = edited(
        SPECS / "grandchild.grow", tmp_path / "a.grow", ("moved stage[16] -> stage[16]", moves)
    )
    assert [item.code for item in findings(path)] == ["G301"]
    edited(
        SPECS / "grandchild.grow",
        path,
        ("moved stage[16] -> stage[16]", f"{moves} drop stage[16]"),
    )
    assert findings(path) == ()


@pytest.mark.parametrize(
    ("moves", "code"),
    [
        ("moved stage[16] -> stage[16] moved stage[16] -> stage[32]", "G306"),
        ("moved core -> core moved core.transformer[0] -> core.transformer[1]", "G306"),
        ("moved stage[*] -> stage[*]", "G304"),
        ("moved core.transformer[*] -> core.transformer[1..2]", "G304"),
        ("moved core.transformer[0..1] -> core.transformer[1..2] moved core -> core", "G306"),
        ("moved core.transformer[0..1] -> core.transformer[1..3]", "G305"),
        ("moved core.transformer[0..1] -> core.transformer[2]", "G305"),
        ("moved core.transformer[0..2] -> core.transformer[0..2]", "G304"),
        ("moved core.transformer[1..0] -> core.transformer[0..1]", "G304"),
        ("moved core.transformer[0..1] -> core.transformer[1..0]", "G305"),
        ("moved core.transformer[0..1] -> core.transformer[7..8]", "G305"),
        ("moved core.transformer[0..1] -> core.transformers[0..1]", "G305"),
    ],
)
def test_a_tensor_moves_once_and_to_one_place(tmp_path: Path, moves: str, code: str) -> None:
    for name in ("child.grow", "core.grow"):
        (tmp_path / name).write_text((SPECS / name).read_text())
    path = edited(
        SPECS / "grandchild.grow",
        tmp_path / "a.grow",
        ("drop stem, head, core", "drop stem, head, core, stage[16]"),
        ("moved stage[16] -> stage[16]", moves),
    )
    assert code in [item.code for item in findings(path)]


def test_ranges_and_lists_mean_what_their_parts_mean() -> None:
    short, long = (checked(SPECS / f"{name}.grow") for name in ("deeper", "deeper_long"))
    assert short.mapping is not None and long.mapping is not None
    parts = [
        [(e.name, e.category, e.transform) for e in mapping]
        for mapping in (short.mapping, long.mapping)
    ]
    assert parts[0] == parts[1]
    assert short.net.net_hash == long.net.net_hash
    assert [t.init for t in short.net.tensors()] == [t.init for t in long.net.tensors()]
    entries = by_name(short)
    moved = entries["core.transformer.5.mlp.up.weight"]
    assert moved.transform == Move("core.transformer.3.mlp.up.weight")
    like = Like("core.transformer.1.mlp.up.weight")
    assert entries["core.transformer.7.mlp.up.weight"].transform == like
    assert entries["core.transformer.2.mlp.down.weight"].rule == "init zeros"


def test_stages_of_a_range_go_in_the_order_of_their_resolutions(tmp_path: Path) -> None:
    (tmp_path / "parent.grow").write_text(written("parent", [(32, 4, 1), (16, 4, 2)], 8))
    child = tmp_path / "child.grow"
    statements = "keep core, time drop stem, head moved stage[16..32] -> stage[32..64]"
    stages = [(64, 4, 1), (32, 4, 2)]
    child.write_text(written("child", stages, 8, statements, 'grows "parent.grow"'))
    entries = by_name(checked(child))
    for new, old in ((64, 32), (32, 16)):
        entry = entries[f"stage.{new}.encode.residual.0.conv1.weight"]
        assert entry.source == f"stage.{old}.encode.residual.0.conv1.weight"


def test_llama_pro_is_twenty_statements_and_moves_every_block() -> None:
    found = checked(SHIPPED / "llama_pro_8b.grow")
    assert len(found.resolved.document.models[0].statements) == 20
    entries = by_name(found)
    for block in range(40):
        group, at = divmod(block, 5)
        entry = entries[f"core.transformer.{block}.attend.self.qkv.weight"]
        source = f"core.transformer.{4 * group + min(at, 3)}.attend.self.qkv.weight"
        assert entry.transform == (Like(source) if at == 4 else Move(source))
        for last in ("attend.self.out", "mlp.down"):
            rule = entries[f"core.transformer.{block}.{last}.weight"].rule
            assert (rule == "init zeros") is (at == 4)


# --- generated pairs -----------------------------------------------------------------------------

RESOLUTIONS = (64, 32, 16, 8)
WIDTHS = st.sampled_from((4, 6, 8))


@st.composite
def stages(draw: st.DrawFn, below: int = 128) -> list[tuple[int, int, int]]:
    """(resolution, width, residuals) of stages that fall."""
    chosen = draw(st.sets(st.sampled_from(RESOLUTIONS), max_size=3))
    falling = sorted((r for r in chosen if r < below), reverse=True)
    return [(r, draw(WIDTHS), draw(st.integers(1, 2))) for r in falling]


def written(
    name: str, outer: list[tuple[int, int, int]], core: int, statements: str = "", grows: str = ""
) -> str:
    """A model at 128 pixels whose stem and head lead to its first stage or to its core at 4."""
    first, width, _ = outer[0] if outer else (4, core, 0)
    lines = [f"stage @ {r} residual({w}) * {n}" for r, w, n in outer]
    declared = "" if "keep core" in statements else f"core @ 4 residual({core}) | norm"
    time = "" if "keep core" in statements else "time = fourier(8)"
    factor = 128 // first
    return (
        f"grow 1\nmodel {name} {grows} {{\n {statements}\n image = image(128)\n {time}\n"
        f" stem patch({factor}, {width})\n {' '.join(lines)}\n {declared}\n"
        f" head unpatch({factor})\n}}\n"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pairs")


@Property
@given(stages(), stages(), WIDTHS, WIDTHS, st.booleans())
def test_generated_pairs_are_accounted_for(
    folder: Path,
    old: list[tuple[int, int, int]],
    new: list[tuple[int, int, int]],
    width: int,
    other: int,
    keep: bool,
) -> None:
    (folder / "parent.grow").write_text(written("parent", old, width))
    dropped = ", ".join(["stem", "head", *(f"stage[{r}]" for r, _, _ in old)])
    statements = f"keep core, time drop {dropped}" if keep else f"drop core, time, {dropped}"
    child = folder / "child.grow"
    child.write_text(
        written("child", new, width if keep else other, statements, 'grows "parent.grow"')
    )
    found = checked(child)
    assert found.mapping is not None
    assert found.parent is not None
    assert_total(found.mapping, found.net, found.parent.net)
    for entry in found.mapping:
        if entry.component == "core":
            assert (entry.category == "copied") is keep


@Property
@given(stages(below=64), WIDTHS, st.integers(1, 2), WIDTHS)
def test_an_outer_stage_renames_and_reshapes_nothing_else(
    folder: Path, inner: list[tuple[int, int, int]], width: int, count: int, core: int
) -> None:
    path = folder / "net.grow"
    path.write_text(written("net", inner, core))
    before = checked(path).net
    path.write_text(written("net", [(64, width, count), *inner], core))
    after = checked(path).net
    ends = ("stem.", "head.", "stage.64.")
    assert {t for t in before.tensors() if not t.name.startswith(ends)} == {
        t for t in after.tensors() if not t.name.startswith(ends)
    }
    assert any(t.name.startswith("stage.64.") for t in after.tensors())


@Property
@given(stages(), WIDTHS, st.data())
def test_a_silent_component_is_refused_with_the_statement_to_add(
    folder: Path, old: list[tuple[int, int, int]], width: int, data: st.DataObject
) -> None:
    (folder / "parent.grow").write_text(written("parent", old, width))
    ends = ["stem", "head", *(f"stage[{r}]" for r, _, _ in old)]
    silent = data.draw(st.sampled_from(ends))
    dropped = ", ".join(e for e in ends if e != silent)
    child = folder / "child.grow"
    statements = f"keep core, time drop {dropped}"
    child.write_text(written("child", [], width, statements, 'grows "parent.grow"'))
    (item,) = check(child).diagnostics
    assert item.code == "G301"
    assert silent in item.message
    assert silent in item.help


@st.composite
def expansions(draw: st.DrawFn) -> tuple[int, list[tuple[int, int, int]], list[tuple[int, int]]]:
    """Blocks of a parent; ranges of them, each with where it goes; what begins like which."""
    blocks = draw(st.integers(1, 6))
    cuts = sorted(draw(st.sets(st.integers(1, blocks), max_size=3)) | {0, blocks})
    moves, likes, at = [], [], 0
    for low, high in pairwise(cuts):
        moves.append((low, high - 1, at))
        at += high - low
        if draw(st.booleans()):
            likes.append((at, draw(st.integers(0, blocks - 1))))
            at += 1
    return blocks, moves, likes


def spelt(low: int, high: int, whole: bool) -> str:
    index = f"{low}..{high}" if whole or low != high else f"{low}"
    return f"core.transformer[{index}]"


@Property
@given(expansions(), st.booleans())
def test_generated_ranges_move_block_by_block(
    folder: Path,
    expansion: tuple[int, list[tuple[int, int, int]], list[tuple[int, int]]],
    whole: bool,
) -> None:
    blocks, moves, likes = expansion
    text = (
        "grow 1\nmodel {} {{\n {}\n tokens = tokens(9, 8)\n stem embed(8)\n"
        " core (position = none) transformer(8, heads = 2) * {}\n head unembed\n}}\n"
    )
    (folder / "parent.grow").write_text(text.format("parent", "", blocks))
    statements = ["drop stem, core, head"]
    for low, high, at in moves:
        old, new = spelt(low, high, whole), spelt(at, at + high - low, whole)
        statements.append(f"moved {old} -> {new}")
    statements += [f"init {spelt(n, n, False)} = like {spelt(o, o, whole)}" for n, o in likes]
    zeros = ", ".join(f"core.transformer[{new}].mlp.down" for new, _ in likes)
    statements += [f"init {zeros} = zero"] if zeros else []
    child = folder / "child.grow"
    grown = 'child grows "parent.grow"'
    child.write_text(text.format(grown, " ".join(statements), blocks + len(likes)))
    found = checked(child)
    assert found.mapping is not None and found.parent is not None
    assert_total(found.mapping, found.net, found.parent.net)
    entries = by_name(found)
    for low, high, at in moves:
        for step in range(high - low + 1):
            entry = entries[f"core.transformer.{at + step}.mlp.up.weight"]
            assert entry.source == f"core.transformer.{low + step}.mlp.up.weight"
    for new, old in likes:
        like = Like(f"core.transformer.{old}.mlp.up.weight")
        assert entries[f"core.transformer.{new}.mlp.up.weight"].transform == like
        assert entries[f"core.transformer.{new}.mlp.down.weight"].rule == "init zeros"


def test_copies_of_a_shared_stream_part_as_the_stream_does() -> None:
    found = checked(Path(__file__).parent / "fixtures/growth/shared_break.grow")
    reader = by_name(found)["core.transformer.0.mlp.up.weight"].transform
    assert isinstance(reader, Expand)
    assert Noise(1, 0.05) in reader.constants


def test_what_is_drawn_or_moved_is_not_called_exact() -> None:
    """Without a promise nothing is refused, but nothing is claimed either."""
    growth = Path(__file__).parent / "fixtures/growth"
    levels = {
        name: {v.place: v.level for v in checked(growth / f"{name}.grow").mapping.verdicts}
        for name in ("drawn_bare", "moved_words")
    }
    assert levels["drawn_bare"] == {"stem": "inexact", "core": "inexact", "head": "exact"}
    assert levels["moved_words"] == {"text": "inexact"}


@pytest.mark.parametrize(
    ("vocabulary", "rule", "codes"), [(18, "exact", []), (13, "random", ["G308"])]
)
def test_a_kept_reader_is_warned_of_a_condition_that_grows_otherwise(
    vocabulary: int, rule: str, codes: list[str], tmp_path: Path
) -> None:
    growth = Path(__file__).parent / "fixtures/growth"
    (tmp_path / "small_chain.grow").write_text((growth / "small_chain.grow").read_text())
    edits = ("vocabulary = 18", f"vocabulary = {vocabulary}"), ("extend(exact)", f"extend({rule})")
    path = edited(growth / "more_words.grow", tmp_path / "more_words.grow", *edits)
    assert [found.code for found in check(path).diagnostics] == codes


def test_what_is_interpolated_goes_on_without_moments() -> None:
    found = by_name(checked(Path(__file__).parent / "fixtures/growth/finer.grow"))
    patch, end = (found[f"{n}.0.proj.weight"].transform for n in ("stem.patch", "head.unpatch"))
    assert isinstance(patch, Expand) and isinstance(end, Expand)
    assert patch.resample and patch.moment is None
    assert not end.resample and end.moment is not None
