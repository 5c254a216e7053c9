"""Noise by counters: the generator of the paper, and numbers that hold on every device."""

import json
import math
from pathlib import Path

import pytest
import torch

from growlang_runtime.data import philox
from growlang_runtime.data.draws import Noise, batch_normals
from growlang_runtime.data.philox import normals

CPU = torch.device("cpu")
FIXTURES = Path(__file__).parents[1] / "fixtures/runtime"
KNOWN = json.loads((FIXTURES / "philox4x32_10.json").read_text())
GOLDEN = json.loads((FIXTURES / "normals.json").read_text())


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["key"][0])
def test_the_integers_are_those_of_random123(known: dict[str, list[str]]) -> None:
    counter = [torch.tensor([int(word, 16)]) for word in known["counter"]]
    first, second = (int(word, 16) for word in known["key"])
    words = philox.philox((counter[0], counter[1], counter[2], counter[3]), (first, second))
    assert [f"{int(word):08x}" for word in words] == known["words"]


def test_draws_depend_on_nothing_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    draws, shape = [5, 900, 2**40, 7], (3, 5, 7)
    together = normals(1, 0, draws, shape, CPU)
    assert together.shape == (4, 3, 5, 7)
    alone = [normals(1, 0, [p], shape, CPU) for p in draws]
    assert torch.equal(together, torch.cat(alone))
    whole = normals(1, 0, range(3, 9), shape, CPU)
    assert torch.equal(whole, normals(1, 0, list(range(3, 9)), shape, CPU))
    for chunk in (1, 7, 60):
        monkeypatch.setitem(philox.CHUNK, "cpu", chunk)
        assert torch.equal(normals(1, 0, range(3, 9), shape, CPU), whole)


def test_seeds_streams_and_draws_have_numbers_of_their_own() -> None:
    found = {
        float(normals(seed, stream, [p], (1,), CPU))
        for seed in (0, 1, 2**63 - 1)
        for stream in range(3)
        for p in (0, 1, 2**32, 2**40)
    }
    assert len(found) == 3 * 3 * 4


def test_normals_are_normal() -> None:
    values = normals(0, 0, range(64), (4096,), CPU).double().flatten()
    count = len(values)
    assert abs(values.mean()) < 5 / math.sqrt(count)
    assert abs(values.var() - 1) < 5 * math.sqrt(2 / count)
    assert abs((values**4).mean() - 3) < 5 * math.sqrt(96 / count)
    for limit in (0.5, 1.0, 2.0, 3.0):
        share = math.erfc(limit / math.sqrt(2))
        off = (values.abs() > limit).double().mean() - share
        assert abs(off) < 5 * math.sqrt(share / count)
    pairs = values.view(-1, 2)
    assert abs((pairs[:, 0] * pairs[:, 1]).mean()) < 5 / math.sqrt(count / 2)


def test_box_muller_is_right_to_float32_rounding() -> None:
    ends = [0, 1, 2**31 - 1, 2**31, 2**32 - 129, 2**32 - 1]
    random = torch.randint(2**32, (4096,), generator=torch.Generator().manual_seed(0))
    u = torch.cat([torch.tensor(ends).repeat(6), random])
    v = torch.cat([torch.tensor(ends).repeat_interleave(6), random.flip(0)])
    radius = (-2 * ((u.double() + 0.5) * 2.0**-32).log()).sqrt()
    angle = v.double() * (2 * math.pi * 2.0**-32)
    for found, turned in zip(philox.box_muller(u, v), (angle.cos(), angle.sin()), strict=True):
        assert found.isfinite().all()
        wanted = radius * turned
        near = u < 2**32 - 2**20  # nearer to 1, float32 has no digits left for the logarithm
        torch.testing.assert_close(found.double()[near], wanted[near], atol=4e-6, rtol=0)


def test_noise_never_changes_silently() -> None:
    """If this fails, runs no longer repeat: do not update the fixture without a new version."""
    found = normals(5, 0, [0, 12345, 2**40], (5,), CPU)
    torch.testing.assert_close(found, torch.tensor(GOLDEN), atol=2e-6, rtol=0)


def test_noise_of_old_plans_is_numpys_and_parts_are_parts() -> None:
    old, new = (Noise(3, range(4, 10), (2, 3), version) for version in (1, 2))
    assert torch.equal(old.on(CPU), batch_normals(3, range(4, 10), "noise", (2, 3)))
    assert not torch.equal(old.on(CPU), new.on(CPU))
    for noise in (old, new, old.ahead(CPU), new.ahead(CPU)):
        assert torch.equal(noise.part(slice(2, 5)).on(CPU), noise.on(CPU)[2:5])


def test_only_numpys_noise_is_made_ahead_for_other_devices() -> None:
    cuda = torch.device("cuda")
    old, new = (Noise(3, range(2), (2,), version).ahead(cuda) for version in (1, 2))
    assert old.made is not None
    assert new.made is None
