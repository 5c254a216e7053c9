"""The state of a torch optimizer, taken over from the net that another grew from."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from growlang.diagnostics import GrowlangError
from growlang.growth.learning import ApproximateGrowth, has_moments, learning
from growlang.growth.mapping import Mapping as Growth
from growlang.growth.mapping import Quantity
from growlang.growth.transforms import Expand, Stages
from growlang.torch_backend.expansions import factors_of
from growlang.torch_backend.per_axis import fill_with_means, spread
from growlang.torch_backend.transforms import apply

Names = nn.Module | Iterable[str] | Iterable[tuple[str, Tensor]]
"""A module whose parameters an optimizer was made for, or their names in the same order."""
MOMENTS: dict[str, Quantity] = {
    "exp_avg": "first moment",
    "momentum_buffer": "first moment",
    "exp_avg_sq": "second moment",
    "max_exp_avg_sq": "second moment",
}
"""What the tensors in the state of torch's Adam, AdamW and SGD are to a mapping."""
SHOWN = 3
"""Tensors that a warning names."""


def grown_state(
    mapping: Growth,
    parent: Mapping[str, Any],
    child: Mapping[str, Any],
    names: tuple[Names | None, Names | None],
    new: Literal["mean", "reset"],
) -> dict[str, Any]:
    """As `growlang.applying.Mapping.apply_optimizer`."""
    before = dict(zip(_names(parent, names[0], "parent"), _indices(parent), strict=True))
    after = dict(zip(_names(child, names[1], "child"), _indices(child), strict=True))
    for name in after:
        if name not in mapping.by_name:
            raise GrowlangError(f"the mapping has no tensor `{name}`")
    states: dict[int, dict[str, Any]] = {}
    for name, source in mapping.only(after).states.items():
        state = parent["state"].get(before.get(source, -1))
        if state and has_moments(mapping.by_name[name].transform):
            states[after[name]] = _state(mapping, name, source, state, new)
    _warn(mapping, [name for name, index in after.items() if index in states])
    return {"state": states, "param_groups": [dict(g) for g in child["param_groups"]]}


def lr_scales(mapping: Growth) -> dict[str, float]:
    """As `growlang.applying.Mapping.lr_scales`."""
    found = {}
    for entry in mapping:
        if isinstance(entry.transform, Expand | Stages) and has_moments(entry.transform):
            scale = float(_rates(entry.transform, entry.shape).mean())
            if scale != 1:
                found[entry.name] = scale
    return found


def _state(
    mapping: Growth,
    name: str,
    source: str,
    state: Mapping[str, Any],
    new: Literal["mean", "reset"],
) -> dict[str, Any]:
    """The state of one tensor: moments by S, all else as it is."""
    entry, found = mapping.by_name[name], {}
    for key, value in state.items():
        if not isinstance(value, Tensor) or not value.dim():
            found[key] = value.clone() if isinstance(value, Tensor) else value
            continue
        if key not in MOMENTS:
            known = ", ".join(MOMENTS)
            raise GrowlangError(
                f"the optimizer's state has `{key}`, and growth is not known of it",
                help=f"known are {known}: start this optimizer anew",
            )
        taken = value.new_zeros(entry.shape)
        apply(mapping.only([name]), {source: value}, {name: taken}, MOMENTS[key])
        fills = new == "mean" and MOMENTS[key] == "second moment"
        if fills and isinstance(entry.transform, Expand | Stages):
            fill_with_means(taken, learning(entry.transform).dims)
        found[key] = taken
    return found


def _rates(transform: Expand | Stages, shape: Sequence[int]) -> Tensor:
    """|T| of each entry; vectors of ones do for axes that have no factors."""
    return spread(tuple(factors_of(learning(transform).step, shape)))


def _warn(mapping: Growth, names: Sequence[str]) -> None:
    """Warn of the tensors whose steps growth changes in a way that torch's optimizers lack."""
    changed = []
    for name in names:
        transform = mapping.by_name[name].transform
        if isinstance(transform, Expand | Stages):
            found = learning(transform)
            changed += [name] if any(found.step) or any(found.eps) else []
    if changed:
        more = f" and {len(changed) - SHOWN:,} more" if len(changed) > SHOWN else ""
        warnings.warn(
            f"{len(changed):,} grown tensors need steps and eps of their own, which torch has for "
            f"groups only: {', '.join(changed[:SHOWN])}{more}; give those that "
            "`mapping.lr_scales()` names groups with that factor on the learning rate",
            ApproximateGrowth,
            stacklevel=4,
        )


def _indices(state: Mapping[str, Any]) -> list[int]:
    return [index for group in state["param_groups"] for index in group["params"]]


def _names(state: Mapping[str, Any], given: Names | None, whose: str) -> list[str]:
    """The names of an optimizer's tensors, in its order."""
    if not isinstance(state, Mapping) or "param_groups" not in state:
        raise TypeError(
            f"expected the {whose}'s optimizer.state_dict(), got {type(state).__name__}"
        )
    names: list[str] = []
    if given is None:
        for group in state["param_groups"]:
            names += group.get("param_names", [])
    else:
        items = given.named_parameters() if isinstance(given, nn.Module) else given
        names = [item if isinstance(item, str) else item[0] for item in items]
    if len(names) != len(_indices(state)):
        what = f"has {len(_indices(state))} tensors, and {len(names)} names are known"
        raise GrowlangError(
            f"the {whose}'s optimizer {what}",
            help=f"build it from `module.named_parameters()`, or give `{whose}_names`: the module, "
            "or the names in the optimizer's order",
        )
    return names
