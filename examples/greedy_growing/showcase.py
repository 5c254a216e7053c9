"""One picture: objects never seen at 64 or 128 px, as they are and as each way draws them.

Run `make showcase` after `make proof`; `make proof-full` draws that of 128 px.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from arms import HALF, Arm
from cells import Cell
from metrics import upsampled
from pictures import write_rows
from samples import captions_of, images_of, path_of, read
from sets import LARGE, shard, unseen_places
from typer import Option

SHOWN = 10
"""The first objects of the list that no arm saw at that size, whatever they look like."""
ROWS = {
    "core at 32 px": (Arm.core, str(Arm.core)),
    "from scratch": (Arm.scratch, str(Arm.scratch)),
    "the paper's\nrecipe": (Arm.greedy, str(Arm.greedy)),
    "retain": (Arm.retain, HALF),
}


def main(
    out: Annotated[Path, Option(help="Folder of `measure.py`.")] = Path("runs/greedy_growing"),
    picture: Annotated[Path, Option(help="Where to write it.")] = Path(
        "docs/images/greedy_growing.png"
    ),
    seed: Annotated[int, Option(help="Of the runs that drew.")] = 0,
    side: Annotated[int, Option(help="Of the images in pixels: 64, or 128.")] = LARGE,
) -> None:
    """Write the picture from the samples of a seed: the first draw of each object."""
    data = out / "data"
    places = unseen_places(data, side)[:SHOWN]
    captions = captions_of(data)
    rows = {"real": images_of(data / shard("reference", side))[places]}
    for label, (arm, drawing) in ROWS.items():
        drawn = read(path_of(Cell(arm, seed, side=side), drawing, out), len(captions))
        rows[label] = upsampled(drawn[places, 0], side)
    write_rows(rows, [captions[place] for place in places], picture)
    typer.echo(f"{picture}: rows {', '.join(rows)}; seed {seed}".replace("\n", " "))


if __name__ == "__main__":
    typer.run(main)
