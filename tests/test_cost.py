from __future__ import annotations

from pathlib import Path

import pytest
from fixture_specs import SHIPPED, SPECS, checked

from growlang.plans.cost import component_costs, phase_cost
from growlang.torch_backend.lower import lower


def test_vermeer_has_eight_billion_parameters() -> None:
    net = checked(SHIPPED / "vermeer_1024.grow").net
    assert abs(net.parameters / 8e9 - 1) < 0.05
    assert net.image.dims == (3, 1024, 1024)


@pytest.mark.parametrize(
    "path",
    [
        SHIPPED / "vermeer_1024.grow",
        *(SPECS / f"{name}.grow" for name in ("child", "blocks", "wavelet", "level", "chain")),
    ],
    ids=lambda p: p.stem,
)
def test_the_table_is_the_state_dict_of_the_module(path: Path) -> None:
    net = checked(path).net
    module = lower(net)
    built = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    assert built == {name: tensor.shape for name, tensor in net.table.items()}
    assert {v.device.type for v in module.state_dict().values()} == {"meta"}


def test_components_add_up_to_the_net() -> None:
    net = checked(SHIPPED / "uvit_512.grow").net
    costs = component_costs(net)
    assert [c.name for c in costs] == [
        *("text", "time", "stem", "stage.256", "stage.128", "stage.64", "stage.32"),
        *("core", "head"),
    ]
    assert sum(c.parameters for c in costs) == net.parameters
    assert sum(c.tensors for c in costs) == len(net.table)
    assert sum(c.flops for c in costs) == sum(n.flops for n in net.nodes)
    assert sum(c.saved for c in costs) == sum(n.saved for n in net.nodes)


def test_a_frozen_encoder_costs_nothing_here() -> None:
    text = component_costs(checked(SHIPPED / "core_64.grow").net)[0]
    assert (text.name, text.parameters, text.flops, text.saved) == ("text", 0, 0, 0)


def test_flops_of_a_layer_that_one_can_count_by_hand() -> None:
    found = checked(SPECS / "core.grow")
    stem = {n.path: n for n in found.net.of("stem")}
    # 4 x 4 patches of 3 channels to 16 channels at 4 x 4 places, 2 per multiply-add.
    assert stem["stem.patch.0"].flops == 2 * (4 * 4 * 3) * 16 * (4 * 4)


def test_what_a_phase_trains_and_holds() -> None:
    found = checked(SPECS / "child.grow")
    frozen, joint = (phase_cost(found.net, p) for p in found.phases("grown"))
    core = sum(
        t.parameters
        for t in found.net.tensors()
        if t.name.split(".")[0] in ("core", "text", "time")
    )
    assert frozen.frozen == core
    assert frozen.trainable == found.net.parameters - core
    assert (joint.frozen, joint.trainable) == (0, found.net.parameters)
    for cost in (frozen, joint):
        assert cost.weights == cost.ema == 4 * found.net.parameters
        assert cost.gradients == 4 * cost.trainable
        assert cost.moments == 8 * cost.trainable
        assert cost.state == cost.weights + cost.ema + cost.gradients + cost.moments
    assert (frozen.name, frozen.steps, frozen.batch) == ("frozen", 20, 8)
