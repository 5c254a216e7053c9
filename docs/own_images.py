"""The folders of images that the pages show: shapes, drawn where the pages' commands are run."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

COLOURS = ("red", "orange", "gold", "green", "teal", "blue", "purple", "grey", "brown", "black")
SHAPES = ("circle", "square", "triangle")
SIZE = 64
"""Sides of an image, in pixels."""


def write_folders(folder: Path) -> None:
    """Write `shapes/`, with a caption beside each image, and `photos/` with `photos.csv`."""
    rows = ["file,caption,shape"]
    for number, (shape, colour) in enumerate((s, c) for s in SHAPES for c in COLOURS):
        caption = f"a {colour} {shape}"
        image = _drawn(shape, colour)
        for path in (Path("shapes", shape, f"{colour}.png"), Path("photos", f"{number:03}.jpg")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            image.save(folder / path)
        (folder / "shapes" / shape / f"{colour}.txt").write_text(caption)
        rows.append(f"{number:03}.jpg,{caption},{shape}")
    (folder / "photos.csv").write_text("\n".join(rows) + "\n")


def _drawn(shape: str, colour: str) -> Image.Image:
    image = Image.new("RGB", (SIZE, SIZE), "white")
    pen = ImageDraw.Draw(image)
    box = (SIZE // 6, SIZE // 6, SIZE * 5 // 6, SIZE * 5 // 6)
    match shape:
        case "circle":
            pen.ellipse(box, fill=colour)
        case "square":
            pen.rectangle(box, fill=colour)
        case _:
            left, top, right, bottom = box
            pen.polygon([(SIZE / 2, top), (left, bottom), (right, bottom)], fill=colour)
    return image
