"""The members of tar archives (POSIX.1-2001, pax), with what tells their contents from others."""

from __future__ import annotations

import io
import os
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from growlang.diagnostics import GrowlangError
from growlang_runtime.data.plain_tars import BLOCK, EDGE, Look, Member, plain_members

PAX_SIZE = re.compile(rb" size=(\d+)\n")
"""The record of an extended header that stands for a size of 8 GiB and more."""


def members(path: Path, look: Look = lambda begin, length, read: None) -> list[Member]:
    """The files of a tar in their order; links have the contents of their target.

    `look` finds the sizes of images; it is not asked about all of them. Raises GrowlangError for
    what is not a tar, is truncated, or cannot be read.
    """
    with _opened(path) as descriptor:
        plain = plain_members(descriptor, look)
        if plain is not None and os.fstat(descriptor).st_size:
            return plain
        found = _by_tarfile(path)
        checksums = _checksums(descriptor)
    return [member._replace(checksum=checksums.get(member.at, 0)) for member in found]


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise GrowlangError(f"cannot read {path}: {error.strerror}") from error
    try:
        yield descriptor
    except OSError as error:
        raise GrowlangError(f"cannot read {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _checksums(descriptor: int) -> dict[int, int]:
    """CRC-32 over the first and the last `EDGE` bytes of the contents, by their place."""
    checksums = dict[int, int]()
    data = at = 0  # where the contents before begin, and the next header
    pax_size = None
    while True:
        start = max(data, at - EDGE)
        window = os.pread(descriptor, at - start + BLOCK + EDGE, start)
        header = window[at - start : at - start + BLOCK]
        checksums[data] = zlib.crc32(window[: at - start], checksums.get(data, 0))
        size = _size(header)
        if size is None:
            return checksums
        if header[156:157] not in b"xgLK" and pax_size is not None:
            size, pax_size = pax_size, None
        data = at + BLOCK
        at = data + (size + BLOCK - 1) // BLOCK * BLOCK
        first = window[data - start : data - start + min(EDGE, at - data)]
        checksums[data] = zlib.crc32(first)
        if header[156:157] == b"x" and (found := PAX_SIZE.search(first[:size])):
            pax_size = int(found[1])


def _size(header: bytes) -> int | None:
    """The size that a header states; None for what is not a header, such as the end's zeros."""
    field = header[124:136]
    if len(header) < BLOCK or not any(header):
        return None
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        return None


def _by_tarfile(path: Path) -> list[Member]:
    length = path.stat().st_size
    if length == 0:
        raise GrowlangError(f"{path} is empty (0 bytes)", help="create or copy it again")
    found: list[tarfile.TarInfo] = []
    try:
        with tarfile.open(path, "r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # else it keeps every member
                if tar.offset > length:  # where the next header is: a sparse file takes less
                    break
                if member.isreg() or member.issym() or member.islnk():
                    found.append(member)
            end = tar.offset
    except tarfile.TarError as error:
        raise GrowlangError(
            f"{path} is not a tar file, or is truncated: {error}",
            help="shards must be uncompressed tar files; create or copy it again",
        ) from error
    with path.open("rb") as file:
        file.seek(end)
        if file.read(BLOCK) != bytes(BLOCK):
            raise GrowlangError(
                f"{path} is truncated: {length} bytes, no end-of-archive marker at byte {end}",
                help="create or copy it again",
            )
    return _followed(found)


def _followed(found: list[tarfile.TarInfo]) -> list[Member]:
    named = {posixpath.normpath(member.name): member for member in found if member.isreg()}
    links = {posixpath.normpath(m.name): _target(m) for m in found if not m.isreg()}

    def follow(member: tarfile.TarInfo) -> Member:
        if member.isreg():
            sparse = "it is a sparse file" if member.issparse() else ""
            return Member(member.name, member.offset_data, member.size, sparse)
        target, passed = _target(member), set[str]()
        while target in links and target not in named and target not in passed:
            passed.add(target)
            target = links[target]
        if target not in named:
            circle = target in passed
            fault = f"it is a link to `{member.linkname}`, which " + (
                "leads back to itself" if circle else "is not in the tar"
            )
            return Member(member.name, -1, 0, fault)
        return follow(named[target])._replace(name=member.name)

    return [follow(member) for member in found]


def _target(link: tarfile.TarInfo) -> str:
    """The name that a link leads to: a hard one counts from the root, a symbolic one from here."""
    folder = posixpath.dirname(link.name) if link.issym() else ""
    return posixpath.normpath(posixpath.join(folder, link.linkname))


class Section(io.RawIOBase):
    """The contents of a member as a file, of which only what is asked for is read."""

    def __init__(self, descriptor: int, at: int, size: int) -> None:
        self._descriptor, self._at, self._size, self._place = descriptor, at, size, 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the contents."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer from where it is."""
        length = max(0, min(len(buffer), self._size - self._place))
        data = os.pread(self._descriptor, length, self._at + self._place)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
