import torch
from fixture_specs import SPECS, checked
from tiny import net, phase
from torch import nn

from growlang.plans.cost import phase_cost
from growlang.plans.matrices import matrices
from growlang.spec.optimizers import AdamW, Muon, with_rate
from growlang_runtime.train.muon import direction, orthogonalised
from growlang_runtime.train.optimizer import Optimizer

SETTINGS = Muon(lr=0.1, momentum=0.9, weight_decay=0.5, rest=AdamW(lr=0.01))


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_singular_values_come_near_one() -> None:
    for shape in ((6, 9), (9, 6)):
        values = torch.linalg.svdvals(orthogonalised(drawn(*shape)))
        assert values.min() > 0.6
        assert values.max() < 1.3
    assert torch.equal(orthogonalised(torch.zeros(2, 3)), torch.zeros(2, 3))


def test_each_part_of_a_fused_matrix_is_orthogonalised_alone() -> None:
    momentum = drawn(12, 4, 1, 1)
    found = direction(momentum, (4, 8)).flatten(1)
    first, second = momentum.flatten(1).split([4, 8])
    torch.testing.assert_close(found[:4], orthogonalised(first))
    torch.testing.assert_close(found[4:], orthogonalised(second) * 2**0.5)


def test_an_update_is_the_momentum_of_nesterov_and_decays_the_weight() -> None:
    weights = {name: nn.Parameter(drawn(4, 4)) for name in ("matrix", "table")}
    optimizer = Optimizer(weights, frozenset({"matrix"}), {"matrix": (4,)})
    before = weights["matrix"].detach().clone()
    for weight in weights.values():
        weight.grad = drawn(4, 4).flip(0)
    optimizer.step(SETTINGS, 0.1, {"table": 2.0})
    gradient = drawn(4, 4).flip(0)
    expected = 0.95 * before - 0.1 * orthogonalised(0.19 * gradient)
    torch.testing.assert_close(weights["matrix"].detach(), expected)
    moved = (weights["table"].detach() - drawn(4, 4)).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 0.02), rtol=1e-5, atol=0)
    assert optimizer.momentum.keys() == {"matrix"}
    assert optimizer.first.keys() == optimizer.second.keys() == {"table"}


def test_matrices_are_those_inside_of_the_net_by_their_parts() -> None:
    parts = matrices(checked(SPECS.parent / "growth" / "parent.grow").net)
    assert parts["core.transformer.0.attend.self.qkv.weight"] == (16, 16, 16)
    assert parts["core.transformer.0.attend.text.kv.weight"] == (16, 16)
    assert parts["stem.residual.0.conv1.weight"] == (8,)
    assert not any(n.startswith(("stem.patch", "head.unpatch", "text", "time")) for n in parts)
    assert not any(n.endswith("bias") or "norm" in n or "position" in n for n in parts)


def test_a_matrix_has_one_moment() -> None:
    whole, muon = (phase_cost(net(), phase(optimizer=o)).moments for o in (AdamW(), Muon()))
    ours = sum(net().table[name].parameters for name in matrices(net()))
    assert whole - muon == 4 * ours > 0


def test_a_phases_rate_changes_that_of_the_rest_in_proportion() -> None:
    changed = with_rate(SETTINGS, 0.05)
    assert isinstance(changed, Muon)
    assert (changed.lr, changed.rest.lr) == (0.05, 0.005)
