"""A plain torch loop goes on where its parent's was: `Mapping.apply_optimizer`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fixture_specs import SPECS, checked
from test_growth_function import drawn as drawn_tensor
from test_growth_function import fresh, inputs, module
from torch import nn

from growlang.applying import Mapping
from growlang.diagnostics import GrowlangError
from growlang.growth.learning import ApproximateGrowth
from growlang.net import Net

WIDE = SPECS.parent / "growth" / "wide.grow"
LR = 1e-3


def trained(model: nn.Module, net: Net, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        model(*inputs(net, step)).square().mean().backward()
        optimizer.step()


class Pair:
    """A parent after 8 steps of a torch optimizer, and the child that grew from it."""

    def __init__(self, kind: Any = torch.optim.AdamW, decay: float = 0.0, **options: Any) -> None:
        child = checked(WIDE)
        assert child.parent is not None and child.mapping is not None
        self.mapping: Mapping = child.mapping
        self.nets = child.parent.net, child.net
        values = {name: drawn_tensor(t, 0) for name, t in self.nets[0].table.items()}
        self.before = module(self.nets[0], values)
        options |= {"lr": LR, "weight_decay": decay}
        self.old = kind(self.before.named_parameters(), **options)
        trained(self.before, self.nets[0], self.old, range(8))
        start = self.mapping.apply(self.before.state_dict(), fresh(self.nets[1], 0))
        self.after = module(self.nets[1], start)
        scales = self.mapping.lr_scales()
        self.groups = [
            {
                "params": [(name, p)],
                "lr": LR * (scale := scales.get(name, 1.0)),
                "weight_decay": decay / scale,
            }
            for name, p in self.after.named_parameters()
        ]
        self.new = kind(self.groups, **options)

    def distance(self) -> float:
        with torch.no_grad():
            old = self.before(*inputs(self.nets[0], 99))
            new = self.after(*inputs(self.nets[1], 99))
        return float((new - old).abs().max() / old.abs().max())


def test_a_torch_adamw_goes_on_nearly_as_the_parents() -> None:
    distances = []
    for carried in (True, False):
        pair = Pair(eps=1e-12, decay=0.1)
        if carried:
            with pytest.warns(ApproximateGrowth, match=r"grown tensors need steps.*lr_scales"):
                state = pair.mapping.apply_optimizer(pair.old.state_dict(), pair.new.state_dict())
            pair.new.load_state_dict(state)
        trained(pair.before, pair.nets[0], pair.old, range(8, 24))
        trained(pair.after, pair.nets[1], pair.new, range(8, 24))
        distances.append(pair.distance())
    assert distances[0] < 1e-7 < 1e-3 < distances[1]
    assert {float(s["step"]) for s in pair.old.state.values()} == {24}


@pytest.mark.filterwarnings("ignore::growlang.growth.learning.ApproximateGrowth")
def test_names_may_be_given_and_momentum_is_carried() -> None:
    pair = Pair(torch.optim.SGD, momentum=0.9)
    old, new = pair.old.state_dict(), pair.new.state_dict()
    known = pair.mapping.apply_optimizer(old, new)
    for group in (*old["param_groups"], *new["param_groups"]):
        group.pop("param_names")
    with pytest.raises(GrowlangError, match=r"the parent's optimizer has 27 tensors, and 0 names"):
        pair.mapping.apply_optimizer(old, new)
    listed = pair.mapping.apply_optimizer(
        old, new, parent_names=pair.before, child_names=list(dict(pair.after.named_parameters()))
    )
    assert known["state"].keys() == listed["state"].keys()
    for index, state in known["state"].items():
        assert torch.equal(state["momentum_buffer"], listed["state"][index]["momentum_buffer"])


def test_a_state_that_growth_does_not_know_is_refused() -> None:
    pair = Pair(torch.optim.Adagrad)
    with pytest.raises(GrowlangError, match=r"has `sum`, and growth is not known of it"):
        pair.mapping.apply_optimizer(pair.old.state_dict(), pair.new.state_dict())
    with pytest.raises(
        TypeError, match=r"expected the parent's optimizer.state_dict\(\), got list"
    ):
        pair.mapping.apply_optimizer([], {})  # type: ignore[arg-type]
