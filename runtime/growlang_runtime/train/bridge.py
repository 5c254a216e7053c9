"""The steps of `transition = bridge(for = N)`: the parent's function fades while the child trains.

The net of the transition holds the child's own modules, and beside them the parent's ends, which
are frozen and no part of the training state: a run that is resumed inside the fade reads them from
the weights that it started from. Several processes each have them whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from growlang.growth.bridging import BRIDGE, FADED, Bridged, bridged
from growlang.net import Net
from growlang.net.generations import MEASURED, refinements
from growlang.plans.plan import Plan
from growlang.torch_backend.lower import LoweredNet, lower
from growlang_runtime.data.mix import Mix
from growlang_runtime.distributed.sharding import within
from growlang_runtime.train.detail import detail_variances


@dataclass(frozen=True)
class Bridge:
    """The net of the transition, which computes the child's in the end."""

    net: Net
    module: LoweredNet
    steps: int

    def lasts(self, step: int) -> bool:
        """Whether the parent's function is still a part of the net at a step of the run."""
        return step < self.steps

    def within(self, child: nn.Module) -> Callable[..., Tensor]:
        """The net, computed inside of a pass of the child, which is sharded."""
        return within(child, self.module)

    def inputs(self, step: int, images: int, device: torch.device) -> dict[str, Tensor]:
        """The weight of the parent's function for a batch of images: it falls linearly."""
        weight = 1 - step / self.steps
        return {FADED: torch.full((images,), weight, dtype=torch.float64, device=device)}


def build_bridge(
    plan: Plan, child: nn.Module, weights: Mapping[str, Tensor], images: Mix, workers: int
) -> Bridge:
    """The bridge of a plan from its parent's `weights`; `child` is the module that it trains."""
    found = bridge_of(plan)
    module = lower(found.net)
    variances = detail_variances(
        {t.name: n for n in refinements(found.net) for t in n.tensors if t.init == MEASURED},
        images,
        workers,
    )
    device = next(child.parameters()).device
    for node in found.net.nodes:
        if node.tensors and node.component != BRIDGE:
            module.set_submodule(node.path, child.get_submodule(node.path))
    own = {t.name for n in found.net.nodes if n.component != BRIDGE for t in n.tensors}
    for name in [name for name, _ in module.named_parameters() if name not in own]:
        place, _, leaf = name.rpartition(".")
        value = variances.get(name)
        value = weights[found.sources[name]] if value is None else value
        parameter = nn.Parameter(value.to(device), requires_grad=False)
        setattr(module.get_submodule(place), leaf, parameter)
    module.get_submodule(BRIDGE).eval()
    return Bridge(found.net, module, plan.start.bridge or 0)


@torch.no_grad()
def begin_at_zero(plan: Plan, child: nn.Module) -> None:
    """Let the ends of the child begin without effect, so that the parent's function is all."""
    for name in bridge_of(plan).zeros:
        child.get_parameter(name).zero_()


def bridge_of(plan: Plan) -> Bridged:
    """The net of a plan's transition, of a recipe that has one."""
    parent = plan.parent_net()
    assert parent is not None
    predict = getattr(plan.phases[0].settings.objective, "predict", "v")
    return bridged(plan.child_net(), parent, plan.mapping, predict)
