"""Index of tar shards in the WebDataset layout: where each sample's members lie, and their sizes.

The index is built once and cached as one file that is mapped into memory, so a sample of millions
is found and read by one `pread` per member. Members are grouped into samples as webdataset does.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from webdataset.shardlists import expand_urls
from webdataset.tariterators import base_plus_ext

from growlang.diagnostics import GrowlangError
from growlang.spec import WebDataset

FORMAT_VERSION = 1
BLOCK = 512
"""Bytes of a tar header, and of the zeros that end an archive (POSIX.1-2001, pax)."""

MEMBERS = ("image", "caption", "label")
FIELDS = [("shard", "<i4"), ("width", "<i4"), ("height", "<i4")] + [
    (f"{member}_{what}", "<i8") for member in MEMBERS for what in ("at", "bytes")
]
"""Columns of an index besides `key`: sizes in pixels, places in bytes, -1 where there is none."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Index:
    """The samples of a list of shards, in their order. `rows` has the columns of `FIELDS`."""

    shards: tuple[Path, ...]
    rows: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, row: int, member: str) -> bytes | None:
        """Contents of a sample's `image`, `caption` or `label`; None where there is none."""
        found = self.rows[row]
        if (at := int(found[f"{member}_at"])) < 0:
            return None
        return pread(self.shards[found["shard"]], at, int(found[f"{member}_bytes"]))

    def key(self, row: int) -> str:
        """The name that the sample's members share."""
        return bytes(self.rows[row]["key"]).decode("utf-8", "surrogateescape")

    def place(self, row: int) -> str:
        """The sample and its shard, for messages."""
        return f"`{self.key(row)}` of {self.shards[self.rows[row]['shard']]}"


def open_index(source: WebDataset, data_root: Path, cache: Path | None = None) -> Index:
    """The index of a source's shards, from the `cache` folder unless a shard has changed.

    Without `cache`, it is `growlang/index` in the user's cache folder. Raises GrowlangError for
    shards that are missing, empty or cut short, and for samples that lack a member.
    """
    shards = tuple(expand(source.urls, data_root))
    _handle.cache_clear()  # a shard may have been replaced since another index was opened
    stats = [path.stat() for path in shards]
    identity = [FORMAT_VERSION, source.image, source.caption, source.label] + [
        [str(path.resolve()), stat.st_size, stat.st_mtime_ns]
        for path, stat in zip(shards, stats, strict=True)
    ]
    name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32] + ".npy"
    cached = (cache or _user_cache()) / name
    rows = _load(cached)
    if rows is None:
        rows = _build(shards, source)
        _save(cached, rows)
    return Index(shards, rows)


def expand(urls: str, data_root: Path) -> list[Path]:
    """The shards that a pattern such as `train/{00000..00012}.tar` names, below the data root."""
    if re.match(r"pipe:|[a-z][a-z0-9+.-]*://", urls):
        raise GrowlangError(
            f'shards "{urls}": streams are not read, only files, because draws are by number',
            help="copy the shards to a folder and name them relative to --data-root",
        )
    try:
        shards = [data_root / url for url in expand_urls(urls)]
    except (ValueError, AssertionError) as error:  # unbalanced braces, ${unset}
        raise GrowlangError(
            f'shards "{urls}": the pattern does not expand: {error}',
            help='write a range such as "{00000..00012}.tar"',
        ) from error
    for path in shards:
        if not path.is_file():
            raise GrowlangError(
                f'shards "{urls}": there is no file {path}',
                help=f"the data root is {data_root.resolve()}; --data-root sets another",
            )
    return shards


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "growlang" / "index"


# --- building ------------------------------------------------------------------------------------


def _build(shards: Sequence[Path], source: WebDataset) -> NDArray[np.void]:
    def scan(number: int) -> NDArray[np.void]:
        rows = [(number, *row) for row in _samples(shards[number], source)]
        longest = max(len(row[-1]) for row in rows)
        return np.array(rows, dtype=[*FIELDS, ("key", f"S{longest}")])

    with ThreadPoolExecutor(8) as pool:
        return np.concatenate(list(pool.map(scan, range(len(shards)))))


