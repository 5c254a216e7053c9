"""Grown tensors that NumPy makes are those that PyTorch makes, bit for bit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from checkpoints import NAMES, same_bits

from growlang.growth.axis_map import NEW, AxisMap, Factors, Kron
from growlang.growth.constants import Constant, Draw, Fill
from growlang.growth.transforms import Expand
from growlang.net import Tensor as Declared
from growlang.plans.tensor_index import Located
from growlang.torch_backend.expansions import expand
from growlang.torch_backend.initialisation import draw
from growlang.transferring import expanding
from growlang.transferring.tensors import Computed, Made

SEED = 3
FACTORS = (0.5, 0.6, 1 / 3, 1.0, 1.7, 2.0**-5)


def indices(draws: random.Random, old: int) -> list[int]:
    """Of a new axis, in pieces that are taken, repeated or new."""
    found: list[int] = []
    for _ in range(draws.randint(1, 4)):
        start = draws.randrange(old)
        piece = list(range(start, draws.randint(start + 1, old)))
        block = draws.choice([1, len(piece)])
        match draws.choice(["take", "repeat", "new", "scattered"]):
            case "take":
                found += piece
            case "repeat":
                times = draws.randint(2, 20)
                blocks = range(0, len(piece), block)
                found += [i for b in blocks for _ in range(times) for i in piece[b : b + block]]
            case "new":
                found += [NEW] * draws.randint(1, 5)
            case "scattered":
                found += draws.choices(range(-1, old), k=draws.choice([3, 90]))
    return found


def axis(draws: random.Random, old: int) -> AxisMap:
    match draws.choice(["same", "kron", "some", "some"]):
        case "same":
            return AxisMap.of(range(old))
        case "kron" if old % 2 == 0:
            return AxisMap((Kron(2, old // 2, AxisMap.of(indices(draws, old // 2))),))
    return AxisMap.of(indices(draws, old))


def factors(draws: random.Random, n: int) -> Factors:
    count = draws.choice([0, 0, 1, n])
    return tuple(draws.choices(FACTORS, k=count))


def drawn(draws: random.Random, dims: tuple[AxisMap, ...]) -> Iterator[Constant]:
    """Some of the new entries."""
    for number, index in enumerate(dims):
        for start, n in index.news.items():
            if draws.random() < 0.7:
                yield Draw(number, start, n)


def case(number: int) -> tuple[Expand, tuple[int, ...]]:
    """An expansion, and the shape that it grows."""
    draws = random.Random(number)
    old = tuple(draws.randint(1, 12) for _ in range(draws.choice([1, 2, 2, 4])))
    dims = tuple(axis(draws, n) for n in old)
    weight = tuple(factors(draws, index.size) for index in dims)
    constants: tuple[Constant, ...] = ()
    init = ""
    if len(dims) == 1 and draws.random() < 0.5:
        size = dims[0].size
        constants = (Fill(0, draws.randint(1, size), 0.7), Fill(size // 2, size // 4, -1.3))
    elif draws.random() < 0.6:
        constants = tuple(drawn(draws, dims))
        init = draws.choice(["linear", "zeros"]) if constants else ""
    return Expand("x", dims, weight if draws.random() < 0.8 else (), (), constants, init=init), old


def made_here(step: Expand, source: torch.Tensor, dtype: str, wanted: str) -> torch.Tensor:
    data = source.view(torch.uint8).numpy().tobytes()
    shape = tuple(index.size for index in step.dims)
    width = len(data) // source.shape[0]
    located = Located(dtype, tuple(source.shape), Path(), 0, len(data))
    made = Made("a.b", wanted, shape, Computed(step, located, SEED))
    whole = bytearray(made.bytes)
    for at, block in expanding.expanded(made, lambda low, high: data[low * width : high * width]):
        whole[at : at + len(block)] = block
    return torch.frombuffer(whole, dtype=NAMES[wanted]).view(shape)


@pytest.mark.parametrize(
    "dtype, wanted", [("F32", "F32"), ("BF16", "BF16"), ("F16", "F16"), ("BF16", "F16")]
)
def test_numpy_expands_as_pytorch_does(
    dtype: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = set()
    for number in range(40):
        step, old = case(number)
        assert expanding.is_expanded(step)
        monkeypatch.setattr(expanding, "BLOCK", 1 << (number % 12))
        noise = torch.Generator().manual_seed(number)
        source = torch.randn(old, generator=noise)
        source[torch.rand(old, generator=noise) < 0.1] *= 0.0
        source[torch.rand(old, generator=noise) < 0.1] *= 1e-7
        source = source.to(NAMES[dtype])
        shape = tuple(index.size for index in step.dims)
        target = draw(Declared("a.b", shape, step.init), SEED) if step.init else torch.zeros(shape)
        expand(step, source.float(), target, "weight", "a.b")
        found = made_here(step, source, dtype, wanted)
        assert same_bits(found, target.to(NAMES[wanted])), (number, step)
        kinds |= {type(constant) for constant in step.constants}
    assert kinds == {Draw, Fill}
