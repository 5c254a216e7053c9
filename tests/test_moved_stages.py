"""A stage that moves whole to another resolution may grow there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fixture_specs import SPECS, checked, edited, findings, growlang

from growlang.growth.transforms import Expand

GROWTH = SPECS.parent / "growth"
CHILD = GROWTH / "moved_stages.grow"
MOVES = "  moved stage[4] -> stage[8]\n  moved stage[8] -> stage[16]\n"


def folder_of(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    """The child with other text, beside its parent."""
    (tmp_path / "adm.grow").write_text((GROWTH / "adm.grow").read_text())
    return edited(CHILD, tmp_path / "child.grow", *edits)


def test_it_becomes_what_it_would_where_its_parent_had_the_name_before(tmp_path: Path) -> None:
    moved = checked(CHILD)
    text = re.sub(
        r"stage @ (\d+)", lambda m: f"stage @ {int(m[1]) * 2}", (GROWTH / "adm.grow").read_text()
    )
    text = text.replace("image(8)", "image(16)").replace("core @ 4", "core @ 8")
    (tmp_path / "adm.grow").write_text(text)
    stayed = checked(edited(CHILD, tmp_path / "child.grow", (MOVES, "")))
    assert moved.mapping is not None and stayed.mapping is not None
    old = {"stage.8.": "stage.4.", "stage.16.": "stage.8."}
    for here, there in zip(moved.mapping, stayed.mapping, strict=True):
        source = there.source or ""
        for new, name in old.items():
            if source.startswith(new):
                source = name + source.removeprefix(new)
                break
        assert (here.name, here.shape, here.source or "") == (there.name, there.shape, source)
        if isinstance(here.transform, Expand) and isinstance(there.transform, Expand):
            assert here.transform._replace(source="") == there.transform._replace(source="")
    assert moved.net.net_hash == stayed.net.net_hash
    assert [v[1] for v in moved.mapping.verdicts] == [v[1] for v in stayed.mapping.verdicts]


def test_a_stage_that_is_dropped_may_leave_its_name_to_another(tmp_path: Path) -> None:
    path = folder_of(
        tmp_path,
        (MOVES, "  moved stage[4] -> stage[8]\n  drop stage[8]\n"),
        ("time, stem, stage[16], stage[8], core, head", "time, stage[8], core"),
        ("  grow", "  drop stem, head\n  grow"),
    )
    assert findings(path) == ()
    child = checked(path)
    assert child.mapping is not None
    sources = {e.source for e in child.mapping if e.component == "stage.8" and e.source}
    assert sources
    assert all(source.startswith("stage.4.") for source in sources)
    assert not any(e.source for e in child.mapping if e.component == "stage.16")


@pytest.mark.parametrize(
    ("edit", "code", "said"),
    [
        (("moved stage[8] ->", "moved stage[4] ->"), "G305", "cannot move"),
        (("-> stage[16]", "-> stage[8]"), "G306", "both move to `stage[8]`"),
        (("  grow", "  drop stage[4]\n  grow"), "G306", "conflicting growth statements"),
        (("  grow", "  keep stage[8]\n  grow"), "G306", "conflicting growth statements"),
        (("moved stage[8] -> stage[16]\n", "\n"), "G304", "no component `stage[16]`"),
    ],
)
def test_statements_that_contradict_each_other_are_refused(
    tmp_path: Path, edit: tuple[str, str], code: str, said: str
) -> None:
    found = findings(folder_of(tmp_path, edit))
    assert any(f.code == code and said in f.message for f in found), found


def test_what_moved_away_has_no_line_of_its_own() -> None:
    run = growlang("diff", GROWTH / "adm.grow", CHILD)
    assert "stage.16" in run.out
    assert "stage.4" not in run.out