def _samples(path: Path, source: WebDataset) -> Iterator[tuple[Any, ...]]:
    """The samples of one shard: the columns of `FIELDS` after `shard`, then the key."""
    key, members = "", dict[str, tuple[int, int, tuple[int, int]]]()
    for name, at, size, pixels in _members(path, source.image):
        prefix, ending = base_plus_ext(name)
        if prefix is None:
            continue
        if prefix != key and members:
            yield _row(path, source, key, members)
            members = {}
        key, ending = prefix, ending.lower()
        if ending in members:
            raise GrowlangError(f"{path} has `{key}.{ending}` twice in a row, at byte {at}")
        members[ending] = at, size, pixels
    if not members:
        raise GrowlangError(f"{path} holds no samples", help="remove it from the pattern")
    yield _row(path, source, key, members)


def _row(
    path: Path, source: WebDataset, key: str, members: dict[str, tuple[int, int, tuple[int, int]]]
) -> tuple[Any, ...]:
    places: list[int] = []
    for member in MEMBERS:
        ending = getattr(source, member)
        if ending is None:
            places += [-1, -1]
        elif ending.lower() in members:
            places += members[ending.lower()][:2]
        else:
            raise GrowlangError(
                f"sample `{key}` of {path} has no {member} `.{ending}`; it has "
                + ", ".join(f"`.{e}`" for e in members),
                help=f'webdataset(..., {member} = "ENDING") names the ending of the {member}s',
            )
    pixels = members[source.image.lower()][2]
    return (*pixels, *places, key.encode("utf-8", "surrogateescape"))


def _members(path: Path, image: str) -> Iterator[tuple[str, int, int, tuple[int, int]]]:
    """Name, place, size in bytes and in pixels of each member that webdataset reads."""
    length = path.stat().st_size
    if length == 0:
        raise GrowlangError(f"{path} is empty (0 bytes)", help="write or copy it again")
    try:
        with tarfile.open(path, "r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # else it keeps every member
                if member.offset_data + member.size > length:
                    break
                name = member.name
                if not member.isreg() or re.match(r"__[^/]*__($|/)", name):
                    continue
                pixels = (0, 0)
                if name.lower().endswith("." + image.lower()):
                    pixels = _pixels(tar, member)
                yield name, member.offset_data, member.size, pixels
            end = tar.offset
    except tarfile.TarError as error:
        raise GrowlangError(
            f"{path} is not a tar, or is cut short: {error}",
            help="shards are plain tars (not compressed); write or copy it again",
        ) from error
    with path.open("rb") as file:
        file.seek(end)
        if file.read(BLOCK) != bytes(BLOCK):
            raise GrowlangError(
                f"{path} is cut short: its {length} bytes lack an end at byte {end}",
                help="write or copy it again",
            )


def _pixels(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[int, int]:
    """Width and height by the image's header; zeros if it has none that can be read."""
    try:
        with Image.open(tar.extractfile(member)) as image:  # type: ignore[arg-type]
            return image.size
    except Exception:  # Pillow's decoders raise many types on broken files
        return 0, 0


# --- cache ---------------------------------------------------------------------------------------


def _load(cached: Path) -> NDArray[np.void] | None:
    try:
        rows: NDArray[np.void] = np.load(cached, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        log.warning("the index %s is built anew: %s", cached, error)
        return None
    return rows


def _save(cached: Path, rows: NDArray[np.void]) -> None:
    """Write the index in one step, so that no process ever maps half of it."""
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=cached.parent, delete=False) as file:
            try:
                np.save(file, rows)
                file.flush()
                os.replace(file.name, cached)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        log.warning("the index of the shards is not cached: %s", error)


# --- reading -------------------------------------------------------------------------------------


class _Handle:
    """An open shard. Closed when the last reader lets go, so eviction never cuts a read short."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


_handle = lru_cache(maxsize=256)(_Handle)

RETRIES = (0.1, 1.0, 5.0)
"""Seconds to wait before a failed read is tried again; network storage recovers."""


def pread(path: Path, at: int, length: int) -> bytes:
    """`length` bytes of a shard from byte `at`. Raises GrowlangError once retries are used up."""
    for delay in RETRIES:
        try:
            return _pread(path, at, length)
        except OSError as error:
            log.warning("%s at byte %d: %s; trying again in %g s", path, at, error, delay)
            _handle.cache_clear()
            time.sleep(delay)
    try:
        return _pread(path, at, length)
    except OSError as error:
        raise GrowlangError(f"{path} cannot be read at byte {at}: {error}") from error


def _pread(path: Path, at: int, length: int) -> bytes:
    handle = _handle(path)  # held, so that no other thread's clearing closes it before the read
    data = os.pread(handle.descriptor, length, at)
    if len(data) < length:
        raise GrowlangError(
            f"{path} has changed: {len(data)} of {length} bytes are left at byte {at}",
            help="shards must not change while a run reads them",
        )
    return data
