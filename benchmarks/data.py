"""Images from shards against webdataset with Pillow, and the indexing of shards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from webdataset import WebDataset

from benchmarks.measuring import ROOT, Result, ratio, result, show, taken
from benchmarks.photographs import encoded, write_shards
from growlang.net import grid
from growlang.spec.data import Crop, Resize, Source, Transform
from growlang.spec.data import WebDataset as Shards
from growlang_runtime.data.images import Images, Indexes

IMAGES = 48
PAIRS = 11
SIDE = 512
SAMPLES, PER_SHARD = 40_000, 2_500
"""Samples that are indexed: 16 shards of JPEGs of 256 pixels with a caption."""
LEAST = 15_000
"""Samples a second that two cores are to index."""


def plain(folder: Path, size: int) -> Callable[[], None]:
    """What one writes with webdataset and Pillow: decode, resize, tensor."""

    def tensor(image: Image.Image) -> torch.Tensor:
        if image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.LANCZOS)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1

    def read() -> None:
        data = WebDataset(str(folder / "00000.tar"), shardshuffle=False)
        pairs = data.decode("pil").to_tuple("jpg", "txt").map_tuple(tensor)
        torch.stack([image for image, _ in pairs])

    return read


def ours(folder: Path, size: int, decoder: str) -> Callable[[], None]:
    """The same by the runtime, in its random order."""
    source = Source(name="photographs", data=Shards(urls="00000.tar"))
    transform: list[Transform] = [Resize(size=size), Crop(size=size)]
    indexes = Indexes(folder, cache=folder / "cache")
    images = Images([source], transform, grid(3, size, size), 0, indexes, decoder=decoder)

    def read() -> None:
        images.batch(range(IMAGES))

    return read


def interleaved(one: Callable[[], None], other: Callable[[], None]) -> list[tuple[float, float]]:
    one()
    other()
    return [(taken(one), taken(other)) for _ in range(PAIRS)]


def decoding(folder: Path) -> list[Result]:
    """Time of our images over that of webdataset's, and of simplejpeg's over Pillow's."""
    images = encoded(IMAGES, SIDE)
    write_shards(folder, images, IMAGES, IMAGES)
    bytes_each = f"JPEGs of {sum(map(len, images)) / IMAGES / 1e3:.0f} kB"
    found = []
    for size, limit in ((64, 1 / 4), (256, 1 / 1.2), (SIDE, 1)):
        theirs, pillow = plain(folder, size), ours(folder, size, "pillow")
        name = f"images, {SIDE} -> {size} px: growlang / webdataset and Pillow"
        found.append(ratio(name, interleaved(pillow, theirs), limit, bytes_each))
    for size, more in ((64, 1 / 1.5), (256, 1 / 1.2), (SIDE, None)):
        fast, pillow = ours(folder, size, "simplejpeg"), ours(folder, size, "pillow")
        name = f"images, {SIDE} -> {size} px: simplejpeg / Pillow"
        found.append(ratio(name, interleaved(fast, pillow), more))
    return found


INDEX = """
import sys, time
from pathlib import Path
from growlang.spec.data import WebDataset
from growlang_runtime.data.index import open_index
from growlang_runtime.data.layout import Layout
import webdataset

folder, cache = map(Path, sys.argv[1:])
source = WebDataset(urls="*.tar")
start = time.perf_counter()
open_index(Layout.of(source), source.urls, folder, cache)
print(time.perf_counter() - start)
"""
READ = """
import sys, time
from pathlib import Path
from webdataset import WebDataset

shards = sorted(map(str, Path(sys.argv[1]).glob("*.tar")))
start = time.perf_counter()
for _ in WebDataset(shards, shardshuffle=False):
    pass
print(time.perf_counter() - start)
"""


def seconds(code: str, *arguments: Path) -> float:
    """What a script that measures itself prints: helpers are started beside it, not forked."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout)


def indexing(folder: Path) -> list[Result]:
    """Time to index shards with what cores there are, and to open them once they are."""
    write_shards(folder, encoded(64, 256), SAMPLES, PER_SHARD)
    made, read, opened = [], [], []
    for number in range(3):
        cache = folder / f"cache-{number}"
        made.append(seconds(INDEX, folder, cache))
        read.append(seconds(READ, folder))
        opened.append(seconds(INDEX, folder, cache))
    note = f"{SAMPLES / min(made):,.0f} samples/s at best, {os.cpu_count()} cores"
    pairs = list(zip(made, read, strict=True))
    each = [total / SAMPLES * 1e6 for total in made]
    again = [total * 1e3 for total in opened]
    return [
        result("indexing a sample of 16 shards", each, "us", 1e6 / LEAST, note),
        ratio("indexing shards / reading them with webdataset", pairs),
        result("opening 40,000 samples that are indexed", again, "ms", 100),
    ]


def measure() -> list[Result]:
    """Ratios on one thread; indexing with all cores."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / part for part in ("images", "shards")]
        for folder in folders:
            folder.mkdir()
        return [*decoding(folders[0]), *indexing(folders[1])]


if __name__ == "__main__":
    show(measure())
