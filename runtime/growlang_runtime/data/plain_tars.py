"""Members of plain tar archives, by one pass over their headers and the ends of what they hold.

Plain is what `tar`, Python and webdataset write of files and folders: ustar headers, long names of
GNU, and extended headers (pax) with names, times and owners. All else is left to `tarfile`, which
takes ten times as long: links, sparse files, sizes from 8 GiB, and whatever is damaged.
"""

from __future__ import annotations

import os
import re
import tarfile
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

BLOCK = 512
"""Bytes of a header, and of the zeros that end an archive."""
EDGE = 4096
"""Bytes at either end of a member's contents that its checksum covers: a page of memory."""
AHEAD = 4 * EDGE
"""Bytes that are read at once: the end of an image, a caption, the beginning of the next image."""


class Member(NamedTuple):
    """A member's name, and the place and size of its contents in bytes."""

    name: str
    at: int
    size: int
    fault: str = ""
    """Why its contents cannot be read; empty where they can."""
    checksum: int = 0
    """CRC-32 over the first and the last `EDGE` bytes of its contents, as blocks hold them."""
    pixels: tuple[int, int] | None = None
    """Width and height of an image, where its first bytes tell."""


Look = Callable[[bytes, int, Callable[[int, int], bytes]], tuple[int, int] | None]
"""The size in pixels by the first bytes of a file, its length, and a function that reads of it."""

END = bytes(BLOCK)
"""What stands where a header would, behind the last member."""
FILES = b"0\0" + b"7"
FOLDER, PAX, LONG_NAME = b"5xL"
"""Types of headers."""
RECORD = re.compile(rb"(\d+) ([^=]+)=")
"""The beginning of a record of an extended header (pax): its length, and its keyword."""
TIME = re.compile(rb"\d+ mtime=[\d.]+\n")
"""All that an extended header of webdataset holds, for a file with a short name."""
HARMLESS = re.compile(rb"([amc]time|[ug]id|[ug]name|comment|SCHILY\..*|LIBARCHIVE\..*)")
"""Keywords that change neither the name of a file nor its contents."""


class Window:
    """A file of which `AHEAD` bytes are read at once, for reads that mostly go forward."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begin, self._bytes = 0, b""

    def read(self, begin: int, end: int) -> bytes:
        """The bytes between two places; fewer where the file ends before."""
        at = begin - self._begin
        if at < 0 or end - self._begin > len(self._bytes):
            self._begin, at = begin, 0
            self._bytes = os.pread(self._descriptor, max(AHEAD, end - begin), begin)
        return self._bytes[at : at + end - begin]


def plain_members(descriptor: int, look: Look) -> list[Member] | None:
    """The files of a plain tar in their order; None for any other, or one that is damaged."""
    length, window = os.fstat(descriptor).st_size, Window(descriptor)
    found: list[Member] = []
    headers: list[bytes] = []
    name: str | None = None  # that an extended header before gives; empty where it gives none
    at = 0
    while True:
        header = window.read(at, at + BLOCK)
        if header == END:
            return found if name is None and _are_whole(headers) else None
        size = _octal(header[124:136])
        if size < 0 or len(header) < BLOCK:
            return None
        headers.append(header)
        data, kind = at + BLOCK, header[156]
        at = data + (size + BLOCK - 1) // BLOCK * BLOCK
        if at > length:
            return None
        if kind in FILES:
            own = name or _name(header)
            if own.endswith("/"):
                return None
            found.append(_file(own, data, size, descriptor, window, look))
            name = None
        elif kind == FOLDER and size == 0:
            name = None
        elif kind in (PAX, LONG_NAME) and name is None and size <= EDGE:
            text = window.read(data, data + size)
            if (name := _pax_name(text) if kind == PAX else _text(text)) is None:
                return None
        else:
            return None


def _file(name: str, at: int, size: int, descriptor: int, window: Window, look: Look) -> Member:
    """A file of a tar, with the checksum of both ends and the size of an image."""
    end = at + (size + BLOCK - 1) // BLOCK * BLOCK
    first = window.read(at, min(at + EDGE, end))

    def read(where: int, count: int) -> bytes:
        return os.pread(descriptor, count, at + where)

    pixels = look(first[:size], size, read) if size else None
    last = window.read(max(at, end - EDGE), end)
    return Member(name, at, size, "", zlib.crc32(last, zlib.crc32(first)), pixels)


def _are_whole(headers: Sequence[bytes]) -> bool:
    """Whether the sum that each header states is that of its bytes, its own counted as blanks."""
    table = np.frombuffer(b"".join(headers), np.uint8).reshape(-1, BLOCK)
    sums = table.sum(1, dtype=np.int64) - table[:, 148:156].sum(1, dtype=np.int64) + 8 * ord(" ")
    stated = table[:, 148:154].astype(np.int64) - ord("0")  # six digits in octal, zero, blank
    if bool(((stated >= 0) & (stated < 8)).all() and (table[:, 154] == 0).all()):
        return bool((stated @ 8 ** np.arange(5, -1, -1) == sums).all())
    return [_octal(header[148:156]) for header in headers] == list(sums)


def _octal(field: bytes) -> int:
    """A number of a header; -1 for what is none, or a large one in binary."""
    try:
        return int(field.rstrip(b"\0 ") or b"0", 8)
    except ValueError:
        return -1


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(tarfile.ENCODING, "surrogateescape")


def _name(header: bytes) -> str:
    name = _text(header[:100])
    return f"{_text(header[345:500])}/{name}" if header[345] else name


def _pax_name(records: bytes) -> str | None:
    """The name that an extended header gives, empty where it gives none; None: it gives more."""
    if TIME.fullmatch(records):
        return ""
    at, name = 0, ""
    while at < len(records):
        found = RECORD.match(records, at)
        if found is None:
            return None
        end = at + int(found[1])
        if end > len(records) or end <= found.end() or records[end - 1] != ord("\n"):
            return None
        if found[2] == b"path":
            name = records[found.end() : end - 1].decode("utf-8", "surrogateescape").rstrip("/")
            if not name:
                return None
        elif not HARMLESS.fullmatch(found[2]):
            return None
        at = end
    return name
