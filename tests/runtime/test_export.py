"""Exports: files of weights, and folders that diffusers loads alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import plan, train, write_data
from torch import Tensor

import growlang
from growlang.spec.recipe import Sample
from growlang.spec.samplers import DDIM
from growlang_runtime.sample import sample

DRAW = Path(__file__).parent.parent / "fixtures" / "export" / "draw.py"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose sampler and guidance use all that can be set."""
    folder = write_data(tmp_path_factory.mktemp("data"))
    said = Sample(
        sampler=DDIM(steps=4, eta=0.5),
        guidance=3.0,
        guidance_interval=[0.3, 1.0],
        guidance_rescale=0.7,
        prompts=["red", "blue sky"],
    )
    return train(plan(sample=said), folder, quiet=True).run


def by_diffusers(folders: list[Path], tmp_path: Path, **asked: Any) -> dict[str, Any]:
    """What diffusers draws with folders, in an interpreter that cannot import growlang."""
    result = tmp_path / "drawn.pt"
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "HF_MODULES_CACHE": str(tmp_path / "modules"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, DRAW, json.dumps([*map(str, folders)]), result],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = torch.load(result)
    return found | {"stderr": done.stderr}


def apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


def test_diffusers_draws_the_same_images_alone(run: Path, tmp_path: Path) -> None:
    """Two exports side by side, one of other weights, and a copy that the pipeline saves."""
    done = growlang.export(run, "diffusers", tmp_path / "out", license="mit")
    older = growlang.export(f"{run}@4", "diffusers", tmp_path / "older", ema=False, sampler="heun")
    prompts = ["red", "", "blue sky"]
    found = by_diffusers(
        [done.path, older.path], tmp_path, prompt=prompts, seed=3, copy=str(tmp_path / "copy")
    )
    wanted = [
        sample(run, prompts=prompts, seed=3).tensor,
        sample(
            run / "checkpoints/step_00000004", prompts=prompts, seed=3, ema=False, sampler="heun"
        ).tensor,
    ]
    images = found["images"]
    assert apart(images[0], wanted[0]) < 1e-4
    assert apart(images[1], wanted[1]) < 1e-4
    assert apart(images[0], images[1]) > 1e-3
    assert torch.equal(images[2], images[0]), "the pipeline's own copy"
    assert found["shown"] == [(8, 8), "L"]
    assert (tmp_path / "copy" / "spec.grow").exists()
