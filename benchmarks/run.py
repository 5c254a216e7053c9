"""Runs every benchmark in a process of its own and prints one table."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.measuring import ROOT, Result, environment, show

BENCHMARKS = (
    *("startup", "language", "lsp", "table", "compile", "growth", "proposing"),
    *("step", "training", "processes", "data"),
)


def main() -> None:
    """Exit 1 if a target was missed."""
    results: list[Result] = []
    for name in BENCHMARKS:
        print(f"running benchmarks/{name}.py", file=sys.stderr)
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), check=True, stdout=subprocess.PIPE
        )
        results += [Result(**found) for found in json.loads(done.stdout)]
    show(results)
    sys.exit(any(r.target is not None and r.value > r.target for r in results))


if __name__ == "__main__":
    main()
