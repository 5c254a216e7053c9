"""What a grown run takes over of its parent's training state: averages, moments and counts."""

from __future__ import annotations

from collections.abc import Mapping as Table
from typing import Literal

from torch import Tensor

from growlang.growth.learning import Learning, has_moments, learning
from growlang.growth.mapping import Mapping, Quantity
from growlang.growth.transforms import Copy, Expand, Stages
from growlang.torch_backend.per_axis import PerAxis, carried, fill_with_means
from growlang.torch_backend.shards import local
from growlang.torch_backend.transforms import apply
from growlang_runtime.storage.weights import Moments
from growlang_runtime.train.optimizer import Factors
from growlang_runtime.train.state import State


def carry(
    state: State, parent: Moments, mapping: Mapping, new: Literal["mean", "reset"] = "mean"
) -> None:
    """Let the tensors that are the parent's go on with their averages, moments and counts.

    What is new begins anew: averages at the weights, moments at zero, counts at 0. New entries of
    a tensor that grew begin with the mean of the old second moments and the tensor's count, so
    that first updates stay small; with `new` "reset" they have no moments and a count of their own.
    """
    for number, ema in enumerate(state.averages.values()):
        given = parent.averages[min(number, len(parent.averages) - 1)]
        apply(mapping, given, ema.averages, "average")
    found = {
        name: moments
        for name, source in _states(mapping)
        if isinstance(mapping.by_name[name].transform, Copy) or _known(state, name)
        if (moments := _moments(state, parent, name, source)) is not None
    }
    for name in found:
        state.optimizer.begin(name, parent.steps[mapping.states[name]])
    for (part, quantity), names in _alike(state, found).items():
        given = {mapping.states[name]: found[name][part] for name in names}
        taken = {name: state.optimizer.moments(name)[part][name] for name in names}
        apply(mapping.only(taken), given, taken, quantity)
    for name, source in mapping.states.items():
        updates, grown = parent.updates[source], _learning(mapping, name)
        for ema in state.averages.values():
            ema.updates[name] = updates
        like = local(state.weights[name])
        before = parent.along(source) if has_moments(mapping.by_name[name].transform) else {}
        if born := _born(before.get("ema"), grown, updates, like):
            for ema in state.averages.values():
                ema.count_from(name, born)
        if name in found:
            factors = _factors(before, grown, parent.steps[source], like, new)
            if factors:
                state.optimizer.factors[name] = factors
            if grown and new == "mean":
                _fill_squares(state, name, grown)


def _alike(
    state: State, found: Table[str, Table[str, Tensor]]
) -> dict[tuple[str, Quantity], list[str]]:
    """The tensors that go on with a moment, by its name and what it is to a mapping."""
    alike: dict[tuple[str, Quantity], list[str]] = {}
    for name, moments in found.items():
        for part in moments:
            quantity = state.optimizer.kept_of(name)[part] or "first moment"
            alike.setdefault((part, quantity), []).append(name)
    return alike


def _fill_squares(state: State, name: str, grown: Learning) -> None:
    """Let new entries begin with the mean of the old squares of gradients."""
    for part, quantity in state.optimizer.kept_of(name).items():
        if quantity == "second moment":
            fill_with_means(state.optimizer.parts[part][name], grown.dims)


def _states(mapping: Mapping) -> list[tuple[str, str]]:
    """The tensors that go on with moments of the parent's, if there are any, and whose."""
    named = mapping.by_name
    return [(n, source) for n, source in mapping.states.items() if has_moments(named[n].transform)]


def _known(state: State, name: str) -> bool:
    """Whether it is known how all that is kept of a tensor grows with it."""
    return None not in state.optimizer.kept_of(name).values()


def _moments(state: State, parent: Moments, name: str, source: str) -> Table[str, Tensor] | None:
    """The parent's moments that a tensor goes on with; None where its optimizer needs others.

    First moments of Adam and Muon are means of gradients: Muon's momentum goes on with AdamW's.
    """
    given = {part: held.get(source) for part, held in parent.parts.items()}
    if given.get("momentum") is None:
        given["momentum"] = given.get("first")
    wanted = state.optimizer.moments(name)
    found = {part: tensor for part in wanted if (tensor := given.get(part)) is not None}
    return found if found.keys() == wanted.keys() else None


def _learning(mapping: Mapping, name: str) -> Learning | None:
    """How the steps of a tensor go on that grew."""
    transform = mapping.by_name[name].transform
    return learning(transform) if isinstance(transform, Expand | Stages) else None


def _born(
    before: PerAxis | None, grown: Learning | None, count: int, like: Tensor
) -> PerAxis | None:
    """The counts at which the places of a tensor's axes came, of which new ones come at `count`."""
    if grown is None:
        return before
    return carried(before, grown.dims, [()] * len(grown.dims), like, new=count, usual=0.0)


def _factors(
    before: Table[str, PerAxis],
    grown: Learning | None,
    steps: int,
    like: Tensor,
    new: Literal["mean", "reset"],
) -> Factors:
    """The factors of a tensor's steps: the parent's, and those of its own growth."""
    if grown is None:
        placed = {
            part: tuple(vector.to(like) for vector in before[part]) if part in before else None
            for part in vars(Factors())
        }
        return Factors(**placed)
    return Factors(
        carried(before.get("step"), grown.dims, grown.step, like),
        carried(before.get("eps"), grown.dims, grown.eps, like),
        _born(before.get("born"), grown, steps if new == "reset" else 0, like),
    )
