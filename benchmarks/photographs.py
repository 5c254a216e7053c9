"""Shards of photographs for the benchmarks of data: crops of the two in scikit-learn, as JPEGs."""

from __future__ import annotations

import io
import random
from pathlib import Path

import sklearn
from PIL import Image
from webdataset import ShardWriter

NAMES = ("china.jpg", "flower.jpg")


def encoded(count: int, side: int, quality: int = 75, seed: int = 0) -> list[bytes]:
    """JPEGs of `side` pixels: random squares of 300 to 427 pixels of photographs of 640 x 427.

    The quality is Pillow's default; with more bytes, all of which are decoded, less is gained.
    """
    folder = Path(sklearn.__file__).parent / "datasets" / "images"
    photographs = [Image.open(folder / name).convert("RGB") for name in NAMES]
    draw = random.Random(seed)
    found = []
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        crop = draw.randint(300, photograph.height)
        left = draw.randint(0, photograph.width - crop)
        top = draw.randint(0, photograph.height - crop)
        box = (left, top, left + crop, top + crop)
        image = photograph.resize((side, side), Image.Resampling.LANCZOS, box)
        data = io.BytesIO()
        image.save(data, "jpeg", quality=quality)
        found.append(data.getvalue())
    return found


def write_shards(folder: Path, images: list[bytes], samples: int, per_shard: int) -> None:
    """`00000.tar` and on: samples with one of the images and a caption, as webdataset writes."""
    pattern = str(folder / "%05d.tar")
    with ShardWriter(pattern, maxcount=per_shard, verbose=0) as writer:
        for number in range(samples):
            image = images[number % len(images)]
            caption = f"a photograph, number {number}"
            writer.write({"__key__": f"{number:08d}", "jpg": image, "txt": caption})
