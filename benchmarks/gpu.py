"""One GPU: steps against a loop by hand, MFU, waits for data and checkpoints, compiled blocks.

`python -m benchmarks.gpu` takes under 8 minutes on a GPU. Without one it says so and exits with 2;
`--small --device cpu` runs the same code on a net that a CPU trains in seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from benchmarks.hand_written import Core32
from benchmarks.measuring import Result, ratio, result, taken
from benchmarks.rig import Handwritten, Rig, blocks, plan_of, rig, wait_for, write_images
from growlang.plans.plan import Plan
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.training import train

CORE, GROWN = "gpu_core.grow", "gpu_grown.grow"
PEAKS = {"H100": 989, "H200": 989, "B200": 2250, "A100": 312, "L40S": 362, "4090": 165}
"""Dense bf16 products that a card computes at most, in TFLOP/s, as its maker says."""
NO_GPU = "this machine has no CUDA device: --small --device cpu tries the same on the CPU"


class Size(NamedTuple):
    """How much is measured."""

    params: Mapping[str, str]
    images: int
    steps: int
    """In one block."""
    pairs: int
    """Of blocks."""
    every: int
    """Steps between checkpoints."""


WHOLE = Size({}, 512, 10, 4, 50)
SMALL = Size({"width": "64", "depth": "1", "side": "16", "batch": "2"}, 8, 2, 2, 4)


class Bench:
    """The measurements of one device."""

    def __init__(self, folder: Path, device: torch.device, size: Size) -> None:
        self.folder, self.device, self.size = folder, device, size
        self.options = RunOptions(
            data_root=folder,
            out=folder / "runs",
            device=str(device),
            quiet=True,
            log_every=10**6,
            checkpoint_minutes=0,
            workers=8,
        )

    def measure(self) -> list[Result]:
        """All of it: the core, then what grows from it."""
        core = self._plan(CORE)
        found = [*self._core(core), *self._compiled(core)]
        trained = core.phases[0].model_copy(update={"steps": 1})
        train(core.model_copy(update={"phases": [trained]}), self.options)
        return found + self._grown(self._plan(GROWN))

    def _plan(self, spec: str) -> Plan:
        return plan_of(spec, self.size.params)

    def _core(self, plan: Plan) -> list[Result]:
        with rig(plan, self.folder, self.options) as ready:
            given = ready.some(2)
            hand = Handwritten(ready, Core32(ready.trainer.net, ready.trainer.module))
            ours = self._steps(ready, lambda i: ready.step(given[i % 2]))
            theirs = self._steps(ready, lambda i: hand.step(given[i % 2]))
            pairs = self._pairs(ours, theirs)
            return [
                ratio("gpu: step of the core / by hand in bf16", pairs, 1.02),
                *self._speed("core", ready, [a for a, _ in pairs]),
                self._data_wait(ready),
                self._checkpoints(ready),
                *self._memory("core"),
            ]

    def _compiled(self, plan: Plan) -> list[Result]:
        """Compiled blocks over those as they are written, in steps of the core."""
        eager = self._blocks(plan, compiled=False)
        fast = self._blocks(plan, compiled=True)
        pairs = list(zip(fast, eager, strict=True))
        return [ratio("gpu: step of the core, compiled / eager", pairs)]

    def _blocks(self, plan: Plan, *, compiled: bool) -> list[float]:
        options = replace(self.options, compile=compiled)
        with rig(plan, self.folder, options) as ready:
            return self._alone(ready)

    def _alone(self, ready: Rig) -> list[float]:
        """Seconds of blocks of steps, after one that is not counted."""
        given = ready.some(2)
        work = self._steps(ready, lambda i: ready.step(given[i % 2]))
        work()
        return [taken(work) for _ in range(self.size.pairs)]

    def _grown(self, plan: Plan) -> list[Result]:
        found: list[Result] = []
        for phase in range(2):
            with rig(plan, self.folder, self.options, phase) as ready:
                seconds = self._alone(ready)
                name = f"grown model, phase {ready.data.phase.name}"
                found += self._speed(name, ready, seconds)
        return [*found, *self._memory("grown model")]

    def _steps(self, ready: Rig, step: Callable[[int], None]) -> Callable[[], None]:
        def work() -> None:
            for number in range(self.size.steps):
                step(number)
            ready.wait()

        return work

    def _pairs(
        self, ours: Callable[[], None], theirs: Callable[[], None]
    ) -> list[tuple[float, float]]:
        for work in (ours, theirs):
            work()
        return blocks(ours, theirs, self.size.pairs, taken)

    def _speed(self, name: str, ready: Rig, seconds: list[float]) -> list[Result]:
        """Milliseconds of a step, and the FLOPs that the card computes of those that it could."""
        batch, steps = ready.data.phase.settings.batch, self.size.steps
        each = [s / steps for s in seconds]
        flops = 3 * batch * sum(node.flops for node in ready.trainer.net.nodes)
        rate = flops / median(each) / 1e12
        note = f"batch {batch}, {rate:.3g} TFLOP/s counted as three passes forward"
        found = [result(f"gpu: step of the {name}", [s * 1e3 for s in each], "ms", note=note)]
        peak = next((v for n, v in PEAKS.items() if n in card(self.device)), None)
        if peak is not None:
            shares = [flops / s / 1e12 / peak for s in each]
            found.append(result(f"gpu: MFU of the {name}", shares, "x", note=f"of {peak} TFLOP/s"))
        return found

    def _data_wait(self, ready: Rig) -> Result:
        """Steps that read, decode and copy their images, over steps on images that are there."""
        (given,) = ready.some(1)
        batches = ready.batches()
        next(batches)
        reading = self._steps(ready, lambda _: ready.step(next(batches)))
        resident = self._steps(ready, lambda _: ready.step(given))
        pairs = blocks(reading, resident, self.size.pairs, taken)
        batches.close()
        return ratio("gpu: steps with data from the disk / on the device", pairs)

    def _checkpoints(self, ready: Rig) -> Result:
        """So many steps with a checkpoint over as many without."""
        (given,) = ready.some(1)
        every, trainer = self.size.every, ready.trainer

        def work(saves: bool) -> None:
            for number in range(every):
                ready.step(given)
                trainer.background.poll()
                if saves and number == 0:
                    trainer._save(ready.data)
            trainer.background.join()
            ready.wait()

        work(True)
        pairs = [(taken(lambda: work(True)), taken(lambda: work(False))) for _ in range(2)]
        return ratio(f"gpu: with a checkpoint every {every} steps / without", pairs, 1.03)

    def _memory(self, name: str) -> list[Result]:
        if self.device.type != "cuda":
            return []
        peak = torch.cuda.max_memory_allocated(self.device) / 2**30
        torch.cuda.reset_peak_memory_stats(self.device)
        return [result(f"gpu: peak memory, {name}", [peak], "GiB")]


def card(device: torch.device) -> str:
    """The name of a device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print a table, or a JSON list. Returns the exit status: 2 without a GPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="a net of 0.2 million parameters")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    device = torch.device(asked.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print(NO_GPU, file=sys.stderr)
        return 2
    size = SMALL if asked.small else WHOLE
    with TemporaryDirectory() as folder:
        side = 2 * int(size.params.get("side", 128))
        write_images(Path(folder), size.images, side)
        found = Bench(Path(folder), device, size).measure()
        wait_for(device)
    if asked.json:
        print(json.dumps([one._asdict() for one in found]))
        return 0
    print(f"{card(device)}, PyTorch {torch.__version__}")
    for one in found:
        print(one)
    return 0


if __name__ == "__main__":
    sys.exit(main())
