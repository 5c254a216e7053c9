"""Two processes on two cores against one with two threads, by whole runs of `growlang train`."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from PIL import Image

from benchmarks.measuring import ROOT, Result, ratio, show

STEPS, SKIPPED, PAIRS = 10, 3, 3
"""Steps of a run, those at its start that are not measured, and pairs of runs."""
BATCHES = {128: 1.0, 32: None}
"""Images of a step, and what two processes may take; few images leave less to hide messages in."""
WIDTH, COUNT = 256, 128
"""Width of the net, and images of the data."""
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


def seconds_per_step(folder: Path, batch: int, processes: int) -> float:
    """The median time of a step of a new run. Raises CalledProcessError if it fails."""
    out = folder / f"of_{batch}_{processes}"
    shutil.rmtree(out, ignore_errors=True)
    launcher = TWO if processes == 2 else ()
    settings = f"batch={batch}", f"phase.pretrain.for={STEPS}"
    command = [sys.executable, *launcher, "-m", "growlang", "train", "benchmarks/core_32.grow"]
    command += ["--data-root", str(folder), "--out", str(out), "--log-every", "1"]
    command += ["--checkpoint-minutes", "0", "--workers", "1", "--set", f"width={WIDTH}"]
    command += [word for text in settings for word in ("--set", f"train.{text}")]
    threads = {"OMP_NUM_THREADS": str(2 // processes)}
    subprocess.run(command, cwd=ROOT, env=os.environ | threads, check=True, capture_output=True)
    lines = map(json.loads, (out / "core_32/main/metrics.jsonl").read_text().splitlines())
    rates: list[float] = [line["images_per_s"] for line in lines if "images_per_s" in line]
    return batch / median(rates[SKIPPED:])


def measure() -> list[Result]:
    """The ratio of the times of a step, run after run in turn."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "pictures.tar")
        found = []
        for batch, limit in BATCHES.items():
            pairs = [
                (seconds_per_step(folder, batch, 2), seconds_per_step(folder, batch, 1))
                for _ in range(PAIRS)
            ]
            what = f"core_32 at width {WIDTH}, {batch} images a step"
            found.append(
                ratio("step: 2 processes of a thread / 1 process of 2 threads", pairs, limit, what)
            )
        return found


if __name__ == "__main__":
    show(measure())
