"""Drawings for the test in a browser: `python drawings.py FOLDER` compiles and compares specs."""

from __future__ import annotations

import sys
from pathlib import Path

import growlang

ROOT = Path(__file__).parent.parent.parent
SPECS, OWN = ROOT / "specs", ROOT / "examples" / "own_loop"
NAMED = "b><script>document.title = 'broken'<"


def main(folder: Path) -> None:
    """Write pages of a small pair, of one 42 blocks deep, of a chain, and of single nets."""
    pairs = {
        "small": (OWN / "small.grow", OWN / "large.grow"),
        "deep": (SPECS / "core_256.grow", SPECS / "vermeer_1024.grow"),
        "chain": (SPECS / "gpt2_small.grow", SPECS / "gpt2_medium.grow"),
        "unrelated": (SPECS / "gpt2_small.grow", SPECS / "core_64.grow"),
        "named": _named(folder),
    }
    for name, (old, new) in pairs.items():
        page = growlang.diff(old, new).html()
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    for name, spec in (("costs", SPECS / "vermeer_1024.grow"), ("bare", OWN / "small.grow")):
        page = growlang.compile(spec).html()
        (folder / f"{name}.html").write_text(page, encoding="utf-8")


def _named(folder: Path) -> tuple[Path, Path]:
    """A pair of specs in a folder whose name is markup."""
    below = folder / NAMED / "script>"
    below.mkdir(parents=True)
    pair = below / "small.grow", below / "large.grow"
    for path in pair:
        path.write_text((OWN / path.name).read_text())
    return pair


if __name__ == "__main__":
    main(Path(sys.argv[1]))
