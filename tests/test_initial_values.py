"""What tensors begin with: the numbers that NumPy draws, and that any of their rows have alone."""

from __future__ import annotations

from hashlib import sha256
from math import prod

import numpy as np
import pytest
import torch
from fixture_specs import SPECS, checked
from torch import nn

from growlang import initial_values
from growlang.growth.axis_map import NEW, AxisMap
from growlang.growth.constants import Draw
from growlang.growth.transforms import Expand, Stages
from growlang.initial_values import LINEAR, NORMAL, InitialValues
from growlang.net import Tensor
from growlang.planning import plan
from growlang.plans.plan import DRAWS
from growlang.torch_backend.expansions import expand
from growlang.torch_backend.initialisation import draw
from growlang_runtime.train.start import build

SHAPES = [(17, 5), (9, 3, 3, 3), (40,), ()]


def whole(init: str, shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return draw(Tensor("core.map.weight", shape, init), seed)


@pytest.mark.parametrize(
    "init, first, later",
    [
        ("linear", ["0x1.ea3af80000000p-7", "-0x1.0c0a000000000p-10"], "0x1.8133400000000p-9"),
        ("embedding", ["-0x1.a158300000000p-2", "0x1.b307280000000p-1"], "0x1.33bbce0000000p-3"),
        ("tokens", ["-0x1.0b19b80000000p-7", "0x1.166afa0000000p-6"], "0x1.89e6260000000p-9"),
    ],
)
def test_the_numbers_stay_what_they_are(init: str, first: list[str], later: str) -> None:
    """On every machine, with every version of NumPy and PyTorch: what was drawn can be again."""
    found = whole(init, (800, 1024)).numpy()
    assert [float(number).hex() for number in found[0, :2]] == first
    assert float(found[799, 1023]).hex() == later


@pytest.mark.parametrize("init", sorted(initial_values.INITIALISERS))
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_alone_are_those_of_the_whole(
    init: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if init == "identity" and len(shape) < 2:
        pytest.skip("no map")
    for group in (1, 12, 50, 1 << 16):
        monkeypatch.setattr(initial_values, "GROUP", group)
        own = InitialValues(init, "a", shape, 3)
        count = shape[0] if shape else 1
        all_rows = InitialValues(init, "a", shape, 3).rows(0, count)
        assert all_rows.dtype == np.float32
        assert all_rows.size == prod(shape)
        for low, high in [(count // 2, count), (0, 1), (count // 3, count // 2), (count, count)]:
            assert (own.rows(low, high) == all_rows[low:high]).all()


def test_tensors_of_other_names_seeds_and_groups_differ() -> None:
    found = whole("linear", (800, 1024))
    assert not torch.equal(found[:256], found[256:512])
    assert not torch.equal(found, whole("linear", (800, 1024), 1))
    assert not torch.equal(found, draw(Tensor("core.map.bias", (800, 1024), "linear"), 0))


@pytest.mark.parametrize("shape", [(5, 5), (4, 4, 1, 1), (3, 3, 5, 5)])
def test_the_identity_maps_to_itself(shape: tuple[int, ...]) -> None:
    weight = whole("identity", shape)
    width, *kernel = shape[1:]
    x = torch.randn(2, width, *(6 for _ in kernel), generator=torch.Generator().manual_seed(0))
    padding = shape[-1] // 2
    mapped = nn.functional.conv2d(x, weight, padding=padding) if kernel else x @ weight.T
    assert torch.equal(mapped, x)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 6, 2, 3)])
def test_the_identity_of_other_sides_is_that_of_pytorch(shape: tuple[int, ...]) -> None:
    fill = nn.init.eye_ if len(shape) == 2 else nn.init.dirac_
    assert torch.equal(whole("identity", shape), fill(torch.empty(shape)))


@pytest.mark.parametrize("init", ["linear", "embedding", "position", "tokens", "zeros", "ones"])
def test_initialisers_have_the_stated_spread(init: str) -> None:
    tensor = whole(init, (4000, 10, 10))
    mean, std = {
        "linear": (0.0, 0.1 / 3**0.5),
        "embedding": (0.0, 1.0),
        "position": (0.0, 0.02),
        "tokens": (0.0, 0.02),
        "zeros": (0.0, 0.0),
        "ones": (1.0, 0.0),
    }[init]
    assert tensor.mean().item() == pytest.approx(mean, abs=0.01 * std)
    assert tensor.std().item() == pytest.approx(std, rel=0.01)
    if init == "linear":
        assert 0.0999 < tensor.max() <= 0.1
        assert -0.1 <= tensor.min() < -0.0999


@pytest.mark.parametrize("init", [LINEAR, *NORMAL])
def test_runs_of_earlier_versions_begin_as_they_did(init: str) -> None:
    """Until the draws' number 2 PyTorch drew each tensor from a generator of its own."""
    declared = Tensor("core.map.weight", (40, 25), init)
    key = int.from_bytes(sha256(b"5:core.map.weight").digest()[:8], "little")
    generator = torch.Generator().manual_seed(key - (1 << 64 if key >> 63 else 0))
    if init == LINEAR:
        wanted = torch.empty(40, 25).uniform_(-0.2, 0.2, generator=generator)
    else:
        wanted = torch.empty(40, 25).normal_(std=NORMAL[init], generator=generator)
    for draws in range(1, DRAWS):
        assert torch.equal(draw(declared, 5, draws), wanted)
    assert not torch.equal(draw(declared, 5), wanted)


def test_what_stands_between_two_expansions_is_the_same_in_every_version() -> None:
    same = AxisMap.of(range(3))
    first = Expand("a", (AxisMap.of([0, 1, NEW]), same), constants=(Draw(0, 2, 1),), init="linear")
    second = Expand("a", (same, same))
    target = torch.zeros(3, 3)
    expand(Stages("a", (first, second)), torch.ones(2, 3), target, "weight", "b")
    assert torch.equal(target[2], draw(Tensor("b:0", (3, 3), "linear"), 0, draws=2)[2])


def test_a_run_begins_by_the_number_of_its_plan() -> None:
    net = checked(SPECS / "core.grow").net
    made = plan(checked(SPECS / "core.grow"))
    for draws in (2, 3):
        module = build(made.model_copy(update={"draws": draws}), net, torch.device("cpu"))
        seed = made.phases[0].settings.seed
        for name, tensor in net.table.items():
            assert torch.equal(module.get_parameter(name).detach(), draw(tensor, seed, draws))


def test_an_initialiser_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no initialiser is 'xavier'"):
        InitialValues("xavier", "a", (2,), 0)
