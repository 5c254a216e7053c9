"""Make the two-resolution set: 64 objects, every other one stored at 32 px, the rest at 64 px.

Run ``python prepare.py --out DIR``. The same arguments and the same Pillow give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from typer import Option
from webdataset import TarWriter
from webdataset.tariterators import group_by_keys, tar_file_expander

from growlang.atomic import whole

HERE = Path(__file__).resolve().parent
EMOJI = HERE.parent / "emoji" / "data"
SHARDS = sorted(EMOJI.glob("fluent-0*.tar"))
OBJECTS = (HERE / "objects.txt").read_text("utf-8").split("\n")[:-1]
"""Captions. Those at even places are stored at 32 px only."""
SMALL, LARGE = 32, 64
"""Sides in pixels."""
TRAINING, REFERENCE = "objects-00000.tar", "reference-00000.tar"
"""What the models train on, and the same objects at 64 px, all of them."""


def read_shard(path: Path) -> Iterator[tuple[str, Image.Image]]:
    """Captions and images (RGB) of a shard, in its order."""
    with path.open("rb") as file:
        source = {"url": str(path), "stream": file}
        for sample in group_by_keys(tar_file_expander([source])):
            encoded = sample.get("png") or sample["webp"]
            with Image.open(io.BytesIO(encoded)) as image:
                yield sample["txt"].decode(), image.convert("RGB")


def write_shard(path: Path, images: Mapping[str, Image.Image]) -> None:
    """Write PNG images and their captions as one shard, whole or not at all."""
    with whole(path) as temporary, TarWriter(str(temporary), compress=False, mtime=0) as tar:
        for number, (caption, image) in enumerate(images.items()):
            tar.write({"__key__": f"{number:06d}", "png": image, "txt": caption})


def resized(image: Image.Image, side: int) -> Image.Image:
    """The image at a side of so many pixels."""
    return image.resize((side, side), Image.Resampling.LANCZOS)


def prepare(out: Path, emoji: Path = EMOJI) -> None:
    """Write the two shards into a folder. Raises KeyError for an object that no shard has."""
    shards = sorted(emoji.glob("fluent-0*.tar"))
    found = {name: image for shard in shards for name, image in read_shard(shard)}
    sides = [SMALL if place % 2 == 0 else LARGE for place in range(len(OBJECTS))]
    out.mkdir(parents=True, exist_ok=True)
    write_shard(
        out / TRAINING,
        {name: resized(found[name], side) for name, side in zip(OBJECTS, sides, strict=True)},
    )
    write_shard(out / REFERENCE, {name: resized(found[name], LARGE) for name in OBJECTS})


def main(
    out: Annotated[Path, Option(help="Folder for the shards.")],
    emoji: Annotated[Path, Option(help="Folder of the emoji's shards.")] = EMOJI,
) -> None:
    """Write the shard that is trained on, and the one with the true 64 px images."""
    prepare(out, emoji)
    for name in (TRAINING, REFERENCE):
        typer.echo(f"{out / name}: {len(OBJECTS)} objects")


if __name__ == "__main__":
    typer.run(main)
