"""`growlang diff` of two specs of 8B parameters, against the bare imports that it needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

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

LIBRARIES = (
    "import lark, yaml, pydantic, typer; from rich.console import Console; import rich.table"
)
PARENT = "specs/core_256.grow"
PAIRS = 12


def flat(folder: Path, name: str, *edits: tuple[str, str]) -> str:
    """A file with vermeer_1024 without its parent, and with some of its text changed."""
    text = subprocess.run(
        [GROWLANG, "show", VERMEER, "--resolved"],
        cwd=ROOT,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    start = text.index("model ")
    text = f"grow 1\n\n{text[start : text.index(chr(10) + '}', start) + 2]}\n"
    for old, new in edits:
        if old not in text:
            raise ValueError(f"vermeer_1024 has no {old!r}")
        text = text.replace(old, new)
    path = folder / f"{name}.grow"
    path.write_text(text)
    return str(path)


def modules(arguments: Sequence[str]) -> str:
    """Code that imports what a command imports, growlang's own modules too, and does nothing."""
    code = (
        "import atexit, sys\n"
        "before = set(sys.modules)\n"
        "atexit.register(lambda: print(*[m for m in sys.modules if m not in before]))\n"
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
    own = [
        m for m in done.stdout.splitlines()[-1].split() if m.startswith(("growlang", "networkx"))
    ]
    return f"{UNCOLLECTED}{LIBRARIES}; import {', '.join(own)}"


def compared(name: str, a: str, b: str) -> list[Result]:
    """A difference over all of its imports, and over those of its libraries."""
    command = [GROWLANG, "diff", a, b]
    baselines = (
        ("all that it imports", modules(["diff", a, b]), 2.5),
        ("its libraries", UNCOLLECTED + LIBRARIES, None),
    )
    found = []
    run(command)
    for shown, code, target in baselines:
        other = [sys.executable, "-c", code]
        run(other)
        pairs = [(run(command), run(other)) for _ in range(PAIRS)]
        found.append(ratio(f"growlang diff, {name} / importing {shown}", pairs, target))
    return found


def main() -> list[Result]:
    """All of them."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        whole = flat(folder, "whole")
        renamed = flat(
            folder,
            "renamed",
            (
                "text  =",
                "words =",
            ),
            ("[self, text]", "[self, words]"),
        )
        wide = flat(
            folder,
            "wide",
            *((f"residual({n},", f"residual({n * 2},") for n in (1024, 512, 256, 128)),
            ("patch(4, 128,", "patch(4, 256,"),
        )
        return [
            *compared("vermeer_1024 and its parent", PARENT, VERMEER),
            *compared("vermeer_1024 renamed, proposed", whole, renamed),
            *compared("vermeer_1024 with wider stages, proposed", whole, wide),
        ]


if __name__ == "__main__":
    show(main())
