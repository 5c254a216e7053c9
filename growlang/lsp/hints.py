"""What comes out of each slot, shown behind it."""

from __future__ import annotations

from typing import NamedTuple

from growlang.lsp.analysis import Analysis, Point
from growlang.lsp.known import described

SLOTS = ("stem", "core", "head")


class Hint(NamedTuple):
    """A text shown at a point, and more in Markdown for those who ask."""

    point: Point
    label: str
    tooltip: str


def hints(analysis: Analysis) -> list[Hint]:
    """The output of each slot of the file; none while the text has errors."""
    checked = analysis.checked
    if checked is None or checked.resolved.document is not analysis.document:
        return []
    found = []
    for component in checked.net.components:
        name, span = component.name, component.span
        slot = name in SLOTS or name.is_stage
        if slot and span and span.filename == str(analysis.path):
            point = Point(span.end_row, span.end_column)
            tooltip = described(checked.net, component)
            found.append(Hint(point, f"-> {component.output}", tooltip))
    return found
