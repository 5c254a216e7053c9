"""The mapping as data: its text, its JSON and that of 0.1, and its composition."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from drawing import examples
from fixture_specs import SPECS, checked
from hypothesis import given, settings
from hypothesis import strategies as st
from test_axis_map import maps
from torch import Tensor

from growlang.growth.axis_map import (
    AxisMap,
    Kron,
    New,
    Repeat,
    Take,
    factors_from_json,
    factors_to_json,
)
from growlang.growth.composition import compose, over_generations
from growlang.growth.mapping import Category, Entry, Mapping
from growlang.growth.mapping_json import from_json, to_json
from growlang.growth.transforms import (
    Copy,
    Drop,
    Expand,
    Initialise,
    Like,
    Move,
    Retain,
    Transform,
)
from growlang.growth.wording import Reason
from growlang.plans.plan import Plan
from growlang.torch_backend.transforms import apply

Property = settings(max_examples=examples(100), derandomize=True, database=None)
KEPT = Reason("kept", place="a.grow:4:8")
EXPAND = Expand(
    "c.old",
    (AxisMap((Kron(2, 4, AxisMap((Repeat(0, 4, 2, 2), New(1)))),)), AxisMap((Take(0, 3),))),
    weight=((), (0.5,)),
    moment=((1.0, 2.0), ()),
)


# --- text and JSON -------------------------------------------------------------------------------

SAID: list[tuple[Transform, bool, Category, str | None, str]] = [
    (Copy(), False, "copied", "c.x", "keep"),
    (Move("c.old"), False, "moved", "c.old", "moved"),
    (Retain("c.old"), False, "retained", "c.old", "retain"),
    (EXPAND, False, "expanded", "c.old", "grow"),
    (Initialise("linear"), False, "initialised", None, "init linear"),
    (Initialise("zeros"), True, "reinitialised", None, "init zeros"),
    (Like("c.old"), False, "initialised", None, "init like c.old"),
    (Drop(), False, "dropped", None, "drop"),
]


@pytest.mark.parametrize(("transform", "replaces", "category", "source", "rule"), SAID)
def test_what_is_said_of_a_transform(
    transform: Transform, replaces: bool, category: Category, source: str | None, rule: str
) -> None:
    entry = Entry("c.x", transform, KEPT, (2, 3), replaces)
    assert (entry.category, entry.source, entry.rule) == (category, source, rule)


def test_json_goes_both_ways() -> None:
    reasons = (KEPT, Reason("initialised", "like `c`", "a.grow:1:1"), Reason("redeclared"))
    mapping = Mapping(
        tuple(
            Entry(f"c.{n}", transform, reason, (2, n), replaces)
            for n, (transform, replaces, *_) in enumerate(SAID)
            for reason in reasons
        )
    )
    assert from_json(json.loads(json.dumps(to_json(mapping)))) == mapping


def test_an_entry_in_json() -> None:
    entry = Entry("c.x", Move("c.old"), KEPT, (2, 3))
    assert to_json(Mapping((entry,))) == [
        {
            "name": "c.x",
            "shape": [2, 3],
            "transform": {"kind": "move", "source": "c.old"},
            "reason": {"what": "kept", "place": "a.grow:4:8"},
        }
    ]


ROWS: list[tuple[list[object], Entry]] = [
    (
        ["c.x", "copied", "c.x", "keep", "kept: a.grow:4:8", [2], None],
        Entry("c.x", Copy(), KEPT, (2,)),
    ),
    (
        ["c.x", "moved", "c.y", "moved", "moved: a.grow:4:8", [], None],
        Entry("c.x", Move("c.y"), Reason("moved", place="a.grow:4:8"), ()),
    ),
    (
        ["c.x", "initialised", None, "init linear", "the parent has no such tensor", [2]],
        Entry("c.x", Initialise("linear"), Reason("the parent has no such tensor"), (2,)),
    ),
    (
        ["c.x", "reinitialised", None, "init like c.y", "initialised like c: a:1:2", [2], "c.y"],
        Entry("c.x", Like("c.y"), Reason("initialised", "like c", "a:1:2"), (2,), True),
    ),
    (
        ["c.x", "dropped", None, "drop", "dropped: unused by the child", [2], None],
        Entry("c.x", Drop(), Reason("dropped", place="unused by the child"), (2,)),
    ),
]


@pytest.mark.parametrize(("row", "entry"), ROWS)
def test_entries_of_0_1_are_read_and_say_what_they_said(row: list[object], entry: Entry) -> None:
    names = ("name", "category", "source", "rule", "reason", "shape", "like")
    table = dict(zip(names, row, strict=False))
    assert from_json([row, table]).entries == (entry, entry)
    said = [entry.name, entry.category, entry.source, entry.rule, str(entry.reason)]
    assert said == row[:5]


def test_the_mapping_of_a_plan_of_0_1_says_what_it_said() -> None:
    stored = Path(__file__).parent / "fixtures/runs/0.1/runs/grown_16/main/plan.json"
    text = stored.read_text()
    plan = Plan.model_validate_json(text)
    said = [
        [e.name, e.category, e.source, e.rule, str(e.reason), list(e.shape)] for e in plan.mapping
    ]
    assert said == [row[:6] for row in json.loads(text)["mapping"]]
    again = Plan.model_validate_json(plan.model_dump_json())
    assert again == plan
    assert (again.plan_hash, again.run_hash) == (plan.plan_hash, plan.run_hash)


NEWER = {"name": "c.x", "shape": [2], "transform": {"kind": "copy"}, "reason": {"what": "kept"}}


@pytest.mark.parametrize(
    "data",
    [
        {},
        [3],
        [["c.x", "copied"]],
        [["c.x", "expanded", "c.x", "grow", "grown", [2], None]],
        [NEWER | {"shape": ["2"]}],
        [NEWER | {"reason": "kept"}],
        [NEWER | {"transform": {"kind": "move"}}],
        [NEWER | {"transform": {"kind": "widen", "source": "c.x"}}],
        [
            NEWER
            | {"transform": {"kind": "expand", "source": "c", "dims": [], "weight": [["1"]]}}
            | {"moment": None}
        ],
    ],
)
def test_what_is_no_mapping_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match=r"mapping|transform|no tensor is"):
        from_json(data)


def test_a_mapping_that_is_none_is_a_finding_of_the_plan() -> None:
    made = Plan.model_validate_json(
        (Path(__file__).parent / "fixtures/runs/0.1/runs/core_8/long/plan.json").read_text()
    ).model_dump(mode="json")
    with pytest.raises(ValueError, match="not an entry of a mapping"):
        Plan.model_validate_json(json.dumps(made | {"mapping": [[1]]}))


# --- composition ---------------------------------------------------------------------------------

NAMES = ("a", "b", "c")
POWERS = st.sampled_from((0.25, 0.5, 1.0, 2.0))  # whose products are exact


@st.composite
def factors(draw: st.DrawFn, axis: AxisMap) -> tuple[float, ...]:
    """No factors, one for all entries, or one each."""
    count = draw(st.sampled_from((0, 1, len(axis.indices))))
    return tuple(draw(st.lists(POWERS, min_size=count, max_size=count)))


@st.composite
def generation(draw: st.DrawFn, sizes: dict[str, int]) -> dict[str, Transform]:
    """How each tensor of a child is made of a parent's vectors of these sizes."""
    made: dict[str, Transform] = {}
    for name in NAMES:
        source = draw(st.sampled_from(NAMES))
        axis = draw(maps(sizes[source]))
        weight, moment = (draw(factors(axis)),), draw(st.none() | st.tuples(factors(axis)))
        kinds = (Move(source), Retain(source), Like(source), Initialise("linear"))
        made[name] = draw(
            st.sampled_from((Copy(), *kinds, Expand(source, (axis,), weight, moment)))
        )
    return made


