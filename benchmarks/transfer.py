"""`growlang grow` of a sharded checkpoint on the disk, against `cp` and what else rewrites one.

`python -m benchmarks.transfer [GIGABYTES] [--mergekit PYTHON]`, by default 4; it writes five times
as much below the temporary folder. mergekit is measured with a Python that has it.

An exact widening is measured at that size and at twice that, and its limit is over writing the
bytes until they are on the disk. Linux begins to write when a tenth of the memory waits for the
disk, and lets processes wait at about a fifth: with less, `cp` ends when it has copied in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import NamedTuple

from benchmarks import merging
from benchmarks.measuring import ROOT, Result, environment, ratio, result, show
from growlang.checking import check
from growlang.net import Net
from growlang.plans.tensor_file import header_bytes

PARENT = Path("benchmarks/transferred_parent.grow")
KEPT, WIDE = Path("benchmarks/transferred_kept.grow"), Path("benchmarks/transferred_wide.grow")
BLOCK_BYTES, WIDE_BLOCK_BYTES = 151_000_000, 126_000_000
"""Of a block in bf16 at width 2048: of the parent's transformer, and of one that was half as wide,
whose time embedding has not grown."""
SHARD = 1_000_000_000
WIDENED = 1.5
"""Most times what it takes to write a child's bytes to the disk."""
ROUNDS = 3
LIBRARY = (
    "import sys, glob, os; from safetensors.torch import load_file, save_file\n"
    "os.makedirs(sys.argv[2])\n"
    "for f in sorted(glob.glob(sys.argv[1] + '/*.safetensors')):\n"
    "    save_file(load_file(f), os.path.join(sys.argv[2], os.path.basename(f)))\n"
)
PICKLED = (
    "import sys, glob, os, torch\nos.makedirs(sys.argv[2])\n"
    "for f in sorted(glob.glob(sys.argv[1] + '/*.bin')):\n"
    "    torch.save(torch.load(f, weights_only=True), sys.argv[2] + '/' + os.path.basename(f))\n"
)
PICKLE = (
    "import sys, glob, torch; from safetensors.torch import load_file\n"
    "for f in sorted(glob.glob(sys.argv[1] + '/*.safetensors')):\n"
    "    torch.save(load_file(f), f.replace('.safetensors', '.bin'))\n"
)


class Taken(NamedTuple):
    """What a process took."""

    seconds: float
    peak: float
    """MiB of resident memory at most."""
    worked: float
    """Seconds of processor time, of the process and of the system for it."""


def process(command: Sequence[str | Path]) -> Taken:
    """Run a process. Raises RuntimeError if it fails."""
    start = time.perf_counter()
    texts = [*map(str, command)]
    with open(os.devnull, "w") as nowhere:
        child = subprocess.Popen(texts, cwd=ROOT, env=environment(), stdout=nowhere)
        _, status, used = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(texts)} failed")
    seconds = time.perf_counter() - start
    return Taken(seconds, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime)


def growlang(parent: Path, child: Path, out: Path, *more: str) -> list[str | Path]:
    command: list[str | Path] = [sys.executable, "-m", "growlang", "grow", parent, child, "-o", out]
    return [*command, "--shard-size", str(SHARD), *more]


def write_parent(net: Net, folder: Path) -> None:
    """The tensors of a net, as `write_tensors` writes them."""
    write_tensors({name: tensor.shape for name, tensor in net.table.items()}, folder)


