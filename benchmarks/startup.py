"""Start-up of the command line, against importing the libraries that it uses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from benchmarks.measuring import (
    GROWLANG,
    ROOT,
    UNCOLLECTED,
    VERMEER,
    Result,
    environment,
    ratio,
    run,
    show,
)

LIBRARIES = "import lark, yaml, pydantic, typer; from pydantic import BaseModel"
HEAVY = ("torch", "networkx")
PAIRS = 20


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


def measure() -> list[Result]:
    """Ratios of wall times."""
    return [
        compared(["check", VERMEER], LIBRARIES, "import libraries", 1.5),
        compared(["check", VERMEER], UNCOLLECTED + LIBRARIES, "the same, uncollected"),
        compared(["--help"], "pass", "python -c pass", 7),
    ]


if __name__ == "__main__":
    show(measure())
