"""Kernels and positions on another grid: what `resize` does to axes without spaces. Stdlib only."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from growlang.growing import space_growth as sg
from growlang.growing.space_growth import Along, Growth
from growlang.growth.axis_map import AxisMap, New, Take, identity
from growlang.growth.constants import Resample
from growlang.net.axes import Parameter
from growlang.ops.base import Resized

Filter = Literal["nearest", "bilinear", "bicubic", "flexi"]


class Resizing(NamedTuple):
    """How a component is resized; None where no rule says so."""

    how: Filter | None = None
    grids: tuple[tuple[int, int], tuple[int, int]] | None = None
    """Rows and columns of the tokens of the parent and of the child, where they come of a grid."""

    @property
    def word(self) -> Filter:
        """How positions and the filters that write patches are interpolated."""
        return "bilinear" if self.how in (None, "flexi") else self.how

    def resample(
        self, what: Resized | None, new: Parameter, old: Parameter
    ) -> tuple[Resample, ...]:
        """What is interpolated: positions always, filters of patches unless by `nearest`."""
        ours, theirs = sides(new), sides(old)
        if ours == theirs or what in (None, "kernel"):
            return ()
        how = self.word
        if what == "positions":
            assert self.grids is not None
            return (Resample(how, 0, *self.grids, fused=True),)
        if self.how in (None, "nearest") and all(
            a % b == 0 for a, b in zip(ours, theirs, strict=True)
        ):
            return ()
        if what == "patches":
            grids = (theirs[-2], theirs[-1]), (ours[-2], ours[-1])
            return (Resample(self.how or "bilinear", 2, *grids),)
        (segment,) = old.axes[0]
        outer, *was = [f if isinstance(f, int) else f.size for f in segment.factors]
        now = [f for f in new.axes[0][0].factors if isinstance(f, int)][-2:]
        grids = (was[0], was[1]), (now[0], now[1])
        return (Resample(how, 0, *grids, fused=True, outer=outer),)


def sides(parameter: Parameter) -> tuple[int, ...]:
    """The numbers of places along a tensor's axes that are of no space: pixels, offsets."""
    return tuple(
        f for axis in parameter.axes for s in axis for f in s.factors if isinstance(f, int)
    )


def int_factor(
    what: Resized | None, old: int, new: int, resizing: Resizing, resampled: bool
) -> Along:
    """The growth of a number of places: pixels of a patch, or offsets of a filter.

    Where they are `resampled` before, what is left is the scale: a filter that sums more pixels has
    smaller weights, of which FlexiViT's are already.
    """
    if old == new:
        return Along((sg.same(old),))
    if resampled:
        return Along((_resampled(new, old / new if _is_summed(what, resizing) else 1.0),))
    if what in ("patches", "pixels"):
        return Along((sg.repeat(old, new // old),))
    return Along((_bordered(old, new),))


def _is_summed(what: Resized | None, resizing: Resizing) -> bool:
    return what == "patches" and resizing.how != "flexi"


@lru_cache(maxsize=256)
def _resampled(n: int, share: float) -> Growth:
    return Growth(n, n, "same", identity(n), () if share == 1 else (share,))


@lru_cache(maxsize=256)
def _bordered(n: int, m: int) -> Growth:
    """A filter with a border of zeros."""
    border = (m - n) // 2
    return Growth(n, m, "append", AxisMap((New(border), Take(0, n), New(m - n - border))))
