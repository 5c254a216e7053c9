"""Another grid."""

from growlang.rules.base import Rule


class Resize(Rule):
    """Another grid: tables of positions and the filters of patches are interpolated."""

    call = "resize"
