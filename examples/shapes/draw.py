"""Draw shapes with captions: a folder of images as somebody might have one.

Run ``python draw.py --out DIR``. The same arguments and the same Pillow give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Annotated, NamedTuple

import typer
from PIL import Image, ImageDraw
from typer import Option

Point = tuple[float, float]

COLOURS = {
    "red": (214, 39, 40),
    "orange": (255, 140, 0),
    "yellow": (240, 205, 30),
    "green": (44, 150, 60),
    "cyan": (60, 195, 215),
    "blue": (35, 85, 200),
    "purple": (125, 60, 170),
    "pink": (245, 130, 190),
    "brown": (130, 80, 45),
    "grey": (120, 120, 120),
}
FINER = 4
"""Times the size at which a drawing is made; scaled down, its edges are smooth."""


class Layout(StrEnum):
    """How a folder says what its images show."""

    captions = "captions"
    """`red_circle_0.png` with `red_circle_0.txt` beside it."""
    folders = "folders"
    """`circle/red_0.png`: a folder for each shape."""


class Drawing(NamedTuple):
    """One image (RGB), and what it shows."""

    colour: str
    shape: str
    image: Image.Image

    @property
    def caption(self) -> str:
        """Such as `red circle`."""
        return f"{self.colour} {self.shape}"


def polygon(*radii: float, count: int, turn: float = 0.0) -> list[Point]:
    """Corners around the origin, the first at the top; their radii repeat."""
    angles = [math.tau * (i / count - 0.25) + turn for i in range(count)]
    return [
        (radii[i % len(radii)] * math.cos(a), radii[i % len(radii)] * math.sin(a))
        for i, a in enumerate(angles)
    ]


def heart() -> list[Point]:
    """The curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, within a circle."""
    points = []
    for i in range(60):
        t = math.tau * i / 60
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((math.sin(t) ** 3, -y / 16))
    return points


def moon() -> list[Point]:
    """A crescent: an arc of the circle, and back along a flatter one."""
    outer = [math.tau * (0.12 + 0.76 * i / 40) for i in range(41)]
    rim = [(math.cos(a), math.sin(a)) for a in outer]
    inner = [(0.45 + 0.68 * math.cos(a), 0.88 * math.sin(a)) for a in reversed(outer)]
    return rim + inner


SHAPES: dict[str, Sequence[Point]] = {
    "circle": polygon(0.9, count=60),
    "square": polygon(1.1, count=4, turn=math.pi / 4),
    "triangle": polygon(1.1, count=3),
    "hexagon": polygon(1.0, count=6),
    "star": polygon(1.1, 0.45, count=10),
    "cross": polygon(1.05, 0.38, 1.05, count=12, turn=-0.32),
    "heart": heart(),
    "moon": moon(),
    "arrow": [(-1, -0.3), (0.1, -0.3), (0.1, -0.8), (1, 0), (0.1, 0.8), (0.1, 0.3), (-1, 0.3)],
    "ring": polygon(1.0, count=60),
}
"""Outlines within about the unit circle, y downwards; a ring has a hole of half its size."""


def draw(colour: str, shape: str, size: int, random: Random) -> Image.Image:
    """One shape on white with a dark outline; its place, size and turn vary a little."""
    side = size * FINER
    image = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(image)
    radius = side * random.uniform(0.28, 0.36)
    x, y = (side / 2 + side * random.uniform(-0.06, 0.06) for _ in range(2))
    turn = random.uniform(-0.15, 0.15)
    cos, sin = radius * math.cos(turn), radius * math.sin(turn)

    def placed(scale: float = 1.0) -> list[Point]:
        return [
            (x + scale * (cos * a - sin * b), y + scale * (sin * a + cos * b))
            for a, b in SHAPES[shape]
        ]

    fill = COLOURS[colour]
    dark = tuple(value // 2 for value in fill)
    width = side // 32
    pen.polygon(placed(), fill=fill)
    pen.line([*placed(), *placed()[:2]], fill=dark, width=width, joint="curve")
    if shape == "ring":
        pen.polygon(placed(0.5), fill="white")
        pen.line([*placed(0.5), *placed(0.5)[:2]], fill=dark, width=width, joint="curve")
    return image.resize((size, size), Image.Resampling.LANCZOS)


def drawings(count: int, size: int, seed: int) -> Iterator[Drawing]:
    """Drawings of all colours and shapes in turn, until there are `count`."""
    random = Random(seed)
    pairs = [(colour, shape) for shape in SHAPES for colour in COLOURS]
    for number in range(count):
        colour, shape = pairs[number % len(pairs)]
        yield Drawing(colour, shape, draw(colour, shape, size, random))


def write(drawing: Drawing, number: int, layout: Layout, out: Path) -> None:
    """Write one drawing into a folder as its layout says."""
    if layout is Layout.folders:
        path = out / drawing.shape / f"{drawing.colour}_{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
    else:
        path = out / f"{drawing.colour}_{drawing.shape}_{number}.png"
        path.with_suffix(".txt").write_text(f"{drawing.caption}\n", "utf-8")
    drawing.image.save(path)


def main(
    out: Annotated[Path, Option(help="Folder for the images.")],
    count: Annotated[int, Option(min=1, help="How many; 100 are all colours and shapes.")] = 100,
    size: Annotated[int, Option(min=8, help="Side in pixels.")] = 64,
    layout: Annotated[Layout, Option(help="Captions beside the images, or a folder a shape.")] = (
        Layout.captions
    ),
    seed: Annotated[int, Option(help="Seed of places, sizes and turns.")] = 0,
) -> None:
    """Draw shapes into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for number, drawing in enumerate(drawings(count, size, seed)):
        write(drawing, number // (len(COLOURS) * len(SHAPES)), layout, out)
    typer.echo(f"{out}: {count} drawings of {size} x {size} pixels")


if __name__ == "__main__":
    typer.run(main)
