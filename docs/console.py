"""Runs the commands that the pages show, so that what they print is what a reader sees."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from own_images import write_folders

from growlang.cli import main

ROOT = Path(__file__).parent.parent
STORED = ROOT / "tests" / "fixtures" / "runs" / "0.1" / "runs"


@contextmanager
def checkout() -> Iterator[Path]:
    """A temporary folder with the specs and the specs of examples, as in a checkout, and runs.

    There are images of one's own too: `shapes/`, `photos/` and `photos.csv`.
    """
    with TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "specs", Path(folder, "specs"))
        shutil.copytree(ROOT / "docs" / "schema", Path(folder, "docs", "schema"))
        for name in ("emoji", "own_loop"):
            Path(folder, "examples", name).mkdir(parents=True)
            for path in (ROOT / "examples" / name).glob("*.grow"):
                shutil.copy(path, Path(folder, "examples", name))
        emoji = Path(folder, "examples", "emoji")
        (emoji / "data").mkdir()
        shutil.copy(ROOT / "examples" / "emoji" / "data" / "demo-00000.tar", emoji / "data")
        shutil.copytree(STORED, Path(folder, "runs"))
        write_folders(Path(folder))
        yield Path(folder)


def printed(line: str, folder: Path) -> str:
    """What a command line of growlang prints in a folder, on a stream that is no terminal."""
    program, *arguments = shlex.split(line)
    if program != "growlang":
        raise ValueError(f"only growlang is run here, not `{line}`")
    out = io.StringIO()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with (
            patch.object(sys, "argv", ["growlang", *arguments]),
            patch.dict(os.environ, COLUMNS="100"),
            redirect_stdout(out),
            redirect_stderr(out),
        ):
            main()
    except SystemExit:
        pass
    finally:
        os.chdir(before)
    return "\n".join(text.rstrip() for text in out.getvalue().splitlines()).strip("\n")
