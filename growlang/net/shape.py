"""Shapes of the values that flow through a net."""

from math import prod
from typing import Literal, NamedTuple

Kind = Literal["grid", "tokens", "vector", "ids"]


class Shape(NamedTuple):
    """Shape of a value for one image, without the batch axis.

    `grid` is (channels, height, width), `tokens` is (length, width), `vector` is (width,) or ()
    for a scalar such as the log-SNR, `ids` is (length,) of int64 or () for one class label.
    """

    kind: Kind
    dims: tuple[int, ...]

    @property
    def width(self) -> int:
        """Number of channels: the feature axis of a grid, of tokens or of a vector."""
        return self.dims[0] if self.kind == "grid" else self.dims[-1]

    @property
    def positions(self) -> int:
        """Number of places: pixels of a grid, tokens of a sequence, 1 for a vector."""
        return prod(self.dims) // self.width

    @property
    def size(self) -> int:
        """Number of scalars."""
        return prod(self.dims)

    def with_width(self, width: int) -> "Shape":
        """The same places with another number of channels."""
        rest = self.dims[1:] if self.kind == "grid" else self.dims[:-1]
        return Shape(self.kind, (width, *rest) if self.kind == "grid" else (*rest, width))

    def __str__(self) -> str:
        """`3 x 32 x 32`, as the tables of `compile` have it; tensors' shapes are `dimensions`."""
        return " x ".join(map(str, self.dims)) or "scalar"


def grid(channels: int, height: int, width: int) -> Shape:
    """Shape (channels, height, width) of an image or a feature map."""
    return Shape("grid", (channels, height, width))


def tokens(length: int, width: int) -> Shape:
    """Shape (length, width) of a sequence of tokens."""
    return Shape("tokens", (length, width))


def vector(width: int) -> Shape:
    """Shape (width,) of an embedding."""
    return Shape("vector", (width,))
