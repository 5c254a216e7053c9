"""Numbers of samples from the data to the images: training, grids, and what sampling is told."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import growlang
from growlang.cli import app
from growlang.diagnostics import GrowlangError
from growlang.torch_backend.verification import draws

SPEC = Path(__file__).parent.parent / "fixtures" / "export" / "numbers.grow"
WriteTar = Callable[[str, Mapping[str, bytes]], Path]


@pytest.fixture
def run(tmp_path: Path, write_tar: WriteTar) -> Path:
    """A run of one step."""
    members: dict[str, bytes] = {}
    for i in range(4):
        file = io.BytesIO()
        Image.new("RGB", (8, 8), (60 * i, 0, 0)).save(file, "JPEG")
        members |= {f"{i}.jpg": file.getvalue(), f"{i}.cls": str(i % 2).encode()}
        members[f"{i}.json"] = json.dumps({"score": i / 2}).encode()
    write_tar("a.tar", members)
    text = SPEC.read_text()
    spec = tmp_path / "numbers.grow"
    spec.write_text(
        text.replace("batch = 2", "batch = 2\n  ema = 0.1").replace("for 1\n", "for 2\n")
    )
    growlang.train(spec, out=tmp_path / "runs", device="cpu")
    return tmp_path / "runs" / "numbers" / "main"


def test_a_run_with_numbers_trains_and_is_sampled(run: Path) -> None:
    (grid,) = (run / "samples").glob("*.png")
    with Image.open(grid) as image:
        assert image.width > 8, "a grid of the first images, with their numbers"
    assert len(growlang.sample(run, ["circle"], numbers={"score": 1}).tensor) == 1


def test_what_is_drawn_depends_on_the_numbers() -> None:
    spec = growlang.load(SPEC)
    weights = draws.weights(spec.net, 0)
    low, high, usual, size = (
        growlang.sample(spec, ["circle"], weights=weights, numbers=numbers).tensor
        for numbers in ({"score": 0.5}, {"score": [7.5]}, None, {"size": (8, 8)})
    )
    assert not torch.equal(low, high)
    assert not torch.equal(low, usual), "without a number, it is the null"
    assert torch.equal(usual, size), "sizes are those of the model's images"
    with pytest.raises(GrowlangError, match="must be numbers by the names"):
        growlang.sample(spec, ["circle"], weights=weights, numbers={"score": "high"})  # type: ignore[dict-item]


def test_numbers_without_names_are_refused() -> None:
    spec = growlang.load(SPEC)
    given: Any = [16, 16]
    with pytest.raises(GrowlangError, match=r"by the names of conditions: \[16, 16\] has no names"):
        growlang.sample(spec, ["circle"], weights=draws.weights(spec.net, 0), numbers=given)
    with pytest.raises(GrowlangError, match="has no names"):
        growlang.conditions(spec)("circle", given)


def test_numbers_are_given_with_a_command(run: Path, tmp_path: Path) -> None:
    def said(*arguments: str) -> tuple[int, str]:
        where = ["-o", str(tmp_path / "grid.png"), "--device", "cpu"]
        result = CliRunner().invoke(app, ["sample", str(run), "-p", "circle", *where, *arguments])
        return result.exit_code, str(result.exception or result.output)

    status, out = said("--number", "score=6.5", "--number", "size=8,8")
    assert (status, out.split()[-1]) == (0, str(tmp_path / "grid.png"))
    status, out = said("--number", "size=8", "--number", "size=8")
    assert status and "`--number` gives `size` twice" in out, out
    for option, message in [
        ("score=high", "`--number score=high` gives no number"),
        ("score", "`--number score` gives no number"),
        ("size=8", "`size` reads `height`, `width`, and 1 number is given"),
        ("kind=1", "`kind` reads no numbers"),
    ]:
        status, out = said("--number", option)
        assert status and message in out, out
