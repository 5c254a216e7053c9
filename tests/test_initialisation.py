"""`init`: which tensors begin how, what the mapping says of it, and what cannot begin so."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixture_specs import SPECS, checked, edited, findings, growlang
from test_growth import assert_total, by_name

from growlang.checking import Checked
from growlang.growth.transforms import Initialise, Like

GROWN = "drop stem, head\n"


def child(tmp_path: Path, statements: str, *edits: tuple[str, str]) -> Path:
    """The small child with `init` statements, beside its parent."""
    (tmp_path / "core.grow").write_text((SPECS / "core.grow").read_text())
    target = tmp_path / "child.grow"
    return edited(SPECS / "child.grow", target, (GROWN, f"{GROWN}  {statements}\n"), *edits)


def begun(path: Path) -> dict[str, str]:
    """The tensors that begin otherwise than the op declares."""
    plain = checked(SPECS / "child.grow").net.table
    return {t.name: t.init for t in checked(path).net.tensors() if plain[t.name].init != t.init}


def test_zero_is_the_last_map_of_what_is_named(tmp_path: Path) -> None:
    path = child(tmp_path, "init stem = zero  init stage[8].decode.up = zero")
    assert begun(path) == {
        "stem.patch.0.proj.weight": "zeros",
        "stage.8.decode.up.conv.weight": "zeros",
    }


def test_what_adds_nothing_as_it_is_stays_so(tmp_path: Path) -> None:
    """Two zero factors in series have no gradient; a residual block has one of its own."""
    path = child(tmp_path, "init stage[16].encode.residual[0..1] = zero  init head = zero")
    assert begun(path) == {}
    entry = by_name(checked(path))["stage.16.encode.residual.1.conv1.weight"]
    assert (entry.category, entry.rule) == ("initialised", "init linear")
    assert str(entry.reason).endswith(f"initialised as zero: {path}:6:3")


def test_identity_is_the_map_of_an_op(tmp_path: Path) -> None:
    path = child(
        tmp_path,
        "init stem.conv[0] = identity  init stem.linear = identity",
        ("patch(2, 8)", "patch(2, 8) | conv(8, kernel = 5) | linear(8)"),
    )
    table = checked(path).net.table
    for name in ("stem.conv.0", "stem.linear.0"):
        assert table[f"{name}.weight"].init == "identity"
        assert table[f"{name}.bias"].init == "zeros"


def test_the_last_statement_holds(tmp_path: Path) -> None:
    path = child(
        tmp_path,
        "init stage[*] = zero  init stage[16].decode = default\n"
        "  init stage[8].encode.down = default",
    )
    names = ("stage.16.encode.down", "stage.8.decode.up")
    assert begun(path) == {f"{name}.conv.weight": "zeros" for name in names}
    reason = by_name(checked(path))["stage.16.decode.up.conv.weight"].reason
    assert reason.what == "initialised as default"


def test_like_takes_the_values_and_not_the_tensor(tmp_path: Path) -> None:
    path = child(
        tmp_path,
        "init core.transformer[0..1] = like core.transformer[1]",
        ("keep core, text, time", "keep text, time"),
        ("drop stem, head", "drop stem, head, core"),
        ("  head  ", "  core @ 4 transformer(16, heads = 2, attend = [self, text]) * 3\n  head  "),
        ("{ freeze core, text, time }", ""),
        ("{ lr_scale core = 0.5 }", ""),
    )
    found = checked(path)
    entries = by_name(found)
    for i in (0, 1):
        entry = entries[f"core.transformer.{i}.mlp.up.weight"]
        assert (entry.category, entry.source) == ("reinitialised", None)
        assert entry.transform == Like("core.transformer.1.mlp.up.weight")
        assert entry.rule == "init like core.transformer.1.mlp.up.weight"
    assert entries["core.transformer.2.mlp.up.weight"].transform == Initialise("linear")
    assert found.mapping is not None and found.parent is not None
    assert_total(found.mapping, found.net, found.parent.net)


@pytest.mark.parametrize(
    ("statement", "code", "words"),
    [
        ("init all = zero", "G309", "which is kept"),
        ("init text = zero", "G309", "`text`, which is kept"),
        ("init stage[16].encode.residual = identity  init stage[8] = identity", "G309", "16x12"),
        ("init stage[16].encode.residual[0].norm1 = identity", "G309", "norm1.weight` is 8"),
        ("init stem = like core.transformer[0..1]", "G309", "is 1 place and"),
        ("init stage[*] = like core.transformer[0..1]", "G309", "one place or a range"),
        ("init stage[16].encode.residual[0..2] = zero", "G402", "the last is"),
        ("init stage[16].encode.residual[1..0] = zero", "G402", "matches nothing"),
        ("init stem = like core.transformer[0..7]", "G304", "the last is"),
        ("init stem = like core.transformer[1..0]", "G304", "does not have"),
        ("init stem = like core", "G309", "needs `core.patch.0.proj.weight`"),
        ("init stem = like stage[16]", "G304", "which the parent does not have"),
        ("init stage[16].decode.residual[0].norm2 = zero", "G309", "both zero in series"),
        ("init stage[16].decode.residual[0].skip = zero", None, ""),
        ("init stage[16].decode.residual[0].conv1 = zero", "G309", "both zero in series"),
    ],
)
def test_what_cannot_begin_so(tmp_path: Path, statement: str, code: str | None, words: str) -> None:
    found = findings(child(tmp_path, statement))
    assert [item.code for item in found] == ([code] if code else [])
    assert all(words in item.message for item in found)


def test_what_is_moved_begins_as_it_was(tmp_path: Path) -> None:
    for name in ("child.grow", "core.grow"):
        (tmp_path / name).write_text((SPECS / name).read_text())
    moved = "moved stage[16] -> stage[16]"
    path = edited(
        SPECS / "grandchild.grow", tmp_path / "a.grow", (moved, f"{moved} init stage[16] = zero")
    )
    (found,) = findings(path)
    assert (found.code, "which is moved" in found.message) == ("G309", True)


DEEPER = SPECS / "deeper.grow"
LIKE = "init core.transformer[2..3], core.transformer[6..7] = like core.transformer[0..1]"


def deeper(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    (tmp_path / "deep.grow").write_text((SPECS / "deep.grow").read_text())
    return edited(DEEPER, tmp_path / "deeper.grow", *edits)


def test_what_begins_like_a_trained_tensor_is_not_zero(tmp_path: Path) -> None:
    """Its gates were trained with the parent, so a zero behind them gets a gradient."""
    assert findings(deeper(tmp_path)) == ()
    (found,) = findings(deeper(tmp_path, (LIKE, "")))
    assert (found.code, "both zero in series" in found.message) == ("G309", True)


MOVED_RANGE = "moved core.transformer[0..1] -> core.transformer[0..1]  # before what is new"


@pytest.mark.parametrize("moved", ["core.transformer", "core.transformer[0..3]"])
def test_what_is_added_to_a_moved_place_is_new(tmp_path: Path, moved: str) -> None:
    """`moved` names what the parent has: a fifth block is not moved, and not trained."""
    edits = (
        (MOVED_RANGE, f"moved {moved} -> {moved}"),
        ("moved core.transformer[2..3] -> core.transformer[4..5]", ""),
        ("init core.transformer[2].attend.self.out, core.transformer[2].mlp.down,", ""),
        ("core.transformer[3].mlp.down = zero", "init core.transformer[4].mlp.down = zero"),
    )
    like = "init core.transformer[4..5], core.transformer[6..7] = like core.transformer[0..1]"
    assert findings(deeper(tmp_path, *edits, (LIKE, like))) == ()
    (found,) = findings(deeper(tmp_path, *edits, (LIKE, "")))
    assert (found.code, "core.transformer.4.mlp.down" in found.message) == ("G309", True)


def test_a_later_zero_takes_a_like_back(tmp_path: Path) -> None:
    zero = "init core.transformer[2].mlp.modulation = zero"
    (found,) = findings(deeper(tmp_path, (LIKE, f"{LIKE} {zero}")))
    assert (found.code, "core.transformer.2.mlp" in found.message) == ("G309", True)


def test_a_recipe_from_scratch_begins_like_nothing(tmp_path: Path) -> None:
    recipe = 'data d = webdataset("d.tar") train { data = d batch = 1 phase all for 1 }'
    path = deeper(tmp_path)
    text = path.read_text()
    path.write_text(f"{text}{recipe}")
    assert findings(path) == ()
    path.write_text(f"{text}{recipe.replace('train {', 'train anew { start = scratch')}")
    (found,) = findings(path)
    assert (found.code, "in recipe `anew`" in found.message) == ("G309", True)


@pytest.mark.parametrize(
    ("tail", "dead"), [("zero_conv(8)", True), ("conv(8)", False), ("norm", False)]
)
def test_what_is_kept_was_trained_whatever_it_began_as(
    tmp_path: Path, tail: str, dead: bool
) -> None:
    """A kept map that once began at zero does not cut off what is new behind it."""
    model = "grow 1\nmodel {} {{\n {}\n image = image(8)\n stem conv(8)\n {}\n head conv(3)\n}}\n"
    core = f"core residual(8) | {tail}"
    zero = "init head.conv[0] = zero"
    (tmp_path / "a.grow").write_text(model.format("a", "", core))
    child = tmp_path / "b.grow"
    grown = 'b grows "a.grow"'
    child.write_text(model.format(grown, f"keep core drop stem, head {zero}", ""))
    assert findings(child) == ()
    child.write_text(model.format(grown, f"drop stem, head, core {zero}", core))
    assert [item.code for item in findings(child)] == ["G309"] * dead


def hashes(found: Checked) -> tuple[str, str]:
    return found.net.net_hash, found.resolved.spec_hash


def test_how_tensors_begin_is_of_the_spec_and_not_of_the_net(tmp_path: Path) -> None:
    """A checkpoint fits whatever its tensors began as."""
    plain = hashes(checked(SPECS / "child.grow"))
    net, spec = hashes(checked(child(tmp_path, "init stem = zero")))
    assert net == plain[0]
    assert spec != plain[1]


def test_diff_shows_it(tmp_path: Path) -> None:
    path = child(tmp_path, "init stem = zero")
    run = growlang("diff", tmp_path / "core.grow", path, "-v")
    (line,) = [line for line in run.out.split("\n") if "stem.patch.0.proj.weight" in line]
    assert "init zeros" in line
    assert f"initialised as zero: {path}:6:3" in line
