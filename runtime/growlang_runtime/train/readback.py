"""Numbers of a step on their way from the device: they are read when the next one is computed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from growlang.torch_backend.device import mark

Readback = Callable[[], list[float]]
"""Waits until the numbers are on the CPU, and returns them."""


def begin(values: Tensor) -> Readback:
    """Begin to bring a vector to the CPU, without waiting for what computes it."""
    if values.device.type != "cuda":
        return values.tolist
    there = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    there.copy_(values, non_blocking=True)
    arrived = mark(values.device)

    def read() -> list[float]:
        arrived.synchronize()
        found: list[float] = there.tolist()
        return found

    return read
