from __future__ import annotations

from pathlib import Path

import pytest
from fixture_specs import SPECS, checked, edited

from growlang.compiling import compiled
from growlang.growth.axis_map import AxisMap, Repeat
from growlang.growth.constants import Draw
from growlang.growth.learning import learning
from growlang.growth.transforms import Copy, Expand, Initialise, Like, Stages, is_new

GROWTH = SPECS.parent / "growth"
TWICE = AxisMap((Repeat(0, 2, 2, 1),))
SAME = AxisMap.of([0, 1, 2])
UNEVEN = (0.75, 0.25, 0.5, 0.5)


def test_copies_share_a_step_and_new_entries_have_the_usual_one() -> None:
    longer = AxisMap.of([0, 0, 1, 1, -1])
    found = learning(Expand("w", (longer, SAME), ((*UNEVEN, 1.0), ()), ((), (-2.0,))))
    assert found.step == ((0.5, 0.5, 0.5, 0.5, 1.0), ())
    assert found.eps == ((), (2.0, 2.0, 2.0))


def test_moments_are_exact_where_copies_have_equal_shares() -> None:
    even, uneven = (Expand("w", (TWICE,), (), (f,)) for f in ((0.5,) * 4, UNEVEN))
    assert learning(even).is_exact
    assert not learning(uneven).is_exact
    assert not learning(even._replace(second=((0.5,),))).is_exact


def test_stages_are_composed() -> None:
    once = Expand("w", (TWICE,), ((0.5,),), ())
    again = Expand("w", (AxisMap.of([3, 0, -1]),), ((0.5, 0.25, 1.0),), ((3.0, 3.0, 1.0),))
    found = learning(Stages("w", (once, again)))
    assert found.dims[0].indices == (1, 0, -1)
    assert found.step == ((0.25, 0.125, 1.0),)
    assert found.eps == ((3.0, 3.0, 1.0),)


def test_what_is_new() -> None:
    longer = Expand("w", (AxisMap.of([0, -1]),), constants=(Draw(0, 1, 1),), init="linear")
    assert all(map(is_new, (Initialise("zeros"), Like("w"), longer, Stages("w", (longer,)))))
    assert not any(map(is_new, (Copy(), Expand("w", (TWICE,)))))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (("break = none", "break = none"), "go on as before"),
        (("break = none", "break = shares"), "copies have unequal shares"),
        (("start = parent ", "start = parent.ema "), ""),
    ],
)
def test_compile_says_what_carried_moments_are(
    edit: tuple[str, str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "narrow.grow").write_text((GROWTH / "narrow.grow").read_text())
    found = compiled(checked(edited(GROWTH / "wide.grow", tmp_path / "wide.grow", edit)))
    assert len(found.remarks) == (2 if said else 0)
    assert said in "".join(found.remarks[:1])
    assert str(found).endswith("\n".join(found.remarks))


def test_compile_says_what_a_bridge_keeps_and_for_how_long() -> None:
    found = compiled(checked(Path(__file__).parent / "fixtures/retain/bridged.grow"))
    parent, entries = found.spec.parent, found.spec.mapping
    assert parent and entries
    ends = sum(
        t.parameters for t in parent.net.tensors() if t.name not in {e.source for e in entries}
    )
    assert f"first 4 steps: until then {ends:,} parameters more" in found.remarks[0]
