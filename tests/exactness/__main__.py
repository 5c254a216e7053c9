"""Measures the table of exactness, and writes it as a page of the docs: `make exactness`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from exactness.cases import Case, by_op, cases
from exactness.measure import Measured, measured

INTRODUCTION = """# Exactness, as it is measured

Each row is a spec that grows from another: both have random weights in float64, gates, biases and
what begins at zero included. The error is max |child - parent| / max |parent|; that of what is
refused is measured as if it were not. The gradients' is max |g_old - T^T g_new| / max |g_old|.
`exact` promises an error below 1e-10, and is held to it by the tests, row by row. `make exactness`
measures anew; [what growth refuses](refusals.md) has the messages.

| what grows | by | verdict | error | of gradients |
|---|---|---|---|---|
"""


def row(case: Case, found: Measured) -> str:
    """A row of the table."""
    verdict = {"impossible": "refused", "dead": "refused: dead"}.get(found.verdict, found.verdict)
    cells = (case.title, f"`{case.by}`", verdict, _number(found.error), _number(found.gradient))
    return f"| {' | '.join(cells)} |\n"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return "0" if value == 0 else f"{value:.0e}" if value < 1e-3 else f"{value:.2g}"


def rows() -> Iterator[str]:
    """The table, row by row as it is measured."""
    with tempfile.TemporaryDirectory() as folder:
        for listed in by_op(cases()).values():
            for case in listed:
                yield row(case, measured(case, Path(folder)))


def main() -> None:
    """Print the table; with a path, write the page."""
    found = INTRODUCTION
    for line in rows():
        sys.stdout.write(line)
        sys.stdout.flush()
        found += line
    for path in sys.argv[1:]:
        Path(path).write_text(found)


if __name__ == "__main__":
    main()
