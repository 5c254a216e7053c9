"""Every promise of growth, on grown specs that keep it and on ones that were tampered with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import pytest
import torch
from fixture_specs import SPECS, checked

from growlang.growth.mapping import Entry, Mapping
from growlang.growth.promise import Promise
from growlang.growth.transforms import Expand
from growlang.net import ComponentName
from growlang.torch_backend.verification import draws, gradients
from growlang.torch_backend.verification import promises as p
from growlang.torch_backend.verification.case import Case, Pair, comparable, incomparable, inputs

GROWTH = SPECS.parent / "growth"
Measure = Callable[[Case], Iterator[Promise]]


@cache
def case(name: str, exact: bool = True) -> Case:
    child = checked(GROWTH / f"{name}.grow")
    assert child.parent and child.mapping is not None and child.resolved.resolution
    kept = tuple(child.resolved.resolution.contract.keep)
    at = torch.device("cpu")
    return Case.of(child.parent.net, child.net, child.mapping, None, at, kept=kept, is_exact=exact)


def broken(measure: Measure, case: Case) -> list[Promise]:
    return [promise for promise in measure(case) if not promise.holds]


def with_child(case: Case, **changes: Callable[[torch.Tensor], None]) -> Case:
    """The case with tensors of the child changed in place, in both types."""
    pairs = [
        Pair(pair.parent, {n: t.clone() for n, t in pair.child.items()})
        for pair in (case.single, case.double)
    ]
    for name, change in changes.items():
        for pair in pairs:
            change(pair.child[name])
    return replace(case, single=pairs[0], double=pairs[1])


def mapped_by(case: Case, mapping: Mapping) -> Case:
    """The case as another mapping makes it."""
    return Case.of(
        case.parent,
        case.child,
        mapping,
        case.single.parent,
        case.device,
        kept=case.kept,
        is_exact=case.is_exact,
    )


# --- grown specs ---------------------------------------------------------------------------------


GROWN = ["wide_chain", "wide_u", "wide_tokens", "wide_tied", "padded_tied", "renamed"]


@pytest.mark.parametrize("name", GROWN)
def test_every_promise_of_a_grown_spec_holds(name: str) -> None:
    found = p.measured(case(name))
    assert [promise for promise in found if not promise.holds] == []
    assert {promise.name for promise in found} >= {
        *("accounted", "kept", "function", "rounding", "adjoint", "gradient"),
    }


def test_kept_ends_of_a_resized_chain_compute_what_they_did() -> None:
    found = p.measured(case("larger_image", exact=False))
    assert [promise for promise in found if not promise.holds] == []
    assert {q.place for q in found if q.name == "component"} == {"stem", "head"}


def test_every_promise_of_the_papers_recipe_holds() -> None:
    found = p.measured(case("paper", exact=False))
    assert [promise for promise in found if not promise.holds] == []
    names = {promise.name for promise in found}
    assert names == {"accounted", "kept", "component", "gradient"}
    assert {q.place for q in found if q.name == "component"} == {"core", "text", "label", "time"}


# --- each promise can fail -----------------------------------------------------------------------


def test_a_tensor_without_an_entry_is_found() -> None:
    whole = case("wide_u")
    lost = next(e.name for e in whole.mapping if "conv2" in e.name)
    rest = tuple(e for e in whole.mapping if e.name != lost)
    (found,) = broken(p.accounted, replace(whole, mapping=Mapping(rest)))
    assert (found.place, found.measured) == (lost, 2)


def test_a_kept_tensor_with_another_bit_is_found() -> None:
    def nudge(tensor: torch.Tensor) -> None:
        tensor.view(-1)[0] = torch.nextafter(tensor.view(-1)[0], torch.tensor(9.0).to(tensor))

    changed = with_child(case("paper", exact=False), **{"core.transformer.1.mlp.up.bias": nudge})
    assert [(f.place, f.measured) for f in broken(p.kept, changed)] == [("core", 1)]


def test_a_kept_component_that_computes_something_else_is_found() -> None:
    def more(tensor: torch.Tensor) -> None:
        tensor += 1e-6

    changed = with_child(case("paper", exact=False), **{"core.transformer.1.mlp.up.bias": more})
    (found,) = broken(p.component, changed)
    assert found.place == "core" and 0 < found.measured < 1e-4


def wrong(entry: Entry) -> Entry:
    """An entry whose tensor is multiplied by a factor that is 1 % too large."""
    assert isinstance(entry.transform, Expand)
    first, *rest = entry.transform.weight or ((1.0,),) * len(entry.shape)
    factors = tuple(1.01 * f for f in first or (1.0,))
    return entry._replace(transform=entry.transform._replace(weight=(factors, *rest)))


@pytest.mark.parametrize("name", ["stem.patch.0.proj.weight", "core.transformer.0.mlp.down.weight"])
@pytest.mark.parametrize("spec", ["wide_chain", "wide_u"])
def test_a_wrong_factor_is_found(spec: str, name: str) -> None:
    whole = case(spec)
    entries = tuple(wrong(e) if e.name == name else e for e in whole.mapping)
    tampered = mapped_by(whole, Mapping(entries))
    assert [f.name for f in broken(p.function, tampered)] == ["function", "rounding"]
    (found,) = broken(p.adjoint, tampered)
    assert found.measured > 1e-3


def test_a_new_part_whose_readers_and_writers_are_zero_is_found() -> None:
    block = "core.transformer.0.mlp"

    def no_new_rows(tensor: torch.Tensor) -> None:
        tensor[32:] = 0

    dead = with_child(
        case("wide_chain"), **{f"{block}.up.weight": no_new_rows, f"{block}.up.bias": no_new_rows}
    )
    (found,) = broken(p.gradient, dead)
    assert found.place == f"{block}.up.weight"
    assert found.measured == 40 * (12 + 1) + 12 * 40  # the rows, their biases, what reads them


def test_entries_that_can_have_no_gradient_are_named_and_allowed() -> None:
    found = gradients.reach(case("wide_u"))
    name = "stage.4.encode.residual.1.conv1.bias"  # before a GroupNorm of groups of one channel
    assert (found.dead, found.structural[name]) == ({}, 16)
    (promise,) = p.gradient(case("wide_u"))
    assert "80 can have none, in stage.4.encode.residual.1.conv1.bias" in promise.means


def test_copies_that_stay_equal_are_found() -> None:
    same = case("locked")
    found = broken(p.parting, same)
    assert {same.mapping.by_name[f.place].component for f in found} == {
        *("core", "head", "stage.4", "stem")
    }
    meant = frozenset(ComponentName(n) for n in ("core", "head", "stage.4"))
    (left,) = p.parting(replace(same, locked=meant))
    assert left.place.startswith("stem.")


@pytest.mark.parametrize("name", ["moments", "turned"])
def test_moments_or_shares_alone_make_copies_part(name: str) -> None:
    found = list(p.parting(case(name, exact=False)))
    assert found and all(promise.holds for promise in found)


def test_what_is_no_number_does_not_hold() -> None:
    assert not Promise("function", "x", float("nan"), 1.0).holds


@pytest.mark.parametrize("name", ["middle", "large"])
def test_the_means_of_a_retained_parent_that_changed_are_found(name: str) -> None:
    grown = case(f"../retain/{name}", exact=False)
    (kept,) = p.means(grown)
    assert kept.holds and kept.measured > 0

    def more(tensor: torch.Tensor) -> None:
        tensor += 1e-3

    core = next(n for n in grown.child.table if n.startswith("core.") and n.endswith(".bias"))
    assert broken(p.means, with_child(grown, **{core: more}))


# --- inputs that mean the same -------------------------------------------------------------------


def test_ids_are_those_that_both_nets_know() -> None:
    grown = case("wide_chain")
    given = inputs(grown, 0)
    roles = {i.role: n for n, i in enumerate(grown.child.inputs)}
    ours, theirs = given.child[roles["ids"]], given.parent[roles["ids"]]
    null = ours == 18
    assert torch.equal(ours[:, :3].masked_fill(null[:, :3], 9) % 9, theirs % 9)
    assert torch.equal(theirs == 9, null[:, :3])
    assert bool((ours[:, :3] > 9).any())
    assert not bool(given.child[roles["mask"]][:, 3:].any())


def test_the_logits_of_new_tokens_are_left_out() -> None:
    grown = case("wide_tokens")
    ours, theirs = torch.zeros(2, 6, 26), torch.zeros(2, 6, 20)
    assert [t.shape[-1] for t in comparable(grown, ours, theirs)] == [20, 20]
    assert max(int(t.max()) for t in inputs(grown, 0).child) < 20


def test_images_of_another_size_are_not_compared() -> None:
    paper = case("paper", exact=False)
    assert incomparable(paper.parent, paper.child) == (
        "its images are of another size than the parent's"
    )
    assert list(p.function(replace(paper, is_exact=True))) == []


def test_random_weights_have_no_zeros() -> None:
    for name, tensor in draws.weights(case("wide_u").parent, 0).items():
        assert bool((tensor != 0).all()), name
