"""How the rows of an expansion follow from those of the parent's tensor. Stdlib only.

Whoever applies an expansion asks here, so that each rounds a number as the others do.
"""

from __future__ import annotations

from collections.abc import Sequence

from growlang.growth.axis_map import AxisMap, Kron, beginning
from growlang.growth.constants import Draw, Mean, Noise
from growlang.growth.transforms import Expand

MOST_PARTS = 64
"""Parts of an index that are written one by one; more are gathered entry by entry."""


def is_by_rows(step: Expand) -> bool:
    """Whether each row follows from rows of the parent's alone."""
    whole = any(
        isinstance(c, Noise) or (isinstance(c, Mean) and c.axis == 0) for c in step.constants
    )
    return bool(step.dims) and not step.resample and not whole and step.init != "identity"


def gathers_rows(step: Expand) -> bool:
    """Whether the rows of an expansion are gathered."""
    drawn = [c for c in step.constants if isinstance(c, Draw)]
    index = step.dims[0]
    cut = drawn_from(index, 0, drawn)
    return is_gathered(beginning(index, cut) if cut else index)


def is_gathered(index: AxisMap) -> bool:
    """Whether rows are gathered entry by entry, and not written part by part."""
    return len(index.parts) > MOST_PARTS or any(isinstance(part, Kron) for part in index.parts)


def drawn_from(index: AxisMap, axis: int, drawn: Sequence[Draw]) -> int:
    """Where an axis has drawn entries alone from some place to its end: that place; 0 elsewhere."""
    own = [c for c in drawn if c.axis == axis]
    if len(own) == 1 and own[0].start + own[0].n == index.size:
        return own[0].start
    return 0
