"""Kernels and positions on another grid: what `resize` does to axes without spaces. Stdlib only."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from growlang.growth import space_growth as sg
from growlang.growth.axis_map import AxisMap, New, Take
from growlang.growth.constants import Resample
from growlang.growth.space_growth import Along, Growth
from growlang.net.axes import Parameter, Role

Filter = Literal["nearest", "bilinear", "flexi"]


class Resizing(NamedTuple):
    """How a component is resized; None where no rule says so."""

    how: Filter | None = None
    grids: tuple[tuple[int, int], tuple[int, int]] | None = None
    """Rows and columns of the tokens of the parent and of the child, where they come of a grid."""

    def resample(self, op: str, new: Parameter, old: Parameter) -> tuple[Resample, ...]:
        """What is interpolated: positions always, filters of patches unless by `nearest`."""
        ours, theirs = _ints(new), _ints(old)
        if ours == theirs or op not in ("position", "patch", "unpatch"):
            return ()
        if op == "position":
            assert self.grids is not None
            how: Filter = "nearest" if self.how == "nearest" else "bilinear"
            return (Resample(how, 0, *self.grids, fused=True),)
        if self.how in (None, "nearest") and all(
            a % b == 0 for a, b in zip(ours, theirs, strict=True)
        ):
            return ()
        sides = (theirs[-2], theirs[-1]), (ours[-2], ours[-1])
        if op == "patch":
            return (Resample(self.how or "bilinear", 2, *sides),)
        channels = new.axes[0][0].factors[0]
        outer = channels if isinstance(channels, int) else channels.size
        return (Resample(self.how or "bilinear", 0, *sides, fused=True, outer=outer),)


def _ints(parameter: Parameter) -> tuple[int, ...]:
    return tuple(
        f for axis in parameter.axes for s in axis for f in s.factors if isinstance(f, int)
    )


def int_factor(op: str, role: Role, old: int, new: int, resizing: Resizing) -> Along:
    """The growth of a number of places: pixels of a patch, or offsets of a filter."""
    if old == new:
        return Along((sg.same(old),))
    if op == "patch":
        return Along((_averaged(old, new // old),))
    if op == "unpatch":
        return Along((_repeated(old, new // old),))
    return Along((_bordered(old, new),))


@lru_cache(maxsize=256)
def _averaged(n: int, times: int) -> Growth:
    """Every pixel `times` times, each with its share: a filter of means."""
    return sg.repeat(n, times)


@lru_cache(maxsize=256)
def _repeated(n: int, times: int) -> Growth:
    return sg.repeat(n, times)


@lru_cache(maxsize=256)
def _bordered(n: int, m: int) -> Growth:
    """A filter with a border of zeros."""
    border = (m - n) // 2
    return Growth(n, m, "append", AxisMap((New(border), Take(0, n), New(m - n - border))))
