"""What an op keeps on a GPU for the backward pass, in bytes: there numbers have several widths.

Under bf16 autocast maps, convolutions and attention take and give two bytes, norms four, whatever
their input has (https://docs.pytorch.org/docs/stable/amp.html, "CUDA Ops"); what a kernel casts for
itself is kept as it was cast. In fp32 all numbers have four.
"""

from typing import NamedTuple

FP32 = 4
"""Bytes of a number in fp32: what norms take and give, and what weights are."""


class Widths(NamedTuple):
    """Bytes of a number."""

    x: int = FP32
    """Of the op's input."""
    maps: int = FP32
    """Of what maps, convolutions and attention take and give."""


class Kept(NamedTuple):
    """Bytes for one image."""

    always: int
    """Kept where a gradient flows through the op."""
    learning: int
    """Kept beside them where the op learns, or what it reads beside its input."""
    result: int
    """Of a number of the result."""