def grown(sizes: dict[str, int], made: dict[str, Transform]) -> dict[str, int]:
    """The sizes of the child's vectors; new ones have 3 entries."""
    found = {}
    for name, transform in made.items():
        match transform:
            case Expand(_, (axis,)):
                found[name] = len(axis.indices)
            case Initialise() | Drop():
                found[name] = 3
            case Copy():
                found[name] = sizes[name]
            case Move(source) | Retain(source) | Like(source):
                found[name] = sizes[source]
    return found


@st.composite
def generations(draw: st.DrawFn) -> tuple[list[dict[str, int]], list[dict[str, Transform]]]:
    """Three generations after one another, and the sizes before and after each."""
    sizes = [{name: draw(st.integers(1, 4)) for name in NAMES}]
    found = []
    for _ in range(3):
        found.append(draw(generation(sizes[-1])))
        sizes.append(grown(sizes[-1], found[-1]))
    return sizes, found


def both(first: dict[str, Transform], second: dict[str, Transform]) -> dict[str, Transform]:
    """The two generations as one."""

    def middle(name: str, transform: Transform) -> str:
        return getattr(transform, "source", name)

    return {n: compose(first[middle(n, t)], t, n) for n, t in second.items()}


def applied(
    made: dict[str, Transform], parent: dict[str, Tensor], sizes: dict[str, int]
) -> dict[str, Tensor]:
    """What a mapping makes of vectors, where all that is new is not a number."""
    entries = (Entry(name, transform, KEPT, ()) for name, transform in made.items())
    child = {name: torch.full((size,), torch.nan) for name, size in sizes.items()}
    apply(Mapping(tuple(entries)), parent, child)
    return child