def write_tensors(shapes: Mapping[str, tuple[int, ...]], folder: Path) -> None:
    """Files of finite numbers in bf16, with their index, as `transformers` writes them."""
    folder.mkdir()
    piece = bytearray(os.urandom(1 << 24))
    piece[1::2] = bytes(byte & 0xBF for byte in piece[1::2])
    groups: list[list[str]] = [[]]
    size = 0
    for name, shape in shapes.items():
        if groups[-1] and size + 2 * prod(shape) > SHARD:
            groups.append([])
            size = 0
        groups[-1].append(name)
        size += 2 * prod(shape)
    places: dict[str, str] = {}
    for number, names in enumerate(groups, 1):
        file = folder / f"model-{number:05}-of-{len(groups):05}.safetensors"
        start, _ = header_bytes({n: ("BF16", shapes[n]) for n in names}, {"format": "pt"})
        with file.open("wb") as opened:
            opened.write(start)
            left = sum(2 * prod(shapes[n]) for n in names)
            while left:
                left -= opened.write(piece[: min(left, len(piece))])
        places |= dict.fromkeys(names, file.name)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def fresh(folder: Path, source: Path, work: Callable[[], Taken], flushed: bool = False) -> Taken:
    """What a process takes that reads a folder and writes one, which is new.

    What it reads is in memory, and nothing is left to flush. If `flushed`, it takes until all is on
    the disk; otherwise until the system has it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    os.sync()
    process(["cat", *source.iterdir()])
    taken = work()
    if flushed:
        start = time.perf_counter()
        os.sync()
        taken = taken._replace(seconds=taken.seconds + time.perf_counter() - start)
    shutil.rmtree(folder)
    return taken


def measure(gigabytes: float, folder: Path) -> list[Result]:
    """Pairs of a transfer and `cp` of what it wrote; then the peers; then an exact widening."""
    blocks = max(1, round(gigabytes * 1e9 * 0.92 / BLOCK_BYTES))
    kept, small = _kept(blocks, folder), _widened(gigabytes, folder)
    return [*kept, *small, *_widened(2 * gigabytes, folder)]


def _kept(blocks: int, folder: Path) -> list[Result]:
    settings = {"blocks": str(blocks)}
    parent, child = folder / "parent", folder / "child.grow"
    text = (ROOT / KEPT).read_text()
    grows = f'grows "{ROOT / PARENT}" (blocks = {blocks})'
    child.write_text(text.replace('grows "transferred_parent.grow"', grows))
    write_parent(check(ROOT / PARENT, settings).require(PARENT).net, parent)
    out, copy = folder / "out", folder / "copy"
    process(growlang(parent, child, out))
    size = f"{sum(f.stat().st_size for f in out.iterdir()) / 1e9:.2f} GB"
    grown, copied, library = list[Taken](), list[Taken](), list[Taken]()
    for _ in range(ROUNDS):
        copied.append(fresh(copy, out, lambda: process(["cp", "-r", out, copy])))
        grown.append(fresh(copy, parent, lambda: process(growlang(parent, child, copy))))
        loaded = partial(process, [sys.executable, "-c", LIBRARY, out, copy])
        library.append(fresh(copy, out, loaded))
    small = _floor(folder)
    above = [taken.peak - small.peak for taken in grown]
    found = [
        _pairs(f"grow, 92 % kept / cp of {size}", grown, copied, 1.25),
        _work(grown, copied),
        result("its peak memory above that for a small net", above, "MiB", 64),
        _pairs("safetensors load_file and save_file / cp", library, copied),
    ]
    process([sys.executable, "-c", PICKLE, out])
    pickled = fresh(copy, out, lambda: process([sys.executable, "-c", PICKLED, out, copy]))
    found.append(_pairs("torch.load and save / cp", [pickled], copied[:1]))
    for left in (parent, out):
        shutil.rmtree(left)
    return found


def _floor(folder: Path) -> Taken:
    """The same command for a net of some hundred thousand numbers: what its imports take."""
    parent, child, net = folder / "small", folder / "small.grow", {"width": "64", "blocks": "1"}
    text = (ROOT / KEPT).read_text().replace("width = 2048", "width = 64")
    grows = f'grows "{ROOT / PARENT}" (width = 64, blocks = 1)'
    child.write_text(text.replace('grows "transferred_parent.grow"', grows))
    write_parent(check(ROOT / PARENT, net).require(PARENT).net, parent)
    out = folder / "copy"
    return fresh(out, parent, lambda: process(growlang(parent, child, out)))


def _widened(gigabytes: float, folder: Path) -> list[Result]:
    blocks = max(1, round(gigabytes * 1e9 / WIDE_BLOCK_BYTES))
    settings = {"width": "1024", "blocks": str(blocks)}
    parent, out, copy = folder / "narrow", folder / "out", folder / "copy"
    write_parent(check(ROOT / PARENT, settings).require(PARENT).net, parent)
    more = ["--set", f"blocks={blocks}"]
    process(growlang(parent, ROOT / WIDE, out, *more))
    size = f"{sum(f.stat().st_size for f in out.iterdir()) / 1e9:.2f} GB"
    taken: dict[bool, tuple[list[Taken], list[Taken]]] = {False: ([], []), True: ([], [])}
    for flushed, (grown, copied) in ROUNDS * [*taken.items()]:
        copied.append(fresh(copy, out, lambda: process(["cp", "-r", out, copy]), flushed))
        work = growlang(parent, ROOT / WIDE, copy, *more)
        grown.append(fresh(copy, parent, partial(process, work), flushed))
    for left in (parent, out):
        shutil.rmtree(left)
    grown, copied = taken[False]
    return [
        _pairs(f"grow, twice as wide / cp of {size}", grown, copied),
        _pairs("the same, until all is on the disk", *taken[True], WIDENED),
        _work(grown, copied),
        result("its peak memory", [taken.peak for taken in grown], "MiB"),
    ]


def merged(python: str, gigabytes: float, folder: Path) -> list[Result]:
    """mergekit's passthrough of a Llama, over `cp` of what it writes."""
    config, shapes = merging.llama(gigabytes)
    parent, out, copy = folder / "llama", folder / "merged", folder / "copy"
    write_tensors(shapes, parent)
    merging.write_config(config, parent)
    command: list[str | Path] = [python, "-c", merging.MERGE, parent]
    process([*command, out, str(SHARD)])
    found, copied = list[Taken](), list[Taken]()
    for _ in range(ROUNDS):
        copied.append(fresh(copy, out, lambda: process(["cp", "-r", out, copy])))
        found.append(fresh(copy, parent, lambda: process([*command, copy, str(SHARD)])))
    return [
        _pairs(
            f"mergekit passthrough / cp of {2 * sum(map(prod, shapes.values())) / 1e9:.2f} GB",
            found,
            copied,
        ),
        _work(found, copied),
        result("its peak memory", [taken.peak for taken in found], "MiB"),
    ]


def _pairs(
    name: str, measured: list[Taken], baseline: list[Taken], target: float | None = None
) -> Result:
    pairs = [(a.seconds, b.seconds) for a, b in zip(measured, baseline, strict=True)]
    return ratio(name, pairs, target)


def _work(measured: list[Taken], baseline: list[Taken]) -> Result:
    """Processor time, which tells more than seconds where other processes run."""
    pairs = [(a.worked, b.worked) for a, b in zip(measured, baseline, strict=True)]
    return ratio("its processor time / that of cp", pairs)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gigabytes", type=float, nargs="?", default=4.0)
    parser.add_argument("--mergekit", metavar="PYTHON", help="a Python that has mergekit")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(asked.gigabytes, Path(temporary))
        if asked.mergekit is not None:
            found += merged(asked.mergekit, asked.gigabytes, Path(temporary))
        show(found)


if __name__ == "__main__":
    main()
