"""Averages of other widths, made of those in a run's checkpoints (arXiv 2312.02696, 3.2)."""

from __future__ import annotations

import shutil
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from fixture_specs import growlang as command
from numpy.typing import NDArray

from growlang.diagnostics import GrowlangError
from growlang.spec.averages import Power
from growlang_runtime.storage.averaging import Profile, average, coefficients
from growlang_runtime.storage.weights import load
from growlang_runtime.train.ema import EMA

STORED = Path(__file__).parent.parent / "fixtures" / "runs" / "0.1"
STEPS = 64
NARROW, WIDE, BETWEEN = Power(sigma_rel=0.05), Power(sigma_rel=0.1), Power(sigma_rel=0.075)


def profile(power: Power, updates: int, of: int = STEPS) -> NDArray[np.float64]:
    """The share of every step in an average, as the runtime's own updates make it."""
    ema = EMA({"w": torch.zeros(of, dtype=torch.float64)}, {"w": 0})
    for step in range(updates):
        ema.update({"w": torch.eye(of, dtype=torch.float64)[step]}, power)
    found: NDArray[np.float64] = ema.averages["w"].numpy()
    return found


@pytest.mark.parametrize("width", [0.03, 0.05, 0.075, 0.1, 0.2])
def test_the_coefficients_are_those_of_least_squares_between_the_runtimes_profiles(
    width: float,
) -> None:
    times, wanted = (16, 32, 48, 64), Power(sigma_rel=width)
    stored = [(p, t) for t in times for p in (NARROW, WIDE)]
    found, distance = coefficients(
        [Profile(p.gamma, t) for p, t in stored], Profile(wanted.gamma, STEPS)
    )
    basis, goal = np.stack([profile(p, t) for p, t in stored]), profile(wanted, STEPS)
    differences, last = basis[:-1] - basis[-1], basis[-1]
    best = last + np.linalg.lstsq(differences.T, goal - last, rcond=None)[0] @ differences
    np.testing.assert_allclose(np.array(found) @ basis, best, atol=1e-6)
    expected = np.linalg.norm(best - goal) / np.linalg.norm(goal)
    assert sum(found) == pytest.approx(1, abs=1e-12)
    assert distance == pytest.approx(expected, abs=1e-5)
    assert expected < 0.04 or width in (0.03, 0.2)


def test_a_stored_width_is_itself() -> None:
    stored = [Profile(p.gamma, t) for t in (16, 64) for p in (NARROW, WIDE)]
    found, distance = coefficients(stored, Profile(WIDE.gamma, 64))
    assert found == pytest.approx([0, 0, 0, 1], abs=1e-6) and distance < 1e-6


def trained(folder: Path, averages: str) -> Path:
    """A run of 24 steps that keeps some averages, and all its checkpoints."""
    told = command(
        *("train", folder / "core_8.grow", "--out", folder / averages, "--data-root", folder),
        *("--set", "train.main.phase.main.for=24", "--set", f"train.main.ema=[{averages}]"),
        *("--set", "train.main.optimizer.lr=1e-2", "--checkpoint-every", "3"),
        *("--keep-checkpoints", "100", "--log-every", "100"),
    )
    assert told.status == 0, told.err
    return folder / averages / "core_8" / "main"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data and the spec of a run."""
    found = tmp_path_factory.mktemp("averaging")
    shutil.copytree(STORED / "data", found / "data")
    text = (STORED / "core_8.grow").read_text().split("evaluate")[0]
    (found / "core_8.grow").write_text(text)
    return found


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """One that keeps two widths."""
    return trained(folder, "power(0.05), power(0.1)")


@pytest.fixture(scope="module")
def tracked(folder: Path) -> Path:
    """One of the same weights that keeps the width between them."""
    return trained(folder, "power(0.075), power(0.1)")


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The distance of all weights."""
    assert one.keys() == other.keys()
    return sqrt(sum(float((one[n] - other[n]).square().sum()) for n in one))


def test_an_average_that_was_put_together_is_the_one_that_was_tracked(
    run: Path, tracked: Path, tmp_path: Path
) -> None:
    """Nearer than a fiftieth of what lies between it and the widths that were kept."""
    told = command("average", run, "--width", "0.075", "-o", tmp_path / "a.safetensors")
    assert told.status == 0, told.err
    assert "of 16 averages" in told.err
    made, wanted = load(tmp_path / "a.safetensors"), load(tracked)
    assert made.net.net_hash == wanted.net.net_hash
    neighbours = [load(run, ema=number).tensors for number in (0, 1)]
    off = apart(made.tensors, wanted.tensors)
    assert off < 0.02 * min(apart(other, wanted.tensors) for other in neighbours)


def test_an_earlier_step_is_made_of_what_there_was(
    run: Path, tracked: Path, tmp_path: Path
) -> None:
    done = average(Path(f"{run}@12"), 0.075, tmp_path / "a.safetensors")
    assert (done.step, done.snapshots) == (12, 8)
    then = load(Path(f"{tracked}@12"))
    made, before = load(tmp_path / "a.safetensors").tensors, load(Path(f"{run}@12")).tensors
    assert apart(made, then.tensors) < 0.05 * apart(before, then.tensors)


def test_a_width_that_was_kept_is_itself(run: Path, tmp_path: Path) -> None:
    average(run, 0.1, tmp_path / "a.safetensors")
    made, kept = load(tmp_path / "a.safetensors").tensors, load(run, ema=1).tensors
    assert all((made[name] - kept[name]).abs().max() < 1e-6 for name in kept)


def test_what_cannot_be_averaged_is_said(run: Path, tmp_path: Path) -> None:
    with pytest.raises(GrowlangError, match=r"at most 0\.25, not 0\.5"):
        average(run, 0.5, tmp_path / "a.safetensors")
    with pytest.raises(GrowlangError, match=r"does not end in \.safetensors"):
        average(run, 0.1, tmp_path / "a")
    with pytest.raises(GrowlangError, match="there is no run at"):
        average(tmp_path / "nothing", 0.1, tmp_path / "a.safetensors")
    (tmp_path / "there.safetensors").write_text("mine")
    with pytest.raises(GrowlangError, match="exists"):
        average(run, 0.1, tmp_path / "there.safetensors")
    with pytest.raises(GrowlangError, match="keeps no power-function average"):
        average(STORED / "runs" / "core_8" / "main", 0.1, tmp_path / "a.safetensors")
