"""Start-up of the command line, against importing the libraries that it uses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.measuring import (
    GROWLANG,
    ROOT,
    UNCOLLECTED,
    VERMEER,
    Result,
    environment,
    ratio,
    result,
    run,
    show,
)
from benchmarks.processes import write_images

LIBRARIES = "import lark, yaml, pydantic, typer; from pydantic import BaseModel"
HEAVY = ("torch", "networkx")
PAIRS, RUNS = 20, 6


def loaded(arguments: Sequence[str]) -> list[str]:
    """Which of the heavy modules a command loads."""
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print([m for m in {HEAVY} if m in sys.modules]))\n"
        f"sys.argv = ['growlang', *{list(arguments)}]\n"
        "from growlang.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    found = done.stdout.splitlines()[-1]
    return [module for module in HEAVY if repr(module) in found]


def compared(
    arguments: Sequence[str], baseline: str, shown: str, target: float | None = None
) -> Result:
    """A command's time over that of `python -c baseline`, in interleaved pairs."""
    command, other = [GROWLANG, *arguments], [sys.executable, "-c", baseline]
    run(command), run(other)
    pairs = [(run(command), run(other)) for _ in range(PAIRS)]
    heavy = ", ".join(loaded(arguments)) or f"neither {' nor '.join(HEAVY)}"
    name = f"growlang {' '.join(arguments)} / {shown}"
    return ratio(name, pairs, target, f"loads {heavy}")


def first_step() -> Result:
    """The time until a new run tells of its first step, less that of importing torch."""
    torch = [sys.executable, "-c", "import torch"]
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "pictures.tar")
        seconds = [_until_told(folder, str(i)) - run(torch) for i in range(RUNS)]
    note = "core_32, 128 images that are indexed"
    return result("growlang train until its first step - import torch", seconds, "s", 2, note)


def _until_told(folder: Path, name: str) -> float:
    spec, root = "benchmarks/core_32.grow", str(folder)
    command = [GROWLANG, "train", spec, "--data-root", root, "--out", root, "--name", name]
    command += ["--log-every", "1", "--set", "train.phase.pretrain.for=2"]
    start = perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True
    ) as training:
        assert training.stderr is not None
        told = next(perf_counter() for line in training.stderr if "step 1/2" in line)
        training.communicate()
    return told - start


def measure() -> list[Result]:
    """Ratios of wall times, and seconds to the first step."""
    return [
        first_step(),
        compared(["check", VERMEER], LIBRARIES, "import libraries", 1.5),
        compared(["check", VERMEER], UNCOLLECTED + LIBRARIES, "the same, uncollected"),
        compared(["--help"], "pass", "python -c pass", 7),
    ]


if __name__ == "__main__":
    show(measure())
