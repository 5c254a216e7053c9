"""New tensors drawn without PyTorch: the same numbers that `growlang.torch_backend` draws.

PyTorch draws on a CPU from MT19937, one word of 32 bits for each uniform number, whose last 24 bits
are its digits. Where a processor multiplies and adds in one step, PyTorch does, and rounds once.
Normal numbers go through its own logarithm and sine, so those are left to it.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from math import prod
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, Any

from growlang.growth.constants import Draw, Fill
from growlang.growth.rows import is_by_rows
from growlang.growth.transforms import Compute, Expand, Stages
from growlang.plans.tensor_file import BITS

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

CONSTANTS = {"zeros": 0.0, "ones": 1.0, "measured": 1.0}
"""The rows of initialisers that are one number."""
BLOCK = 1 << 16
"""Numbers that are drawn at once: what a cache of the processor holds."""
ONE = {"F32": pack("<f", 1.0), "F16": pack("<e", 1.0), "BF16": pack("<f", 1.0)[2:]}


def is_plain(init: str) -> bool:
    """Whether a tensor is drawn here; what else there is, PyTorch draws."""
    return init in CONSTANTS or init == "identity" or (init == "linear" and fused() is not None)


def is_expanded(transform: Expand | Stages | Compute) -> bool:
    """Whether a tensor is made in `expanding`; what else is computed, PyTorch computes."""
    if not isinstance(transform, Expand) or not is_by_rows(transform):
        return False
    if any(number < 0 for factors in transform.weight for number in factors):
        return False  # new entries are zeros with the signs of others
    kinds = {type(constant) for constant in transform.constants}
    return kinds in (set(), {Fill}) or (kinds == {Draw} and is_plain(transform.init))


@cache
def fused() -> bool | None:
    """Whether PyTorch multiplies and adds in one step here; None where that is not known."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return None
    if os.environ.get("ATEN_CPU_CAPABILITY") == "default":
        return False
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), set())
    return {"avx2", "fma"} <= flags


def key_of(name: str, seed: int) -> int:
    """The seed of a tensor's generator."""
    return int.from_bytes(sha256(f"{seed}:{name}".encode()).digest()[:8], "little", signed=True)


def _twister(seed: int) -> np.random.MT19937:
    """The generator as PyTorch seeds it; NumPy's own way to do so is another."""
    import numpy as np

    bits: Any = np.random.MT19937()
    bits.state = np.random.RandomState(seed).get_state(legacy=False)
    found: np.random.MT19937 = bits
    return found


class Start:
    """The numbers that a tensor begins with, in the order of its entries, as float32."""

    def __init__(self, init: str, name: str, shape: tuple[int, ...], seed: int) -> None:
        assert init in CONSTANTS or init == "linear"
        self._constant = CONSTANTS.get(init)
        if self._constant is None:
            import numpy as np

            self._bound = np.float32(prod(shape[1:]) ** -0.5)
            self._bits = _twister(key_of(name, seed) & 0xFFFFFFFF)
            self._words = np.random.Generator(self._bits)
            self._numbers = np.empty(0, np.float32)

    def skip(self, count: int) -> None:
        """Go on behind the next numbers."""
        if self._constant is None:
            self._bits.random_raw(count, output=False)

    def next(self, count: int) -> Array:
        """The next numbers, until it is called again.

        Those of a linear map are uniform within +-1/sqrt(fan-in).
        """
        import numpy as np

        if self._constant is not None:
            return np.full(count, self._constant, np.float32)
        drawn = self._words.integers(0, 1 << 32, count, np.uint32)
        drawn &= np.uint32(0xFFFFFF)
        if len(self._numbers) != count:
            self._numbers = np.empty(count, np.float32)
        numbers = self._numbers
        if fused():  # digits 2^-24 2b - b, rounded once, is (digits - 2^23) 2^-23 b
            centred = drawn.view(np.int32)
            centred -= np.int32(1 << 23)
            numbers[...] = centred
            numbers *= self._bound * np.float32(2.0**-23)
        else:
            numbers[...] = drawn
            numbers *= np.float32(2.0**-24)
            numbers *= self._bound + self._bound
            numbers -= self._bound
        return numbers


def linear(name: str, shape: tuple[int, ...], seed: int) -> Iterator[Array]:
    """The numbers of a linear map as float32, in blocks, each until the next."""
    start, total = Start("linear", name, shape, seed), prod(shape)
    for at in range(0, total, BLOCK):
        yield start.next(min(BLOCK, total - at))


def constant(init: str, dtype: str, count: int) -> Iterator[bytes]:
    """The bytes of a tensor of ones, in blocks."""
    assert CONSTANTS[init] == 1.0
    for at in range(0, count, BLOCK):
        yield ONE[dtype] * min(BLOCK, count - at)


def diagonal(dtype: str, shape: tuple[int, ...]) -> Iterator[tuple[int, bytes]]:
    """Where the identity has its ones, as offsets in bytes: in the centre of each filter."""
    width = BITS[dtype] // 8
    centre, filters = 0, prod(shape[2:])
    for side in shape[2:]:
        centre = centre * side + side // 2
    for at in range(min(shape[:2])):
        yield width * ((at * shape[1] + at) * filters + centre), ONE[dtype]
