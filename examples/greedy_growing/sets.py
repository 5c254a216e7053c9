"""Make the two-resolution set: 64 objects, every other one stored at 32 px only.

Run ``python sets.py --out DIR``. The same arguments and the same Pillow give the same bytes.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from typer import Option
from webdataset import TarWriter
from webdataset.tariterators import group_by_keys, tar_file_expander

from growlang.atomic import whole

HERE = Path(__file__).resolve().parent
EMOJI = HERE.parent / "emoji" / "data"
sys.path.append(str(EMOJI.parent))

from prepare import IMAGES, NAMES, fetch, on_white, rank, read_emoji, read_names  # noqa: E402

OBJECTS = HERE / "objects.txt"
"""Captions, one a line. Those at even places are stored at 32 px only."""
SMALL, LARGE, LARGER = 32, 64, 128
"""Sides in pixels: of the core, and of the first and second generation grown from it."""


def shard(name: str, side: int = LARGE) -> str:
    """The file of a set: `objects` to train on, `reference`, `unseen`, `others`."""
    return f"{name}-00000.tar" if side == LARGE else f"{name}_{side}-00000.tar"


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


def unseen_places(data: Path, side: int = LARGE) -> list[int]:
    """The places of the objects that the training data has at 32 px only."""
    images = (image for _, image in read_shard(data / shard("objects", side)))
    return [place for place, image in enumerate(images) if image.width == SMALL]


def emoji() -> dict[str, Image.Image]:
    """The emoji at 128 px by their captions, in the order of their shards."""
    shards = sorted(EMOJI.glob("fluent-0*.tar"))
    return {name: image for path in shards for name, image in read_shard(path)}


def write_sets(
    out: Path,
    objects: Mapping[str, Image.Image],
    unseen: Collection[str],
    others: Mapping[str, Image.Image],
    side: int = LARGE,
) -> None:
    """Write the shards of one resolution.

    `objects` is what is trained on: those that are unseen at 32 px, the rest at `side`. `reference`
    has all of them at `side`, `unseen` those that are unseen, and `others` what is no object.
    """
    large = {name: resized(image, side) for name, image in objects.items()}
    training = {name: resized(objects[name], SMALL) for name in unseen}
    sets = {
        "objects": large | training,
        "reference": large,
        "unseen": {name: large[name] for name in unseen},
        "others": {name: resized(image, side) for name, image in others.items()},
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, images in sets.items():
        write_shard(out / shard(name, side), images)


def is_prepared(out: Path, side: int = LARGE) -> bool:
    """Whether all shards of one resolution are there: the last one is written last."""
    return (out / shard("others", side)).exists()


def require_sets(out: Path, side: int = LARGE) -> None:
    """Write the shards of the 64 objects unless they are there."""
    if not is_prepared(out, side):
        prepare(out, side)


def prepare(out: Path, side: int = LARGE) -> None:
    """Write the shards of the 64 objects. Raises KeyError for an object that no shard has."""
    found = emoji()
    captions = OBJECTS.read_text("utf-8").splitlines()
    objects = {name: found[name] for name in captions}
    others = {name: image for name, image in found.items() if name not in objects}
    write_sets(out, objects, captions[::2], others, side)


def fetched(
    folder: Path, images: Path | None, names: Path | None
) -> Iterator[tuple[str, str, Image.Image]]:
    """Base, caption and image (about 256 px) of all emoji that have a name, in a fixed order.

    npm fetches what is not given into the folder. The first of several with one caption counts.
    """
    table = read_names(names or fetch(NAMES, folder))
    every = read_emoji(images or fetch(IMAGES, folder), table)
    first = {one.caption: one for one in reversed([*every])}
    for caption in sorted(first, key=lambda caption: rank(0, caption)):
        yield first[caption].base, caption, on_white(first[caption].webp)


def prepare_large(out: Path, folder: Path, images: Path | None, names: Path | None) -> None:
    """Write the shards of all emoji: a tenth of their bases are `others`, half of the rest unseen.

    Raises typer.BadParameter if npm is needed and is not installed.
    """
    sides: dict[str, dict[str, Image.Image]] = {"others": {}, "unseen": {}, "seen": {}}
    for base, caption, image in fetched(folder, images, names):
        share = rank(1, base) / 2**64
        side = "others" if share < 0.1 else "unseen" if share < 0.55 else "seen"
        sides[side][caption] = resized(image, LARGER)
    write_sets(out, sides["unseen"] | sides["seen"], sides["unseen"], sides["others"])


def prepare_lineage(path: Path, folder: Path, images: Path | None, names: Path | None) -> None:
    """Write the 64 objects at 256 px, with how colourful each is, as one shard."""
    captions = OBJECTS.read_text("utf-8").splitlines()
    found = {name: resized(image, 256) for _, name, image in fetched(folder, images, names)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary, TarWriter(str(temporary), compress=False, mtime=0) as tar:
        for number, caption in enumerate(captions):
            about = {"colourfulness": colourfulness(found[caption])}
            parts = {"png": found[caption], "txt": caption, "json": about}
            tar.write({"__key__": f"{number:06d}", **parts})


def colourfulness(image: Image.Image) -> float:
    """Of an RGB image, from 0: Hasler and Suesstrunk's measure (2003) of values in [0, 1]."""
    red, green, blue = np.moveaxis(np.asarray(image, dtype=np.float64) / 255, -1, 0)
    a, b = red - green, (red + green) / 2 - blue
    return round(float(np.hypot(a.std(), b.std()) + 0.3 * np.hypot(a.mean(), b.mean())), 4)


def main(
    out: Annotated[Path, Option(help="Folder for the shards.")],
    side: Annotated[int, Option(help="Side of the large images in pixels.")] = LARGE,
) -> None:
    """Write what is trained on, and the same objects at the full resolution."""
    prepare(out, side)
    typer.echo(f"{out}: {', '.join(sorted(path.name for path in out.glob('*.tar')))}")


if __name__ == "__main__":
    typer.run(main)
