from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixture_specs import SHIPPED, SPECS, assert_golden, checked, edited, growlang
from test_growth import assert_total

from growlang.comparing import Difference, diff
from growlang.growth.mapping import CATEGORIES

GOLDEN = Path(__file__).parent / "fixtures" / "diff"


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update"))


def difference(a: Path, b: Path) -> Difference:
    return diff(checked(a), checked(b))


# --- what is printed -----------------------------------------------------------------------------

PAIRS: dict[str, tuple[str | Path, str | Path]] = {
    "uvit_512": ("specs/core_64.grow", "specs/uvit_512.grow"),
    "vermeer_1024": ("specs/core_256.grow", "specs/vermeer_1024.grow"),
    "unrelated": ("specs/core_64.grow", "specs/core_256.grow"),
    "generations": (SPECS / "core.grow", SPECS / "grandchild.grow"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_text(name: str, update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SHIPPED.parent)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    run = growlang("diff", *PAIRS[name])
    assert (run.status, run.err) == (0, "")
    text = run.out.replace(f"{SPECS}/", "")
    assert_golden(GOLDEN / f"{name}.txt", "\n".join(map(str.rstrip, text.split("\n"))), update)


def test_json(update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SPECS)
    run = growlang("diff", "core.grow", "child.grow", "--json")
    assert_golden(GOLDEN / "child.json", run.out, update)


def test_json_of_the_shipped_pair(update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SHIPPED.parent)
    data = json.loads(growlang("diff", *PAIRS["uvit_512"], "--json").out)
    tensors = data.pop("tensors")
    assert_golden(GOLDEN / "uvit_512.json", json.dumps(data, indent=2) + "\n", update)
    assert data["format_version"] == 1
    assert list(data["summary"]) == list(CATEGORIES)
    for category, total in data["summary"].items():
        assert list(total) == ["tensors", "parameters"]
        assert total["tensors"] == sum(t["category"] == category for t in tensors)
    for tensor in tensors:
        assert {"name", "category", "source", "rule", "reason"} <= set(tensor)
        assert tensor["category"] in CATEGORIES
    assert "dropped" in {t["category"] for t in tensors}


def test_verbose_prints_a_line_a_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SPECS)
    run = growlang("diff", "core.grow", "child.grow", "-v")
    for tensor in checked(SPECS / "child.grow").net.table:
        assert sum(line.split()[1:2] == [tensor] for line in run.out.split("\n")) == 1


@pytest.mark.parametrize(
    ("a", "b", "flags", "status"),
    [
        ("core", "child", [], 0),
        ("core", "child", ["--exit-code"], 1),
        ("core", "child", ["--exit-code", "--json"], 1),
        ("core", "core", ["--exit-code"], 0),
        ("core", "blocks", ["--exit-code"], 1),
    ],
)
def test_exit_codes(a: str, b: str, flags: list[str], status: int) -> None:
    assert growlang("diff", SPECS / f"{a}.grow", SPECS / f"{b}.grow", *flags).status == status


def test_another_name_is_no_difference(tmp_path: Path) -> None:
    path = edited(SPECS / "core.grow", tmp_path / "a.grow", ("model small", "model other"))
    assert growlang("diff", SPECS / "core.grow", path, "--exit-code").status == 0


# --- what becomes of the tensors -----------------------------------------------------------------


def test_over_two_generations() -> None:
    found = difference(SPECS / "core.grow", SPECS / "grandchild.grow")
    assert found.related
    assert_total(found.mapping, found.b, found.a)
    entries = {e.name: e for e in found.mapping}
    assert entries["text.embedding.weight"].category == "copied"
    # New in the child and kept since; new in the child and moved since.
    assert entries["stage.8.encode.residual.0.conv1.weight"].category == "initialised"
    assert entries["stage.16.encode.residual.0.conv1.weight"].category == "initialised"
    # Declared anew on the way: core has such a tensor, whatever the child made of it.
    assert entries["core.transformer.1.mlp.up.weight"].category == "reinitialised"
    assert entries["core.transformer.2.mlp.up.weight"].category == "initialised"
    assert entries["head.residual.0.conv1.weight"].category == "dropped"


def test_the_categories_are_relative_to_the_older_spec(tmp_path: Path) -> None:
    (tmp_path / "core.grow").write_text((SPECS / "core.grow").read_text())
    (tmp_path / "child.grow").write_text((SPECS / "child.grow").read_text())
    path = edited(
        SPECS / "grandchild.grow",
        tmp_path / "a.grow",
        ("keep text, time, stage[8]", "keep text, time"),
        ("drop stem, head, core", "drop stem, head, core, stage[8]"),
        ("moved stage[16] -> stage[16]", "keep stage[16]"),
        ("stage @ 32   residual(6)", "stage @ 32 residual(6) stage @ 8 residual(12)"),
        ("stage @ 16   residual(8) * 2", ""),
        ("head         unpatch(2)", "head residual(6) | unpatch(2)"),
    )
    newer = {e.name: e.category for e in checked(path).mapping or ()}
    both = {e.name: e.category for e in difference(SPECS / "core.grow", path).mapping}
    stage, head = "stage.8.encode.residual.0.conv1.weight", "head.residual.0.conv1.weight"
    # core has no stages, so nothing of them was thrown away; its head had a residual.
    assert (newer[stage], both[stage]) == ("reinitialised", "initialised")
    assert (newer[head], both[head]) == ("initialised", "reinitialised")


def test_a_parent_seen_from_its_child_is_unrelated() -> None:
    found = difference(SPECS / "child.grow", SPECS / "core.grow")
    assert not found.related
    assert {e.category for e in found.mapping} <= {"initialised", "reinitialised", "dropped"}
    assert_total(found.mapping, found.b, found.a)


def test_equal_nets_are_copied() -> None:
    found = difference(SPECS / "core.grow", SPECS / "core.grow")
    assert found.equal
    assert {e.category for e in found.mapping} == {"copied"}
    assert found.proposals == ()


def test_changes_of_the_objective_are_told(tmp_path: Path) -> None:
    (tmp_path / "core.grow").write_text((SPECS / "core.grow").read_text())
    path = edited(
        SPECS / "child.grow",
        tmp_path / "a.grow",
        ("seed = 3", "seed = 3  objective = diffusion(predict = x, schedule = cosine(base = 32))"),
    )
    first, second = difference(SPECS / "core.grow", path).changes
    assert first == "the prediction changes from v to x"
    assert "noise schedule" in second
    assert difference(SPECS / "core.grow", SPECS / "child.grow").changes == ()


# --- proposals -----------------------------------------------------------------------------------

UNRELATED = """grow 1
model big {
  image = image(32)
  text  = words(24, tokens = 5, vocabulary = 30)
  time  = fourier(%(time)d)
  stem  patch(2, 8)
  stage @ 16  residual(8)
  core @ 4  transformer(16, heads = %(heads)d, attend = [self, text]) * 2
  head  unpatch(2)
}
"""


@pytest.mark.parametrize(
    ("values", "taken"),
    [
        ({"time": 16, "heads": 2}, {"text", "time", "core"}),
        ({"time": 16, "heads": 4}, {"text", "time"}),
        ({"time": 8, "heads": 2}, {"text"}),
    ],
)
def test_proposals_written_into_the_child_make_it_check(
    tmp_path: Path, values: dict[str, int], taken: set[str]
) -> None:
    core = tmp_path / "parents" / "core.grow"
    core.parent.mkdir()
    core.write_text((SPECS / "core.grow").read_text())
    path = tmp_path / "big.grow"
    path.write_text(UNRELATED % values)
    found = difference(core, path)
    assert not found.related
    path.write_text(path.read_text().replace("model big {", "\n".join(found.proposals)))
    after = difference(core, path)
    assert after.related
    assert_total(after.mapping, after.b, after.a)
    assert {e.component for e in after.mapping if e.category == "moved"} == taken
    assert '"parents/core.grow"' in found.proposals[0]


def test_reasons_of_one_kind_are_said_once_and_lines_stay_short(tmp_path: Path) -> None:
    long, short = (
        growlang("diff", SPECS / "deep.grow", SPECS / f"{name}.grow").out.split("\n")
        for name in ("deeper_long", "deeper")
    )
    (moved,) = [line for line in long if line.startswith(">  core ")]
    assert moved.count("moved: ") == 1
    assert "and 5 more" in moved
    (moved,) = [line for line in short if line.startswith(">  core ")]
    assert "and 3 more" in moved
    folder = tmp_path / ("x" * 250) / ("y" * 250)
    folder.mkdir(parents=True)
    for name in ("deep", "deeper_long"):
        (folder / f"{name}.grow").write_text((SPECS / f"{name}.grow").read_text())
    for options in ([], ["-v"]):
        run = growlang("diff", folder / "deep.grow", folder / "deeper_long.grow", *options)
        assert run.status == 0
        assert max(map(len, run.out.split("\n"))) < 500


def test_proposals_of_many_components_are_several_statements(tmp_path: Path) -> None:
    conditions = [f"condition_number_{n}" for n in range(12)]
    declared = " ".join(f"{name} = classes(3, 8)" for name in conditions)
    text = (
        f"grow 1 model {{}} {{{{ image = image(8) {declared} stem conv(8)"
        f" core attention(8, heads = {{}}, attend = [self, {', '.join(conditions)}])"
        " head conv(3) }}"
    )
    for name, heads in (("one", 1), ("two", 2)):
        (tmp_path / f"{name}.grow").write_text(text.format(name, heads))
    run = growlang("diff", tmp_path / "one.grow", tmp_path / "two.grow")
    lines = run.out.split("To make two a child of one, write:\n")[1].split("\n")
    assert max(map(len, lines)) < 130
    dropped = [line for line in lines if line.startswith("    drop ")]
    moved = [line for line in lines if line.startswith("    moved ")]
    assert len(moved) == 2 + len(conditions)
    assert dropped == ["    drop core"]


def test_paths_with_brackets_are_no_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place such as `[red]/a.grow` or `x[/b].grow` would be a style, or end one."""
    monkeypatch.chdir(tmp_path)
    folder = Path("[red]/x[")
    folder.mkdir(parents=True)
    for name, new in (("small", "small.grow"), ("large", "b].grow")):
        own = SHIPPED.parent / "examples" / "own_loop" / f"{name}.grow"
        (folder / new).write_text(own.read_text())
    run = growlang("diff", folder / "small.grow", folder / "b].grow", "-v")
    assert (run.status, run.err) == (0, "")
    assert "[red]/x[/b].grow:6:8" in run.out
