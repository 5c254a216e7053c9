"""Runs that earlier versions wrote: they load, go on to the tensors that they had, and grow."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
import torch
from fixture_specs import Run, growlang
from safetensors.torch import load_file

RUNS = Path(__file__).parent.parent / "fixtures" / "runs"
VERSIONS = sorted(p.name for p in RUNS.iterdir() if (p / "expected").is_dir())
INTERRUPTED = [("core_8", "long"), ("grown_16", "main"), ("grown_16", "carry")]
TOLERANCE = {"atol": 1e-3, "rtol": 1e-3}
"""Between machines: other processors sum in another order, over some dozens of steps."""
ROUNDING = 1e-14
"""A second moment below this is of gradients that are rounding errors, such as those of a bias in
front of a norm: Adam makes whole steps of their signs, which no two kinds of processors share."""


@pytest.fixture(params=VERSIONS)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what a version wrote, to train in."""
    return Path(shutil.copytree(RUNS / request.param, tmp_path / "stored"))


def grow(folder: Path, *arguments: str) -> Run:
    with chdir(folder):
        done = growlang(*arguments)
    assert done.status == 0, done.err
    return done


def train(folder: Path, model: str, recipe: str, *more: str) -> str:
    flags = ["-r", recipe, "--log-every", "1000", "--workers", "1", *more]
    return " ".join(grow(folder, "train", f"{model}.grow", *flags).err.split())


def last(folder: Path, out: str, model: str, recipe: str) -> dict[str, torch.Tensor]:
    checkpoints = folder / out / model / recipe / "checkpoints"
    return load_file(max(checkpoints.glob("step_*")) / "state.safetensors")


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(("model", "recipe"), INTERRUPTED)
def test_an_interrupted_run_goes_on_to_the_tensors_that_it_had(
    stored: Path, model: str, recipe: str
) -> None:
    said = train(stored, model, recipe, "--resume")
    assert f"resumed runs/{model}/{recipe} at step" in said
    plan = json.loads((stored / "runs" / model / recipe / "plan.json").read_text())
    assert plan.get("draws", 1) == 1, "a run keeps the noise that it began with"
    resumed = last(stored, "runs", model, recipe)
    expected = load_file(stored / "expected" / f"{model}_{recipe}.safetensors")
    assert resumed.keys() == expected.keys()
    for name, value in expected.items():
        if not is_rounding(name, expected):
            torch.testing.assert_close(resumed[name], value, **TOLERANCE, msg=name)


def is_rounding(name: str, state: dict[str, torch.Tensor]) -> bool:
    """Whether a tensor is trained by rounding errors alone."""
    second = state.get(f"moment.second.{name.partition('.')[2]}")
    return second is not None and 0 < float(second.max()) < ROUNDING


def test_resumed_is_bit_for_bit_what_an_undisturbed_run_gives_here(stored: Path) -> None:
    """Both by this version, on this machine, from the beginning that the stored run had."""
    run = stored / "runs/grown_16/main"
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").mkdir()
    (run / "metrics.jsonl").unlink()
    often = ("--checkpoint-every", "12", "--keep-checkpoints", "9")
    train(stored, "grown_16", "main", "--resume", *often)
    whole = last(stored, "runs", "grown_16", "main")
    for later in [p for p in (run / "checkpoints").glob("step_*") if int(p.name[5:]) > 24]:
        shutil.rmtree(later)
    (run / "model.safetensors").unlink()
    assert "at step 24" in train(stored, "grown_16", "main", "--resume")
    assert equal(whole, last(stored, "runs", "grown_16", "main"))


def test_a_finished_run_is_complete_and_can_be_sampled_and_compared(stored: Path) -> None:
    assert "is finished: all 30 steps are done" in train(stored, "core_8", "main", "--resume")
    grow(stored, "sample", "runs/core_8/main", "-p", "shade 1", "-o", "grid.png")
    assert (stored / "grid.png").exists()
    assert "1 net" not in grow(stored, "diff", "core_8.grow", "runs/core_8/main").out
    assert "copied" in grow(stored, "diff", "runs/core_8/main", "grown_16.grow").out


def test_a_finished_run_can_be_grown_from(stored: Path) -> None:
    shutil.rmtree(stored / "runs/grown_16")
    train(stored, "grown_16", "main")
    weights = load_file(stored / "runs/grown_16/main/checkpoints/step_00000030/state.safetensors")
    parent = load_file(stored / "runs/core_8/main/model.safetensors")
    kept = {name: value for name, value in parent.items() if not name.startswith(("stem", "head"))}
    assert kept
    assert all(torch.equal(weights[f"model.{name}"], value) for name, value in kept.items())