@Property
@given(generations())
def test_two_generations_at_once_make_what_they_make_one_by_one(
    given: tuple[list[dict[str, int]], list[dict[str, Transform]]],
) -> None:
    sizes, (first, second, _) = given
    parent = {name: ord(name) + torch.arange(1.0, size + 1) for name, size in sizes[0].items()}
    one_by_one = applied(second, applied(first, parent, sizes[1]), sizes[2])
    at_once = applied(both(first, second), parent, sizes[2])
    for name in NAMES:
        assert torch.equal(at_once[name].nan_to_num(0), one_by_one[name].nan_to_num(0))


@Property
@given(generations())
def test_composition_is_associative(
    given: tuple[list[dict[str, int]], list[dict[str, Transform]]],
) -> None:
    _, (first, second, third) = given
    assert both(both(first, second), third) == both(first, both(second, third))


def test_what_is_dropped_gives_nothing() -> None:
    assert compose(Drop(), Initialise("ones"), "a") == Initialise("ones")
    assert compose(Copy(), Drop(), "a") == Drop()
    with pytest.raises(ValueError, match="which is dropped"):
        compose(Drop(), Copy(), "a")


def test_a_tensor_that_moves_back_is_copied() -> None:
    assert compose(Move("a"), Move("b"), "a") == Copy()
    assert compose(Move("a"), Copy(), "b") == Move("a")


def test_generations_of_specs_are_composed_by_tensor() -> None:
    child, grandchild = (checked(SPECS / f"{name}.grow") for name in ("child", "grandchild"))
    assert child.mapping and grandchild.mapping and child.parent
    made = over_generations(child.mapping, grandchild.mapping, child.parent.net)
    assert made.by_name["text.embedding.weight"].transform == Copy()
    kept = made.by_name["stage.8.encode.residual.0.conv1.weight"]
    assert kept.transform == Initialise("linear")
    assert str(kept.reason) == "the parent has no such tensor"
    moved = made.by_name["stage.16.encode.residual.0.conv1.weight"]
    assert (moved.category, moved.transform) == ("initialised", Initialise("linear"))


# --- spaces that grow -----------------------------------------------------------------------------


@Property
@given(st.lists(st.floats(-4, 4, allow_nan=False), min_size=1, max_size=6), st.integers(1, 40))
def test_factors_survive_json_and_are_short_where_they_repeat(
    cycle: list[float], times: int
) -> None:
    factors = tuple(cycle) * times
    said = json.loads(json.dumps(factors_to_json(factors)))
    assert factors_from_json(said) == factors
    if times > 1 and len(set(cycle)) > 1:
        assert len(said["cycle"]) <= len(cycle)


def test_a_mapping_keeps_verdicts_and_spaces_in_json() -> None:
    wide = checked(SPECS.parent / "growth/wide_chain.grow").mapping
    assert wide is not None and wide.verdicts and wide.spaces
    read = from_json(json.loads(json.dumps(to_json(wide))))
    assert (read.entries, read.verdicts, read.spaces) == (
        wide.entries,
        wide.verdicts,
        wide.spaces,
    )
    streams = [s for s in wide.spaces if s.new > s.old]
    assert all(s.axis.size == s.new and s.axis.reach == s.old - 1 for s in streams)
