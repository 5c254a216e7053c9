"""What an expansion adds to the parent's values: constants, and how its new entries begin.

Stdlib only. `growlang.torch_backend.transforms` computes them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Fill(NamedTuple):
    """A number that is added to the `n` entries from `start` on of a tensor with one axis."""

    start: int
    n: int
    value: float
    kind: Literal["fill"] = "fill"


class Draw(NamedTuple):
    """New entries of an axis that are drawn as the child's tensor is initialised."""

    axis: int
    start: int
    n: int
    kind: Literal["draw"] = "draw"


class Mean(NamedTuple):
    """New entries of an axis that are `factor` times the mean of the old ones in a stretch."""

    axis: int
    start: int
    n: int
    old_start: int
    old_n: int
    factor: float = 1.0
    kind: Literal["mean"] = "mean"


class Noise(NamedTuple):
    """Noise on copies along an axis: of two copies of an entry one gets +N, the other -N.

    N is normal, with `std` times the standard deviation of the tensor's copied entries.
    """

    axis: int
    std: float
    kind: Literal["noise"] = "noise"


Constant = Fill | Draw | Mean | Noise


class Eye(NamedTuple):
    """The identity of `n` channels: a map that leaves them as they are."""

    n: int
    kind: Literal["eye"] = "eye"


class SinCos(NamedTuple):
    """The sines and cosines of `length` positions in `width` channels, of a grid if it has one."""

    length: int
    width: int
    height: int | None = None
    columns: int | None = None
    kind: Literal["sincos"] = "sincos"


Source = Eye | SinCos
"""What is computed in place of a parent's tensor."""


class Resample(NamedTuple):
    """A grid along axes of a tensor that becomes finer or coarser.

    `axis` is that of the rows; the columns are the next axis or, where `fused`, both are factors
    of one axis, the rows outermost. `outer` counts what stands before them in a fused axis.
    """

    how: Literal["nearest", "bilinear", "bicubic", "flexi"]
    axis: int
    old: tuple[int, int]
    new: tuple[int, int]
    fused: bool = False
    outer: int = 1
    kind: Literal["resample"] = "resample"
