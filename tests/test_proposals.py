"""What is proposed for two specs that are not related, and that it holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from corruptions import CORRUPTIONS, flat, truth
from fixture_specs import SHIPPED, checked, findings, growlang

from growlang.checking import Checked
from growlang.comparing import Difference, diff
from growlang.proposing.matching import _assigned, _greedy
from growlang.proposing.proposal import corresponding
from growlang.proposing.runs import blocks

KINDS = ("renamed", "widened", "inserted", "deepened", "enlarged")
SPECS = ("core_64", "gpt2_small", "simple_diffusion_512", "uvit_512")
CASES = [(name, kind) for name in SPECS for kind in KINDS]
CASES.remove(("gpt2_small", "enlarged"))  # it has no image
CASES += [("simple_diffusion_512", "reordered")]  # the others have blocks of one kind alone


def corrupted(tmp_path: Path, name: str, kind: str) -> tuple[Path, Path]:
    """The flat form of a shipped spec, and one that was changed in a known way."""
    text = flat(SHIPPED / f"{name}.grow")
    old, new = tmp_path / f"{name}.grow", tmp_path / f"{kind}.grow"
    old.write_text(text)
    new.write_text(CORRUPTIONS[kind].edit(text, checked(old).net))
    assert new.read_text() != text
    return old, new


def pasted(path: Path, found: Difference) -> Path:
    """The spec with what is proposed in the place of the first line of its model."""
    head, *below = found.proposals
    text = re.sub(r"model \w+ \{", lambda _: "\n".join([head, *below]), path.read_text())
    target = path.with_name("pasted.grow")
    target.write_text(text)
    return target


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_what_was_changed_is_found_and_what_is_proposed_checks_clean(
    tmp_path: Path, name: str, kind: str
) -> None:
    paths = corrupted(tmp_path, name, kind)
    old, new = (checked(path) for path in paths)
    pairs = corresponding(old.net, new.net)
    found = {a.path: b.path for pair in pairs for a, b in blocks(pair.old, pair.new)}
    assert found.keys() == (places := truth(kind, old, new)).keys()
    assert all(place in places[path] for path, place in found.items())
    child = pasted(paths[1], diff(old, new))
    assert findings(child) == ()
    after = diff(old, checked(child))
    assert after.related
    taken = sum(e.parameters for e in after.mapping if e.category in ("copied", "moved"))
    taken += sum(
        old.net.table[e.source].parameters
        for e in after.mapping
        if e.category == "expanded" and e.source
    )
    assert taken == old.net.parameters


@pytest.mark.parametrize(
    ("a", "b"),
    [("gpt2_small", "vermeer_1024"), ("gpt2_small", "llama2_7b"), ("core_256", "sid2_512")],
)
def test_nets_that_have_nothing_in_common_do_not_correspond(a: str, b: str) -> None:
    found = diff(*(checked(SHIPPED / f"{name}.grow") for name in (a, b)))
    assert (found.proposals, found.correspondence) == ((), ())
    assert f"Nothing of {a} corresponds to anything of {b}." in str(found)


def test_what_has_other_names_and_twice_the_width_is_grown(tmp_path: Path) -> None:
    text = flat(SHIPPED / "uvit_512.grow")
    old, new = tmp_path / "uvit_512.grow", tmp_path / "other.grow"
    old.write_text(text)
    parent = checked(old)
    for kind in ("renamed", "widened"):
        text = CORRUPTIONS[kind].edit(text, parent.net)
    new.write_text(text)
    after = diff(parent, checked(pasted(new, diff(parent, checked(new)))))
    taken = {e.source for e in after.mapping if e.category in ("moved", "expanded", "copied")}
    assert taken >= set(parent.net.table)


def test_the_rule_by_which_a_net_was_grown_is_proposed(tmp_path: Path) -> None:
    text = flat(SHIPPED / "gpt2_medium.grow")
    path = tmp_path / "medium.grow"
    path.write_text(text)
    found = diff(checked(SHIPPED / "gpt2_small.grow"), checked(path))
    rules = "widen(exact), extend(exact), deepen(interleave)"
    assert found.proposals[1:] == (f"  grow stem, core, head by {rules}",)


def test_a_place_that_has_rivals_is_less_sure_than_one_that_has_none(tmp_path: Path) -> None:
    pairs = diff(*(checked(p) for p in corrupted(tmp_path, "uvit_512", "inserted"))).correspondence
    sure = {pair.new: pair.confidence for pair in pairs}
    assert all(0 < confidence <= 1 for confidence in sure.values())
    assert sure["stage[256].encode.residual[0..2]"] < sure["core.transformer[0..23]"]


def test_a_spec_that_has_a_parent_is_told_that_its_flat_form_is_meant() -> None:
    found = growlang("diff", SHIPPED / "sid2_512.grow", SHIPPED / "uvit_512.grow")
    assert "uvit_512.grow has another parent; what is proposed is for its flat form" in found.out


def test_the_best_sum_is_found_where_two_have_the_same_best_partner() -> None:
    table = [[0.9, 0.8], [0.9, 0.5]]
    assert sorted(_assigned(table)) == [(0, 1), (1, 0)]
    edges = [(value, i, j) for i, row in enumerate(table) for j, value in enumerate(row)]
    assert sorted(_greedy(edges)) == [(0, 0), (1, 1)]


def twins(heads: int, other: int) -> str:
    return f"""grow 1
model twins {{
  image = image(16)
  time  = fourier(16)
  stem      patch(4, 16)
  core @ 4  transformer(16, heads = {heads}) | residual(16) | transformer(16, heads = {other})
  head      unpatch(4)
}}
"""


def test_blocks_of_equal_shapes_that_compute_otherwise_are_told_apart(tmp_path: Path) -> None:
    sides: list[Checked] = []
    for name, heads in (("a", (2, 4)), ("b", (4, 2))):
        path = tmp_path / f"{name}.grow"
        path.write_text(twins(*heads))
        sides.append(checked(path))
    found = diff(*sides)
    places = {pair.old: pair.new for pair in found.correspondence}
    assert places["core.transformer[0]"] == "core.transformer[1]"
    assert places["core.transformer[1]"] == "core.transformer[0]"
    assert findings(pasted(tmp_path / "b.grow", found)) == ()


# --- --only --------------------------------------------------------------------------------------


def test_only_categories_and_places_that_are_asked_for_are_shown() -> None:
    found = diff(checked(SHIPPED / "core_64.grow"), checked(SHIPPED / "uvit_512.grow"))
    part = found.only("new", "stage[*]").mapping
    assert {e.component for e in part} == {f"stage.{n}" for n in (256, 128, 64, 32)}
    assert {e.category for e in found.only("kept").mapping} == {"copied"}
    assert {e.component for e in found.only("core", "time").mapping} == {"core", "time"}
    one = found.only("core.transformer[3]").mapping
    assert all(e.name.startswith("core.transformer.3.") for e in one)
    run = growlang("diff", SHIPPED / "core_64.grow", SHIPPED / "uvit_512.grow", "--only", "dropped")
    assert "core " not in run.out
    assert "20 dropped" in run.out


@pytest.mark.parametrize("text", ["coer", "stage[7]", "keep }", "core.linear", ""])
def test_what_names_nothing_is_refused_with_what_there_is(text: str) -> None:
    run = growlang("diff", SHIPPED / "core_64.grow", SHIPPED / "uvit_512.grow", "--only", text)
    assert run.status == 2
    assert "is neither a category nor a selector of these nets" in run.err
    assert "categories: copied, moved" in run.err
    assert "components: text, time, stem, stage[256]" in run.err
