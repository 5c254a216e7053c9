"""How recognisable the samples of a run are: by the drawings, and by a classifier of others.

Run `python recognition.py RUN --drawings DIR`, with what `draw.py` wrote. One sample is drawn for
each caption. Retrieval@1 counts those whose nearest drawing is the caption's own. The classifier
is a small CNN, trained on drawings that no model has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import typer
from draw import COLOURS, SHAPES, drawings
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from typer import Argument, Option

import growlang
from growlang_runtime.evaluation.retrieval import matches, nearest

SIDE = 32
"""Sides, in pixels, at which the classifier reads images, and at which drawings are compared."""
STEPS, BATCH, DRAWN = 400, 64, 2000
"""How the classifier is trained."""
CLASSES = [f"{colour} {shape}" for shape in SHAPES for colour in COLOURS]


class Scores(NamedTuple):
    """Of one sample for each caption, how many show what it says."""

    prompts: int
    retrieved: int
    """Nearest to the drawing of their caption."""
    shape: int
    colour: int
    both: int
    """As the classifier sees them."""


def pixels(images: Sequence[Image.Image], side: int) -> Tensor:
    """Images as (N, 3, side, side) in [-1, 1]."""
    resized = (image.convert("RGB").resize((side, side), Image.Resampling.BOX) for image in images)
    rows = [torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8) for image in resized]
    return torch.stack(rows).view(-1, side, side, 3).permute(0, 3, 1, 2) / 127.5 - 1


def classifier() -> nn.Module:
    """A CNN of colours and shapes, trained on drawings with a seed that no model trains on."""
    torch.manual_seed(0)
    made = list(drawings(DRAWN, 64, seed=1))
    images = pixels([drawing.image for drawing in made], SIDE)
    labels = torch.tensor([CLASSES.index(drawing.caption) for drawing in made])
    widths = (3, 32, 64, 128)
    layers = [
        layer
        for i, o in pairwise(widths)
        for layer in (nn.Conv2d(i, o, 3, stride=2, padding=1), nn.BatchNorm2d(o), nn.ReLU())
    ]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, len(SHAPES) + len(COLOURS)))
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3)
    for _ in range(STEPS):
        rows = torch.randint(DRAWN, (BATCH,))
        noisy = images[rows] + 0.1 * torch.randn(BATCH, 3, SIDE, SIDE)
        shape, colour = net(noisy).split([len(SHAPES), len(COLOURS)], dim=1)
        wanted = labels[rows]
        loss = cross_entropy(shape, wanted // len(COLOURS))
        loss = loss + cross_entropy(colour, wanted % len(COLOURS))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return net.eval()


@torch.no_grad()
def classified(net: nn.Module, images: Tensor, captions: Sequence[str]) -> tuple[int, int, int]:
    """How many images have the shape of their caption, the colour, and both."""
    shape, colour = net(images).split([len(SHAPES), len(COLOURS)], dim=1)
    wanted = torch.tensor([CLASSES.index(caption) for caption in captions])
    right_shape = shape.argmax(1) == wanted // len(COLOURS)
    right_colour = colour.argmax(1) == wanted % len(COLOURS)
    both = right_shape & right_colour
    return int(right_shape.sum()), int(right_colour.sum()), int(both.sum())


def scores(
    net: nn.Module,
    samples: Sequence[Image.Image],
    drawn: Sequence[Image.Image],
    captions: Sequence[str],
) -> Scores:
    """The scores of samples, each for the caption of the drawing at its place."""
    places = nearest(pixels(samples, SIDE), pixels(drawn, SIDE))
    found = matches([captions[place] for place in places], captions)
    return Scores(len(captions), found, *classified(net, pixels(samples, SIDE), captions))


def sheet(images: Sequence[Image.Image], columns: int = 10, cell: int = 64) -> Image.Image:
    """The images in rows."""
    rows = -(-len(images) // columns)
    found = Image.new("RGB", (columns * (cell + 2), rows * (cell + 2)), "white")
    for number, image in enumerate(images):
        place = number % columns * (cell + 2), number // columns * (cell + 2)
        found.paste(image.resize((cell, cell), Image.Resampling.NEAREST), place)
    return found


def main(
    runs: Annotated[list[Path], Argument(help="Runs, or files of weights.")],
    folder: Annotated[Path, Option("--drawings", help="What draw.py wrote, with captions.")],
    output: Annotated[Path | None, Option(help="Folder for a sheet of samples a run.")] = None,
    guidance: Annotated[float | None, Option(help="Instead of the spec's.")] = None,
) -> None:
    """Print the scores of runs, and those of other drawings, which nothing exceeds."""
    paths = sorted(folder.rglob("*.png"))
    captions = [path.with_suffix(".txt").read_text("utf-8").strip() for path in paths]
    drawn = [Image.open(path) for path in paths]
    net = classifier()
    others = {d.caption: d.image for d in drawings(len(CLASSES), 64, seed=2)}
    print("other drawings", scores(net, [others[c] for c in captions], drawn, captions))
    for run in runs:
        samples = growlang.sample(run, captions, guidance=guidance, batch=50)
        print(run, scores(net, samples, drawn, captions), flush=True)
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
            sheet(samples).save(output / f"{run.parent.name}_{run.name}.png")


if __name__ == "__main__":
    typer.run(main)
