"""What the moments of a grown net promise, in float64: it goes on as the net that it grew from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import torch
from fixture_specs import SPECS, checked, edited, growlang
from tiny import Held, interrupt_at, phase, plan, state, train, write_data
from torch import Tensor

import growlang as api
from growlang.checking import Checked
from growlang.growth.composition import unchanged
from growlang.growth.learning import is_approximate
from growlang.growth.transforms import Expand, Stages
from growlang.net import Net
from growlang.spec.optimizers import SGD, Adam, AdamW, Muon, Optimizer
from growlang.spec.recipe import Sample, Start
from growlang.spec.samplers import DDIM
from growlang.torch_backend.expansions import adjoint
from growlang.torch_backend.lower import LoweredNet, lower
from growlang.torch_backend.transforms import apply
from growlang_runtime.storage.weights import Moments
from growlang_runtime.train import carrying
from growlang_runtime.train.carrying import carry
from growlang_runtime.train.state import State

GROWTH = SPECS.parent / "growth"
LONGER = [("mlp = 2)", "mlp = 3)"), ("copy, break = none", "exact")]
"""Edits with which the hidden channels of the MLP get new ones."""
BATCH, BEFORE, AFTER = 4, 8, 16
ADAM = AdamW(lr=1e-3, betas=[0.9, 0.99], weight_decay=0.1)
COUPLED = Adam(lr=1e-3, eps=1e-3, weight_decay=0.1)
SGD_ = SGD(lr=1e-3, weight_decay=10.0)
NESTEROV, PLAIN = SGD(lr=1e-3, nesterov=True), SGD(lr=1e-3, momentum=0.0, weight_decay=10.0)
MUON = Muon(lr=5e-3, rest=AdamW(lr=1e-3))


def generator(*key: object) -> torch.Generator:
    return torch.Generator().manual_seed(crc32(repr(key).encode()))


def drawn(net: Net, seed: int) -> dict[str, Tensor]:
    """Random values of about the size that training leaves."""
    return {
        name: torch.randn(t.shape, generator=generator(name, seed), dtype=torch.float64)
        / (t.shape[-1] if len(t.shape) > 1 else 4) ** 0.5
        for name, t in net.table.items()
    }


def module(net: Net, values: Mapping[str, Tensor]) -> LoweredNet:
    lowered = lower(net, "cpu").double().train()
    lowered.load_state_dict(dict(values))
    return lowered


def output(lowered: LoweredNet, net: Net, step: int) -> Tensor:
    x = torch.randn(BATCH, *net.image.dims, generator=generator("x", step), dtype=torch.float64)
    found: Tensor = lowered(x, torch.linspace(-6, 6, BATCH, dtype=torch.float64))
    return found


def back(lowered: LoweredNet, net: Net, step: int) -> None:
    """The gradients of a squared error on the batch of a step."""
    lowered.zero_grad()
    found = output(lowered, net, step)
    target = torch.randn(found.shape, generator=generator("y", step), dtype=torch.float64)
    (found - target).square().mean().backward()


def trained(of: State, lowered: LoweredNet, net: Net, how: Optimizer, steps: range) -> None:
    for step in steps:
        back(lowered, net, step)
        of.optimizer.step(how, how.lr, {})
        of.ema.update(of.weights, 0.999)


def moments(of: State) -> Moments:
    """What a checkpoint of the state gives."""
    optimizer, ema = of.optimizer, of.ema
    steps = {name: int(count) for name, count in optimizer.steps.items()}
    parts, averages = deepcopy((dict(optimizer.parts), ema.averages))
    return Moments(parts, steps, [averages], dict(ema.updates), of.grown())


class Pair:
    """A parent that was trained for some steps, and the child that grew from it."""

    def __init__(
        self, child: Checked, how: Optimizer = ADAM, new: str = "mean", steps: int = BEFORE
    ) -> None:
        assert child.parent is not None and child.mapping is not None
        self.how, self.mapping, self.nets = how, child.mapping, (child.parent.net, child.net)
        self.before = module(self.nets[0], drawn(self.nets[0], 0))
        self.old = State.of(self.before, self.nets[0], how)
        trained(self.old, self.before, self.nets[0], how, range(steps))
        values = drawn(self.nets[1], 1)
        apply(self.mapping, dict(self.old.weights), values)
        self.after = module(self.nets[1], values)
        self.new = State.of(self.after, self.nets[1], how)
        carry(self.new, moments(self.old), self.mapping, "reset" if new == "reset" else "mean")

    def train(self, steps: Iterable[int]) -> None:
        for step in steps:
            one = range(step, step + 1)
            trained(self.old, self.before, self.nets[0], self.how, one)
            trained(self.new, self.after, self.nets[1], self.how, one)

    def distance(self) -> float:
        """max |child - parent| / max |parent| on a batch that neither has seen."""
        with torch.no_grad():
            old, new = output(self.before, self.nets[0], 99), output(self.after, self.nets[1], 99)
        return float((new - old).abs().max() / old.abs().max())


def wide(folder: Path, *edits: tuple[str, str]) -> Checked:
    """The widened child, with other rules or widths."""
    (folder / "narrow.grow").write_text((GROWTH / "narrow.grow").read_text())
    return checked(edited(GROWTH / "wide.grow", folder / "wide.grow", *edits))


def test_gradients_are_returned_by_the_transposed_map(tmp_path: Path) -> None:
    pair = Pair(wide(tmp_path, ("break = none", "break = shares")))
    assert pair.distance() < 1e-12
    back(pair.before, pair.nets[0], 50)
    back(pair.after, pair.nets[1], 50)
    grown = 0
    for entry in pair.mapping:
        transform = entry.transform
        if isinstance(transform, Expand | Stages):
            old, new = pair.old.weights[transform.source], pair.new.weights[entry.name]
            assert old.grad is not None and new.grad is not None
            returned = adjoint(transform, new.grad, old)
            assert (returned - old.grad).abs().max() <= 1e-12 * old.grad.abs().max() + 1e-15
            grown += 1
    assert grown > 10


def test_the_function_is_measured_on_the_data(tmp_path: Path) -> None:
    child = wide(tmp_path)
    write_data(tmp_path).joinpath("data.tar").rename(tmp_path / "images.tar")
    found = api.verify(child, real_inputs=True)
    functions = {p.place: p.measured for p in found.promises if p.name == "function"}
    assert found.holds and list(functions) == ["wide", "wide, on its data"]
    elsewhere = tmp_path / "data"
    elsewhere.mkdir()
    (tmp_path / "images.tar").rename(elsewhere / "images.tar")
    run = growlang("verify", child.path, "--real-inputs", "--data-root", elsewhere, "--json")
    assert (run.status, run.err) == (0, "") and '"wide, on its data"' in run.out
    run = growlang("verify", child.path, "--real-inputs")
    assert (run.status, run.out) == (2, "") and "images.tar" in run.err


@pytest.mark.parametrize("name", ["wide", "copied_u"])
@pytest.mark.parametrize("how", [ADAM, MUON, COUPLED, SGD_, NESTEROV, PLAIN], ids=repr)
def test_with_equal_shares_the_grown_net_follows_the_old_one(how: Optimizer, name: str) -> None:
    if isinstance(how, SGD) and name == "copied_u":  # whose gradients are 1e5 times as large
        how = how.at(how.lr * 1e-3)
    pair = Pair(checked(GROWTH / f"{name}.grow"), how)
    assert not any(is_approximate(entry.transform) for entry in pair.mapping)
    assert pair.distance() < 1e-12
    pair.train(range(BEFORE, BEFORE + AFTER))
    assert pair.distance() < 1e-12
    assert {int(count) for count in pair.new.optimizer.steps.values()} == {BEFORE + AFTER}


@pytest.mark.parametrize("lost", ["step", "eps", "first", "second"])
def test_every_part_of_the_moments_is_needed_for_that(lost: str) -> None:
    """Without it the grown net leaves the old one: the comparison can fail."""
    pair = Pair(checked(GROWTH / "wide.grow"), ADAM.model_copy(update={"eps": 1e-3}))
    optimizer = pair.new.optimizer
    if lost in ("step", "eps"):
        for name, factors in optimizer.factors.items():
            optimizer.factors[name] = replace(factors, **{lost: None})
    else:
        for tensor in getattr(optimizer, lost).values():
            tensor.mul_(2)
    pair.train(range(BEFORE, BEFORE + AFTER))
    assert pair.distance() > 1e-4


def test_copies_part_with_unequal_shares_or_moments_and_stay_equal_without(tmp_path: Path) -> None:
    name = "core.transformer.0.mlp.up.weight"
    apart = []
    for parts in ("none", "shares", "moments"):
        pair = Pair(wide(tmp_path, ("break = none", f"break = {parts}")))
        pair.train(range(BEFORE, BEFORE + AFTER))
        transform = pair.mapping.by_name[name].transform
        assert isinstance(transform, Expand)
        rows = torch.tensor(transform.dims[0].indices)
        weight = pair.new.weights[name].detach()
        apart.append(max((weight[rows == i] - weight[rows == i][0]).abs().max() for i in range(16)))
    assert apart[0] < 1e-12 < 1e-5 < min(apart[1:])


@pytest.mark.parametrize("new", ["mean", "reset"])
def test_new_rows_begin_with_updates_of_about_the_learning_rate(new: str, tmp_path: Path) -> None:
    pair = Pair(
        wide(tmp_path, *LONGER), AdamW(lr=1e-3, betas=[0.9, 0.999], weight_decay=0.0), new, 40
    )
    name = "core.transformer.0.mlp.up.weight"
    transform = pair.mapping.by_name[name].transform
    assert isinstance(transform, Expand)
    rows = torch.tensor(transform.dims[0].indices) < 0
    assert rows.any() and not rows.all()
    second = pair.new.optimizer.second[name][rows]
    assert bool((second > 0).all()) == (new == "mean")
    step = pair.new.optimizer.factors[name].step
    rate = 1e-3 * (step[1] if step else torch.ones(1, dtype=torch.float64))
    for at in range(40, 52):
        before = pair.new.weights[name].detach().clone()
        trained(pair.new, pair.after, pair.nets[1], pair.how, range(at, at + 1))
        update = (pair.new.weights[name].detach() - before)[rows].abs()
        assert (update <= 1.5 * rate).all()
    assert update.max() > 0


def test_new_entries_of_averages_count_their_own_updates(tmp_path: Path) -> None:
    pair = Pair(wide(tmp_path, *LONGER))
    name = "core.transformer.0.mlp.up.bias"
    transform = pair.mapping.by_name[name].transform
    assert isinstance(transform, Expand)
    rows = torch.tensor(transform.dims[0].indices) < 0
    ema, before = pair.new.ema, pair.new.ema.averages[name].clone()
    moved = before + 1
    ema.update({**pair.new.weights, name: moved}, 0.9)
    left = 1 - (ema.averages[name] - before)
    assert left[rows] == pytest.approx(1 / 10)
    assert left[~rows] == pytest.approx((1 + BEFORE) / (10 + BEFORE))
    assert ema.updates[name] == BEFORE + 1


def test_what_growth_left_is_saved_and_carried_to_the_next_generation(tmp_path: Path) -> None:
    pair = Pair(wide(tmp_path, *LONGER), new="reset")
    tensors = {name: tensor.clone() for name, tensor in pair.new.tensors().items()}
    parts = {name.split(".")[1] for name in tensors if name.startswith("grown.")}
    assert parts == {"step", "eps", "born", "ema"}
    again, kept = (State.of(pair.after, pair.nets[1], ADAM) for _ in range(2))
    again.load(Held(tensors), pair.new.counts())
    carry(kept, moments(pair.new), unchanged(pair.nets[1]))
    for found in (again.tensors(), kept.tensors()):
        assert found.keys() == tensors.keys()
        assert all(torch.equal(tensor, tensors[name]) for name, tensor in found.items())


def test_what_a_kept_tensor_has_of_its_parents_growth_goes_to_its_device() -> None:
    read = {"step": (torch.ones(2), torch.ones(3))}
    found = carrying._factors(read, None, 0, torch.empty(2, 3, device="meta"), "mean")
    assert found.step is not None and found.eps is None and found.born is None
    assert [vector.device.type for vector in found.step] == ["meta", "meta"]


@pytest.mark.parametrize("how", [ADAM, MUON], ids=["adamw", "muon"])
@pytest.mark.parametrize("new", ["carry", "carry(new = reset)", "reset"])
def test_a_grown_run_resumes_to_the_same_tensors(
    how: AdamW | Muon, new: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = wide(tmp_path, *LONGER)
    assert child.parent is not None
    phases = [phase(steps=4, optimizer=how, rewarm=3)]
    quiet = {"sample": Sample(sampler=DDIM(steps=1))}  # these nets read no prompts
    parent = plan(phases, child.parent.net, **quiet)
    train(parent, data)
    given: dict[str, Any] = {"moments": new.partition("(")[0]}
    given |= {"new_moments": "reset"} if "new" in new else {}
    start = Start(origin="parent", ema=False, **given)
    made = plan(phases, child.net, parent, start=start, mapping=child.mapping, **quiet)
    whole = train(made, data)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        train(made, data, "again", parent_run=whole.run.parents[1] / "narrow/main")
    resumed = train(made, data, "again", resume="must")
    found = state(resumed)
    assert found == state(whole)
    grown = {name.split(".")[1] for name in found if name.startswith("grown.")}
    expected = {"carry": {"step", "eps", "ema"}, "reset": set()}
    expected["carry(new = reset)"] = expected["carry"] | {"born"}
    assert grown == expected[new]


def test_new_blocks_have_no_moments(tmp_path: Path) -> None:
    edits = [("mlp = 2)", "mlp = 2) * 2"), ("by widen", "by deepen(append, init = copy), widen")]
    pair = Pair(wide(tmp_path, *edits))
    new = [n for n in pair.nets[1].table if n.startswith("core.transformer.1.")]
    assert new
    optimizer = pair.new.optimizer
    assert not optimizer.first.keys() & set(new)
    assert not optimizer.factors.keys() & set(new)
    assert all(optimizer.steps[name] == 0 and pair.new.ema.updates[name] == 0 for name in new)


def test_muon_goes_on_with_the_first_moments_of_adamw() -> None:
    child = checked(GROWTH / "wide.grow")
    pair = Pair(child)
    muon = State.of(pair.after, pair.nets[1], MUON)
    carry(muon, moments(pair.old), pair.mapping)
    name = "core.transformer.0.mlp.up.weight"
    assert torch.equal(muon.optimizer.momentum[name], pair.new.optimizer.first[name])
    assert name not in muon.optimizer.second
    other = State.of(pair.after, pair.nets[1], ADAM)
    carry(other, moments(Pair(child, MUON).old), pair.mapping)
    assert name not in other.optimizer.first
    assert other.optimizer.steps[name] == 0
    assert "core.transformer.0.mlp.up.bias" in other.optimizer.second
