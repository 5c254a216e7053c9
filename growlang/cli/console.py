"""Standard output for tables."""

import os
import sys

from rich.console import Console

from growlang.tables.parts import WIDEST


class Output(Console):
    """Standard output. A reader that stops early, such as `head`, is no error."""

    def on_broken_pipe(self) -> None:
        """End quietly with status 0, where rich would end with 1."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def console() -> Console:
    """Standard output; as wide as the terminal, elsewhere wide enough for a line a tensor."""
    out = Output(highlight=False)
    return out if out.is_terminal else Output(highlight=False, width=WIDEST)
