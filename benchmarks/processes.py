"""Two processes on two cores against one with two threads, by whole runs of `growlang train`."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from PIL import Image

from benchmarks.measuring import ROOT, Result, ratio, show

STEPS, SKIPPED, PAIRS = 24, 4, 3
"""Steps of a run, those at its start that are not measured, and pairs of runs."""
BATCH, WIDTH, COUNT = 32, 256, 64
"""Images of a step, width of the net, and images of the data."""
TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def write_images(path: Path) -> None:
    """Shards of noise with captions: what is read costs the same in both."""
    generator = torch.Generator().manual_seed(0)
    with tarfile.open(path, "w") as tar:
        for i in range(COUNT):
            pixels = torch.randint(0, 256, (32, 32, 3), generator=generator, dtype=torch.uint8)
            data = io.BytesIO()
            Image.fromarray(pixels.numpy()).save(data, "jpeg")
            for ending, content in (("jpg", data.getvalue()), ("txt", b"image %d" % i)):
                info = tarfile.TarInfo(f"{i:03d}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def seconds_per_step(folder: Path, out: str, processes: int) -> float:
    """The median time of a step of a new run. Raises CalledProcessError if it fails."""
    launcher = TWO if processes == 2 else ()
    settings = f"batch={BATCH}", f"phase.pretrain.for={STEPS}"
    command = [sys.executable, *launcher, "-m", "growlang", "train", "benchmarks/core_32.grow"]
    command += ["--data-root", str(folder), "--out", str(folder / out), "--log-every", "1"]
    command += ["--checkpoint-minutes", "0", "--workers", "1", "--set", f"width={WIDTH}"]
    command += [word for text in settings for word in ("--set", f"train.{text}")]
    threads = {"OMP_NUM_THREADS": str(2 // processes)}
    subprocess.run(command, cwd=ROOT, env=os.environ | threads, check=True, capture_output=True)
    lines = map(json.loads, (folder / out / "core_32/main/metrics.jsonl").read_text().splitlines())
    rates = [line["images_per_s"] for line in lines if "images_per_s" in line]
    return BATCH / median(rates[SKIPPED:])


def measure() -> list[Result]:
    """The ratio of the times of a step, run after run in turn."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "pictures.tar")
        pairs = [
            (
                seconds_per_step(folder, f"two_{i}", 2),
                seconds_per_step(folder, f"one_{i}", 1),
            )
            for i in range(PAIRS)
        ]
    what = f"core_32 at width {WIDTH}, {BATCH} images a step"
    return [ratio("step: 2 processes of a thread / 1 process of 2 threads", pairs, 1, what)]


if __name__ == "__main__":
    show(measure())
