"""What training costs: floating-point operations of its passes, counted on shapes alone."""

from __future__ import annotations

from functools import cache

import torch
from arms import RECIPES
from cells import Cell
from torch.utils.flop_counter import FlopCounterMode

import growlang
from growlang.net import Input, Net
from growlang.spec.recipe import Phase
from growlang.torch_backend.lower import lower
from growlang_runtime.train.bridge import bridge_of


def training_flops(plan: growlang.Plan) -> int:
    """Of all forward and backward passes of a run; optimizer and averages are not counted."""
    net, begin, total = plan.child_net(), 0, 0
    own = set(net.table)
    for phase in plan.phases:
        end = begin + (phase.steps or 0)
        faded = min(end, max(begin, plan.start.bridge or 0)) - begin
        total += (end - begin - faded) * _step(net, own, phase)
        total += faded * _step(bridge_of(plan).net, own, phase) if faded else 0
        begin = end
    return total


@cache
def flops(cell: Cell) -> int:
    """Of a cell's training, without its ancestors'."""
    return training_flops(growlang.plan(cell.spec(), RECIPES[cell.arm].name))


_COUNTED: dict[tuple[str, frozenset[str]], int] = {}
"""Operations of one example, by the net and its tensors that get no gradient."""


def _step(net: Net, own: set[str], phase: Phase) -> int:
    """One step of a phase; tensors that it freezes, or that are not `own`, get no gradient."""
    still = frozenset(n for n in net.table if n not in own or n in phase.frozen)
    key = (net.net_hash, still)
    if key not in _COUNTED:
        _COUNTED[key] = _counted(net, still)
    return _COUNTED[key] * phase.settings.batch


def _counted(net: Net, still: frozenset[str]) -> int:
    module = lower(net)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in still)
    with FlopCounterMode(display=False) as counter:
        module(*map(_value, net.inputs)).sum().backward()
    counted: int = counter.get_total_flops()
    return counted


def _value(given: Input) -> torch.Tensor:
    """One of an input, without values."""
    types = {
        "tokens": torch.long,
        "ids": torch.long,
        "label": torch.long,
        "mask": torch.bool,
        "level": torch.float64,
    }
    return torch.zeros(1, *given.shape.dims, dtype=types.get(given.role), device="meta")
