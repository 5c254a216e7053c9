"""What growth promises of the function: a grown net computes what its parent computes, in float64.

All weights are random, those too that begin at zero, unless the promise is about that zero.
"""

from __future__ import annotations

from math import prod
from typing import Any
from zlib import crc32

import pytest
import torch
from fixture_specs import SPECS, checked
from torch import Tensor, fx

from growlang.checking import Checked
from growlang.net import Net
from growlang.net import Tensor as Declared
from growlang.torch_backend.initialisation import draw
from growlang.torch_backend.lower import LoweredNet, lower
from growlang.torch_backend.transforms import apply

GROWTH = SPECS.parent / "growth"
BATCH = 6
EXACT = 1e-12


def generator(*key: object) -> torch.Generator:
    return torch.Generator().manual_seed(crc32(repr(key).encode()))


def drawn(tensor: Declared, seed: int) -> Tensor:
    """Random values of about the size that training leaves."""
    value = torch.randn(tensor.shape, generator=generator(tensor.name, seed), dtype=torch.float64)
    return value / prod(tensor.shape[1:]) ** 0.5


def fresh(net: Net, seed: int) -> dict[str, Tensor]:
    """Values of new tensors: maps that begin as zero or as the identity do, others are random."""
    found = {}
    for name, tensor in net.table.items():
        map_of = net.table.get(f"{name.rpartition('.')[0]}.weight", tensor)
        given = {tensor.init, map_of.init} <= {"zeros", "identity"}
        found[name] = draw(tensor, seed).double() if given else drawn(tensor, seed)
    return found


def module(net: Net, values: dict[str, Tensor]) -> LoweredNet:
    lowered = lower(net, "cpu").double().eval()
    lowered.load_state_dict(values)
    return lowered


def inputs(net: Net, seed: int) -> list[Tensor]:
    """A batch of inputs at noise levels from clean to pure noise, with some words masked."""
    found: list[Tensor] = []
    for i in net.inputs:
        shape, given = (BATCH, *i.shape.dims), generator(i.role, i.shape, seed)
        match i.role:
            case "image":
                found.append(torch.randn(shape, generator=given, dtype=torch.float64))
            case "log_snr":
                found.append(torch.linspace(-12, 12, BATCH, dtype=torch.float64))
            case "mask":
                mask = torch.rand(shape, generator=given) < 0.5
                mask[:, 0] = True
                found.append(mask)
            case _:
                count = {"ids": 9, "label": 4, "tokens": net.result.width}[i.role]
                found.append(torch.randint(0, count, shape, generator=given))
    return found


def grown(child: Checked, seed: int) -> tuple[LoweredNet, LoweredNet]:
    """The parent with random weights, and the child that grew from it."""
    assert child.parent is not None and child.mapping is not None
    parent = child.parent.net
    weights, values = {n: drawn(t, seed) for n, t in parent.table.items()}, fresh(child.net, seed)
    apply(child.mapping, weights, values)
    return module(parent, weights), module(child.net, values)


def compared(child: Checked, seed: int) -> tuple[Tensor, Tensor]:
    """What the parent computes and what the child computes, of the same inputs."""
    assert child.parent is not None
    before, after = grown(child, seed)
    with torch.no_grad():
        return before(*inputs(child.parent.net, seed)), after(*inputs(child.net, seed))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", ["kept", "moved", "kept_groups", "moved_groups"])
def test_a_child_that_keeps_or_moves_everything_computes_the_same(name: str, seed: int) -> None:
    expected, found = compared(checked(GROWTH / f"{name}.grow"), seed)
    assert torch.equal(found, expected)
    assert expected.std() > 0.1


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", ["deeper", "copied", "identity", "chain"])
def test_what_begins_as_the_identity_leaves_the_function_as_it_is(name: str, seed: int) -> None:
    expected, found = compared(checked(GROWTH / f"{name}.grow"), seed)
    assert (found - expected).abs().max() <= EXACT * expected.abs().max()
    assert expected.std() > 0.1


@pytest.mark.parametrize("name", ["deeper", "copied", "identity", "chain"])
def test_what_begins_as_the_identity_takes_part(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is trained, that is random: the comparison can fail."""
    child = checked(GROWTH / f"{name}.grow")
    monkeypatch.setattr(
        f"{__name__}.fresh", lambda net, seed: {n: drawn(t, seed) for n, t in net.table.items()}
    )
    expected, found = compared(child, 0)
    assert (found - expected).abs().max() > 0.01 * expected.abs().max()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", ["wide_adm", "deeper_adm"])
def test_adm_grows_in_width_and_depth_and_computes_the_same(name: str, seed: int) -> None:
    """Blocks beside the core, spatial attention, residual changes of resolution, group skips."""
    expected, found = compared(checked(GROWTH / f"{name}.grow"), seed)
    assert (found - expected).abs().max() <= EXACT * expected.abs().max()
    assert expected.std() > 0.1


# --- the paper's recipe --------------------------------------------------------------------------


class Given(fx.Interpreter):
    """Computes a net with a value in place of what one node computes, and remembers all values."""

    def __init__(self, lowered: LoweredNet, path: str, value: Tensor) -> None:
        super().__init__(lowered)
        self.path, self.value = path, value
        self.found: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        path = n.meta.get("path", "")
        self.found[path] = self.value if path == self.path else super().run_node(n)
        return self.found[path]


def core(net: Net, lowered: LoweredNet, h: Tensor, seed: int) -> Tensor:
    """core(h, t, c): what the core makes of h at the inputs' noise levels and conditions."""
    nodes = net.of("core")
    run = Given(lowered, nodes[0].inputs[0], h)
    with torch.no_grad():
        run.run(*inputs(net, seed))
    return run.found[nodes[-1].path]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_core_of_a_grown_net_computes_the_same_of_what_enters_it(seed: int) -> None:
    child = checked(GROWTH / "paper.grow")
    assert child.parent is not None
    before, after = grown(child, seed)
    shape = next(n.output for n in child.net.nodes if n.path == "stage.8.encode.down").dims
    h = torch.randn(BATCH, *shape, generator=generator("h", seed), dtype=torch.float64)
    expected, found = core(child.parent.net, before, h, seed), core(child.net, after, h, seed)
    assert torch.equal(found, expected)
    assert not torch.equal(expected, core(child.parent.net, before, h + 1, seed))
