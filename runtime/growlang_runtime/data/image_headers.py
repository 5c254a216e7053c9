"""Sizes of well-formed JPEG, PNG and WebP files by their first bytes.

Pillow takes several times as long to open a file, so it is asked only about what is not plain here:
other formats, and all that it might refuse. What is answered here is what Pillow answers.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from struct import unpack_from
from typing import NamedTuple

from PIL import Image

Pixels = tuple[int, int]
Read = Callable[[int, int], bytes]
"""Bytes of the file: from where, and how many."""

MORE = 1 << 16
"""Bytes that are read where the first ones do not tell: EXIF may have a small picture in it."""
TAIL = 1 << 16
"""Bytes at the end of a PNG in which its metadata may be, after the pixels."""
METADATA = (b"eXIf", b"iTXt", b"zTXt", b"tEXt")
"""Chunks of a PNG that may state how it is turned."""


class _Beyond(Exception):
    """The header goes on behind the bytes that were read."""


class Found(NamedTuple):
    """The size that a header states, and how its image is turned (EXIF, 1 to 8)."""

    width: int
    height: int
    orientation: int = 1


def pixels(begin: bytes, length: int, read: Read, semantics: int) -> Pixels | None:
    """Width and height of an upright image of `length` bytes; None where Pillow is to be asked.

    `begin` are its first bytes, all of them or at least 64. Semantics 1 knows no orientation.
    """
    parse = _parser(begin)
    if parse is None:
        return None
    try:
        found = parse(begin, length, read, semantics)
    except _Beyond:
        if length <= len(begin) or len(begin) >= MORE:
            return None
        return pixels(read(0, min(length, MORE)), length, read, semantics)
    limit = Image.MAX_IMAGE_PIXELS
    if found is None or not 0 < found.width * found.height <= (limit or 1 << 62):
        return None
    turned = semantics >= 2 and found.orientation > 4
    return (found.height, found.width) if turned else (found.width, found.height)


def _parser(begin: bytes) -> Callable[[bytes, int, Read, int], Found | None] | None:
    if begin.startswith(b"\xff\xd8\xff"):
        return _jpeg
    if begin.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png
    return _webp if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP" else None


# --- JPEG (ITU-T T.81, annex B) ------------------------------------------------------------------

SOF = frozenset({0xC0, 0xC1, 0xC2})
SKIPPED = frozenset({0xC4, 0xDD, 0xFE, *range(0xE3, 0xED), 0xEF})
"""Tables, comments and segments of applications of which Pillow reads nothing."""
SOS, DQT, APP0, APP1, APP2, APP14 = 0xDA, 0xDB, 0xE0, 0xE1, 0xE2, 0xEE


def _jpeg(data: bytes, length: int, read: Read, semantics: int) -> Found | None:
    at, frame, exif = 2, None, b""
    while True:
        if at + 4 > len(data):
            raise _Beyond
        marker, size = data[at + 1], data[at + 2] << 8 | data[at + 3]
        if data[at] != 0xFF or size < 2:
            return None
        segment = data[at + 4 : at + 2 + size]
        at += 2 + size
        if at > len(data):
            raise _Beyond
        if marker == SOS:
            orientation = _orientation(exif) if exif else 1
            return None if frame is None or orientation is None else Found(*frame, orientation)
        if marker in SOF:
            if frame or size < 9 or segment[0] != 8 or segment[5] not in (1, 3, 4):
                return None
            if size != 8 + 3 * segment[5]:
                return None
            frame = (segment[3] << 8 | segment[4], segment[1] << 8 | segment[2])
        elif marker == APP1 and segment.startswith(b"Exif\0\0") and not exif:
            exif = segment[6:]
        elif not _is_plain(marker, segment):
            return None


def _is_plain(marker: int, segment: bytes) -> bool:
    """Whether a segment is one that Pillow reads without an error, and that turns no image."""
    if marker == DQT:
        sizes = {0: 65}
        while segment:
            need = sizes.get(segment[0] >> 4, 129)
            if len(segment) < need:
                return False
            segment = segment[need:]
        return True
    if marker == APP0:
        return not segment.startswith(b"JFIF") or len(segment) >= 7
    if marker == APP14:
        return not segment.startswith(b"Adobe") or len(segment) >= 7
    if marker == APP2:
        return segment.startswith(b"ICC_PROFILE\0") and len(segment) >= 14
    return marker in SKIPPED


UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Types of TIFF -> bytes of one value (TIFF 6.0, section 2)."""


