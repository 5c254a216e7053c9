"""What the `grow` statements of a child make of its net. Stdlib only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from growlang.growth.space_json import GrownSpace
from growlang.growth.transforms import Transform
from growlang.growth.verdict import Verdict
from growlang.net import Net


class Grown(NamedTuple):
    """What the `grow` statements of a child make."""

    net: Net
    transforms: Mapping[str, Transform]
    verdicts: tuple[Verdict, ...] = ()
    spaces: tuple[GrownSpace, ...] = ()
