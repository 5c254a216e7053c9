"""The safetensors format, read and written without PyTorch or NumPy.

A file is the length of its header (8 bytes, the lowest first), the header, and the tensors one
after the other. The header is a JSON object of the tensors, with texts under `__metadata__`
(github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.literals import dimensions, shown

METADATA = "__metadata__"
HEADER_LIMIT = 100_000_000
"""Longest header, in bytes, that the format allows."""
PIECE = 1 << 22
"""Bytes of a tensor that are looked at at once."""

# fmt: off
BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "C64": 64,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8,
    "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}
"""The dtypes of the format, and the bits of a number."""
# fmt: on
MAGIC = {
    b"PK\x03\x04": "it is a zip archive, as `torch.save` writes them",
    b"\x80": "it is a pickle, as `torch.save` writes them",
    b"version https://git-lfs": "it is a pointer of Git LFS; `git lfs pull` fetches the file",
    b"GGUF": "it is a GGUF file",
    b"\x93NUMPY": "it is a NumPy array",
    b"\x89HDF": "it is an HDF5 file",
    b"<": "it is a page of HTML or XML",
}
"""The magic bytes of other formats, and what is said of their files."""


class Layout(NamedTuple):
    """One tensor of a file: its dtype, its shape, and its bytes, counted from the header's end."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a file says about itself. The tensors are in the order of their bytes."""

    metadata: Mapping[str, str]
    tensors: Mapping[str, Layout]
    length: int
    """Bytes before the first tensor."""


def read_header(path: Path) -> Header:
    """The header of a file, of which every byte is accounted for.

    Raises GrowlangError if it cannot be read, is of another format, is truncated, or if its header
    does not fit its contents.
    """
    try:
        require_regular(path)
        with path.open("rb") as file:
            return _header(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise GrowlangError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        reason = "its header is nested too deeply" if isinstance(error, RecursionError) else error
        raise GrowlangError(
            f"{path} is not a valid safetensors file: {reason}",
            help="name a file that growlang wrote; formats that are unpickled are not read",
        ) from error


def require_regular(path: Path) -> None:
    """Raise OSError for what is there and is no file of bytes: a folder, a pipe, a device.

    Opening a pipe would wait for its other end.
    """
    if path.exists() and not path.is_file():
        what = "it is a folder" if path.is_dir() else "it is not a regular file"
        raise OSError(errno.EINVAL, what, str(path))


def _header(file: BinaryIO, size: int) -> Header:
    start = file.read(32)
    length = int.from_bytes(start[:8], "little")
    if size == 0:
        raise ValueError("it is empty")
    for magic, what in MAGIC.items():
        if start.startswith(magic) and start[8:9] != b"{":
            raise ValueError(what)
    if size < 8 or length > HEADER_LIMIT:
        raise ValueError("it does not begin with the length of a header")
    if size < 8 + length:
        raise ValueError(f"it is truncated in its header ({size:,} bytes of {8 + length:,})")
    file.seek(8)
    entries = _object(file.read(length))
    metadata = entries.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError(f"its `{METADATA}` is not an object of strings")
    tensors = {name: _layout(name, entry) for name, entry in entries.items()}
    ordered = dict(sorted(tensors.items(), key=lambda item: item[1][2:]))
    _require_no_gap(ordered, size - 8 - length)
    return Header(metadata, ordered, 8 + length)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text.decode(), object_pairs_hook=without_repeats)
    except UnicodeDecodeError:
        raise ValueError("its header is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"its header is not JSON ({error.msg})") from None
    if not isinstance(found, dict):
        raise ValueError("its header is not a JSON object")
    return found


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, for `json.loads`. Raises ValueError if a key stands twice in it."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"it has the duplicate key {shown(twice)}")
    return found


def _layout(name: str, entry: Any) -> Layout:
    try:
        layout = Layout(entry["dtype"], tuple(entry["shape"]), *entry["data_offsets"])
        numbers = [*layout.shape, layout.begin, layout.end]
        sound = isinstance(layout.dtype, str) and all(type(n) is int and n >= 0 for n in numbers)
    except (LookupError, TypeError):
        sound = False
    if not sound:
        raise ValueError(f"{shown(name)} has no dtype, shape and place")
    if layout.dtype not in BITS:
        raise ValueError(f"{shown(name)} has the unknown dtype {shown(layout.dtype)}")
    wanted = -(-prod(layout.shape) * BITS[layout.dtype] // 8)
    if layout.end - layout.begin != wanted:
        raise ValueError(
            f"{shown(name)} takes {layout.end - layout.begin:,} bytes, and {layout.dtype} of shape "
            f"{dimensions(layout.shape)} needs {wanted:,}"
        )
    return layout


def _require_no_gap(tensors: Mapping[str, Layout], there: int) -> None:
    """Raise ValueError unless the tensors, in their order, fill the bytes that are there."""
    at = 0
    for name, layout in tensors.items():
        if layout.begin != at:
            what = "overlaps another tensor" if layout.begin < at else "begins after a gap"
            raise ValueError(f"{shown(name)} {what}, at byte {layout.begin:,} of the data")
        at = layout.end
    if there < at:
        raise ValueError(f"it is truncated ({there:,} bytes of tensors, and not {at:,})")
    if there > at:
        raise ValueError(f"{there - at:,} bytes follow its last tensor")


def header_bytes(
    tensors: Mapping[str, tuple[str, tuple[int, ...]]], metadata: Mapping[str, str]
) -> tuple[bytes, list[str]]:
    """The bytes before the first tensor, and the order in which the tensors follow.

    `tensors` gives each one's dtype and shape. What is given alike is written alike: metadata are
    sorted by name, tensors by their width and name, so that each is aligned; the header is padded
    to 8 bytes, as the format's own writer does.
    """
    order = sorted(tensors, key=lambda name: (-BITS[tensors[name][0]], name))
    entries: dict[str, Any] = {METADATA: dict(sorted(metadata.items()))} if metadata else {}
    at = 0
    for name in order:
        dtype, shape = tensors[name]
        end = at + prod(shape) * BITS[dtype] // 8
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, order


class _Exponent(NamedTuple):
    """Where a float's exponent is all ones, which says NaN or infinity.

    Translations of its highest byte and of the next one, to 1 where their bits of the exponent are
    all ones.
    """

    width: int
    high: bytes
    low: bytes


def _ones(mask: int) -> bytes:
    return bytes(int(byte & mask == mask) for byte in range(256))


EXPONENTS = {
    "F32": _Exponent(4, _ones(0x7F), _ones(0x80)),
    "BF16": _Exponent(2, _ones(0x7F), _ones(0x80)),
    "F16": _Exponent(2, _ones(0x7C), _ones(0)),
}


def nonfinite(path: Path, header: Header) -> Iterator[str]:
    """The tensors of F32, F16 or BF16 that hold NaN or infinity."""
    with path.open("rb") as file:
        for name, layout in header.tensors.items():
            if layout.dtype in EXPONENTS:
                file.seek(header.length + layout.begin)
                if _any_nonfinite(file, layout.end - layout.begin, EXPONENTS[layout.dtype]):
                    yield name


def _any_nonfinite(file: BinaryIO, size: int, exponent: _Exponent) -> bool:
    for at in range(0, size, PIECE):
        data = file.read(min(PIECE, size - at))
        high = data[exponent.width - 1 :: exponent.width].translate(exponent.high)
        if 1 not in high:
            continue
        low = data[exponent.width - 2 :: exponent.width].translate(exponent.low)
        if int.from_bytes(high) & int.from_bytes(low):
            return True
    return False
