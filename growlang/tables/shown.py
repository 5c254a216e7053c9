"""Objects that print as tables: as text, and in a notebook in colour."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class Shown:
    """Base of what prints as tables; its `repr` is one line, and a notebook shows the tables."""

    @abstractmethod
    def print(self, out: Console) -> None:
        """Print it."""

    def __str__(self) -> str:
        from growlang.tables.parts import as_text

        return as_text(self.print)

    def _repr_html_(self) -> str:
        return as_html(self.print)


def as_html(show: Callable[[Console], None]) -> str:
    """What a function prints, as HTML that is escaped and looks right on light and dark pages.

    It has no background and no colour of plain text, which are the page's; the colours of the rest
    have a contrast of at least 3 to both white and black.
    """
    from io import StringIO

    from rich.console import Console
    from rich.terminal_theme import TerminalTheme

    from growlang.tables.parts import WIDEST

    colours = [
        (128, 128, 128),
        (224, 49, 49),
        (47, 158, 68),
        (176, 136, 0),
        (59, 130, 246),
        (192, 38, 211),
        (14, 154, 167),
        (128, 128, 128),
    ]
    grey = colours[0]
    out = Console(file=StringIO(), record=True, width=WIDEST, highlight=False, force_jupyter=False)
    show(out)
    html = out.export_html(
        theme=TerminalTheme(grey, grey, colours),
        code_format='<pre style="overflow-x: auto; white-space: pre">{code}</pre>',
        inline_styles=True,
    )
    return re.sub(r" +(?=(</span>)?\n)", "", html)
