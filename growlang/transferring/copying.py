"""Bytes from file to file by the system, and dtypes changed block by block."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from growlang.diagnostics import GrowlangError
from growlang.plans.tensor_index import Located

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

AT_ONCE = 1 << 26
"""Most bytes of one call of the system: between calls progress is told."""
BLOCK = 1 << 20
"""Most bytes that are read at once where they pass through the process."""
NOT_HERE = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}
)
"""What the system says where it cannot copy between these two files by itself."""


def copy(
    source: int, begin: int, size: int, target: int, at: int, tell: Callable[[int], None]
) -> None:
    """Copy bytes between two open files, from offset to offset, inside of the system if it can.

    Raises EOFError if the source ends before, and OSError as the system does.
    """
    end = begin + size
    while begin < end:
        try:
            count = _copied(source, begin, min(end - begin, AT_ONCE), target, at)
        except OSError as error:
            if error.errno not in NOT_HERE:
                raise
            count = 0
        if not count:
            count = _passed(source, begin, min(end - begin, BLOCK), target, at)
        begin, at = begin + count, at + count
        tell(count)


def _copied(source: int, begin: int, size: int, target: int, at: int) -> int:
    if hasattr(os, "copy_file_range"):
        return os.copy_file_range(source, target, size, begin, at)
    return 0


def _passed(source: int, begin: int, size: int, target: int, at: int) -> int:
    data = os.pread(source, size, begin)
    if not data:
        raise EOFError
    put(target, data, at)
    return len(data)


def put(target: int, data: bytes | memoryview, at: int) -> None:
    """Write all of `data` at an offset."""
    rest = memoryview(data).cast("B")
    while rest:
        count = os.pwrite(target, rest, at)
        rest, at = rest[count:], at + count


def blocks(file: int, located: Located, size: int = BLOCK) -> Iterator[bytes]:
    """The bytes of a tensor in an open file. Raises EOFError if it ends before."""
    for begin in range(located.begin, located.end, size):
        data = os.pread(file, min(size, located.end - begin), begin)
        if len(data) < min(size, located.end - begin):
            raise EOFError
        yield data


WIDTHS = {"F32": 4, "F16": 2, "BF16": 2}
"""Bytes of a number of the dtypes that are computed with."""
EXPONENTS = {"F32": 0x7F800000, "F16": 0x7C00, "BF16": 0x7F80}
"""The bits of a number that are all ones in NaN and infinity alone."""


def widened(data: bytes | bytearray | Array, dtype: str) -> Array:
    """Numbers of F32, F16 or BF16 as float32, exactly."""
    import numpy as np

    match dtype:
        case "F32":
            return np.frombuffer(data, "<f4")
        case "F16":
            return np.frombuffer(data, "<f2").astype(np.float32)
        case _:
            found = np.frombuffer(data, "<u2").astype(np.uint32)
            found <<= np.uint32(16)
            return found.view(np.float32)


def rounded(values: Array, dtype: str, name: str) -> Array:
    """Finite numbers of float32 as F32, F16 or BF16, to the nearest, as PyTorch rounds them.

    Raises GrowlangError if one is not finite after it.
    """
    found = nearest(values, dtype)
    if _any_nonfinite(found, dtype):
        raise GrowlangError(
            f"`{name}` has numbers that {dtype} cannot hold", help="choose another --dtype"
        )
    return found


def nearest(values: Array, dtype: str) -> Array:
    """Finite numbers of float32 in another dtype; infinite where it does not hold them."""
    import numpy as np

    if dtype == "F32":
        return values
    if dtype == "F16":
        with np.errstate(over="ignore"):
            return values.astype("<f2")
    bits = values.view(np.uint32)
    found = bits >> np.uint32(16)
    found &= np.uint32(1)
    found += np.uint32(0x7FFF)
    found += bits
    found >>= np.uint32(16)
    return found.astype("<u2")


def require_finite(data: bytes | bytearray | Array, dtype: str, name: str) -> None:
    """Raise GrowlangError if a number of F32, F16 or BF16 is NaN or infinite."""
    import numpy as np

    if _any_nonfinite(np.frombuffer(data, f"<u{WIDTHS[dtype]}"), dtype):
        raise GrowlangError(
            f"`{name}` holds NaN or infinity",
            help="take weights from before the training broke down, such as an older checkpoint",
        )


def _any_nonfinite(numbers: Array, dtype: str) -> bool:
    bits = numbers.view(f"<u{WIDTHS[dtype]}")
    exponent = bits.dtype.type(EXPONENTS[dtype])
    return bool(bits.size) and bool((bits & exponent).max() == exponent)