def _orientation(exif: bytes) -> int | None:
    """The orientation that the first directory of some EXIF states, 1 if none; None: ask Pillow."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 10:
        return None
    (start,) = unpack_from(order + "L", exif, 4)
    if start + 2 > len(exif):
        return None
    (count,) = unpack_from(order + "H", exif, start)
    if start + 2 + 12 * count > len(exif):
        return None
    found: list[int] = []
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, values, place = unpack_from(order + "HHLL", exif, entry)
        size = UNITS.get(kind, 1 << 32) * values
        if size > 4 and place + size > len(exif):
            return None
        if tag == 0x0112:
            if (kind, values) != (3, 1):
                return None
            found += unpack_from(order + "H", exif, entry + 8)
    if len(found) > 1:
        return None
    return found[0] if found and 1 <= found[0] <= 8 else 1


# --- PNG (ISO 15948) -----------------------------------------------------------------------------

DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Types of colour -> bits a channel."""
LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}
ANY = frozenset({b"PLTE", b"bKGD", b"sBIT", b"tIME", b"hIST"})


def _png(data: bytes, length: int, read: Read, semantics: int) -> Found | None:
    if len(data) < 33:
        return None
    size, name, width, height, bits, colour, _, filtering = unpack_from(">I4sIIBBBB", data, 8)
    if (size, name, filtering) != (13, b"IHDR", 0) or bits not in DEPTHS.get(colour, ()):
        return None
    at = 8
    while True:
        if at + 8 > len(data):
            raise _Beyond
        size, name = unpack_from(">I4s", data, at)
        if name == b"IDAT":
            break
        if at + 12 + size > len(data):
            raise _Beyond
        if at > 8 and not _is_known(name, size, colour):
            return None
        (checksum,) = unpack_from(">I", data, at + 8 + size)
        if zlib.crc32(data[at + 4 : at + 8 + size]) != checksum:
            return None
        at += 12 + size
    if semantics >= 2:
        start = max(0, length - TAIL)
        tail = data[start:] if len(data) == length else read(start, length - start)
        if any(name in tail for name in METADATA):
            return None
    return Found(width, height)


def _is_known(name: bytes, size: int, colour: int) -> bool:
    """Whether a chunk is one that Pillow reads without an error."""
    if name == b"tRNS":
        return size >= {0: 2, 2: 6}.get(colour, 0)
    return name in ANY or LENGTHS.get(name) == size


# --- WebP (RFC 9649) -----------------------------------------------------------------------------


def _webp(data: bytes, length: int, read: Read, semantics: int) -> Found | None:
    if len(data) < 30 or unpack_from("<I", data, 4)[0] + 8 != length:
        return None
    name, size = unpack_from("<4sI", data, 12)
    if name != b"VP8X":
        return _frame(name, size, data[20:36], 20, length)
    # Alpha and nothing else: no animation, no metadata, no colour profile.
    if size != 10 or data[20:24] != b"\x10\0\0\0":
        return None
    canvas = Found(*(1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27)))
    at = 30
    name, size = unpack_from("<4sI", data + bytes(8), at)
    if name == b"ALPH":
        at += 8 + size + size % 2
        if size == 0 or at + 30 > length:
            return None
        head = data[at : at + 24] if at + 24 <= len(data) else read(at, 24)
        name, size = unpack_from("<4sI", head)
        if name != b"VP8 ":
            return None
        frame = _frame(name, size, head[8:], at + 8, length)
    else:
        frame = _frame(name, size, data[38:54], 38, length) if name == b"VP8L" else None
    return canvas if frame == canvas else None


def _frame(name: bytes, size: int, head: bytes, at: int, length: int) -> Found | None:
    """The size of the last chunk of a file if it is a still picture, by the checks of libwebp."""
    if at + size + size % 2 != length or len(head) < 10:
        return None
    if name == b"VP8 ":
        bits = int.from_bytes(head[:3], "little")
        key, profile, shown, partition = bits & 1 == 0, bits >> 1 & 7, bits >> 4 & 1, bits >> 5
        if head[3:6] != b"\x9d\x01\x2a" or not (key and profile <= 3 and shown):
            return None
        if partition >= size:
            return None
        width, height = unpack_from("<HH", head, 6)
        return Found(width & 0x3FFF, height & 0x3FFF)
    if name == b"VP8L" and head[0] == 0x2F and head[4] >> 5 == 0:
        bits = int.from_bytes(head[1:5], "little")
        return Found((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    return None
