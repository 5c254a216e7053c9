"""The tokens of texts: the source of data `text(...)`.

The tokens of each file are made once and kept beside the indexes of shards, in a file that is
mapped into memory; a new or changed file costs only itself.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from growlang.diagnostics import GrowlangError
from growlang.spec.data import Text
from growlang_runtime.data.cache import file_name, load, save, settled, user_cache
from growlang_runtime.data.keys import hashed
from growlang_runtime.data.layout import value_at
from growlang_runtime.data.shards import expand
from growlang_runtime.data.tokenizers import Ids, Tokenizer, tokenizer_of

PIECE = 4096
"""Most tokens of a text that are held out, or trained on, as one."""
AT_ONCE = 1024
"""Texts that a tokenizer is given together."""
NO_TEXT = {"csv", "tsv", "parquet", "arrow", "json", "gz", "zst", "zip", "tar", "npy", "bin", "pdf"}
"""Endings of files that are no plain text."""

log = logging.getLogger(__name__)


class Fault(NamedTuple):
    """A line that has no text, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Tokens:
    """The tokens of a file: pieces of texts, behind each other."""

    path: Path
    ids: NDArray[Any]
    """(tokens,) unsigned."""
    lengths: NDArray[np.int64]
    """Tokens of each piece."""
    hashes: NDArray[np.float64]
    """The hash of each piece's key, in [0, 1), by which a share is held out."""
    sha256: str
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """The tokens of the files of a source, in their order."""

    files: tuple[Tokens, ...]
    tokenizer: Tokenizer

    @cached_property
    def identity(self) -> str:
        """SHA-256 of all tokens and of their tokenizer: a run resumes with what it began with."""
        said = [self.tokenizer.identity, *(file.sha256 for file in self.files)]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def open_text(declared: Text, data_root: Path, cache: Path | None) -> Corpus:
    """The tokens of a source's files.

    Raises GrowlangError for files that are missing or that hold no text, and for a tokenizer that
    cannot be loaded.
    """
    paths = expand(declared.path, data_root, what="texts")
    for path in paths:
        if (ending := path.suffix.lower().lstrip(".")) in NO_TEXT:
            raise GrowlangError(
                f"`text` reads JSONL and plain text files, and {path} is `.{ending}`",
                help='write a line of JSON for each text, such as {"text": "..."}, to a .jsonl',
            )
    tokenizer = tokenizer_of(declared.tokenizer, data_root)
    folder = cache or user_cache()
    files = tuple(_tokens(path, declared.field, tokenizer, folder) for path in paths)
    return Corpus(files, tokenizer)


def _tokens(path: Path, field: str, tokenizer: Tokenizer, cache: Path) -> Tokens:
    """The tokens of a file, from the cache as far as they are there."""

    def made() -> Tokens:
        faults: list[Fault] = []
        return made_of(path, _texts(path, field, faults), tokenizer, faults)

    times = settled(path)
    if times is None:
        return made()
    name = file_name(["tokens", PIECE, *times, field, tokenizer.identity])
    return cached_tokens(path, cache / name, made)


def cached_tokens(path: Path, cached: Path, make: Callable[[], Tokens]) -> Tokens:
    """The tokens that a file of the cache has, which are made and kept if it is not there."""
    if known := _kept(path, cached):
        return known
    made = make()
    try:
        _keep(made, cached)
    except OSError as error:
        log.warning("cannot cache the tokens of %s: %s", path, error)
        return made
    return _kept(path, cached) or made


def _kept(path: Path, cached: Path) -> Tokens | None:
    ids, pieces = load(cached), load(_pieces(cached))
    if ids is None or pieces is None:
        return None
    (tokens, said), (rows, of) = ids, pieces
    if of["sha256"] != said["sha256"]:
        return None
    faults = tuple(Fault(*fault) for fault in said["faults"])
    return Tokens(path, tokens["id"], rows["length"], rows["hash"], said["sha256"], faults)


def _keep(made: Tokens, cached: Path) -> None:
    said = {"sha256": made.sha256, "faults": made.faults}
    rows = np.empty(len(made.lengths), [("length", "<i8"), ("hash", "<f8")])
    rows["length"], rows["hash"] = made.lengths, made.hashes
    save(_pieces(cached), [rows], len(rows), {"sha256": made.sha256})
    ids = np.empty(len(made.ids), [("id", made.ids.dtype.str)])
    ids["id"] = made.ids
    save(cached, [ids], len(ids), said)


def _pieces(cached: Path) -> Path:
    return cached.with_stem(f"{cached.stem}-pieces")


# --- from files to tokens ------------------------------------------------------------------------


def made_of(
    path: Path, texts: Iterator[tuple[str, str]], tokenizer: Tokenizer, faults: list[Fault]
) -> Tokens:
    """The tokens of texts by their keys; `faults` are known once these are read."""
    parts: list[Ids] = []
    lengths: list[int] = []
    hashes: list[float] = []
    while some := list(islice(texts, AT_ONCE)):
        for (key, _), ids in zip(some, tokenizer.encode([text for _, text in some]), strict=True):
            if tokenizer.end is not None:
                ids = np.append(ids, ids.dtype.type(tokenizer.end))
            parts.append(ids)
            for number, first in enumerate(range(0, len(ids), PIECE)):
                lengths.append(min(PIECE, len(ids) - first))
                hashes.append(hashed(f"{key}#{number}"))
    whole = np.concatenate(parts) if parts else np.empty(0, np.uint8)
    pieces = np.array(lengths, np.int64)
    digest = hashlib.sha256(whole.dtype.str.encode())
    digest.update(pieces.data)
    digest.update(whole.data)
    return Tokens(path, whole, pieces, np.array(hashes), digest.hexdigest(), tuple(faults))


def _texts(path: Path, field: str, faults: list[Fault]) -> Iterator[tuple[str, str]]:
    """The texts of a file by their keys: its name, and the line."""
    try:
        if path.suffix.lower() != ".jsonl":
            yield path.name, path.read_text(encoding="utf-8")
            return
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield from _text(path.name, number, line, field, faults)
    except UnicodeDecodeError as error:
        raise GrowlangError(
            f"{path} is not UTF-8: {error.reason} at byte {error.start}",
            help=f"convert it: `iconv -f latin1 -t utf-8 {path.name}`",
        ) from error
    except OSError as error:
        raise GrowlangError(f"cannot read {path}: {error.strerror}") from error


def _text(
    name: str, number: int, line: bytes, field: str, faults: list[Fault]
) -> Iterator[tuple[str, str]]:
    try:
        value = value_at(line, [field])
    except UnicodeDecodeError as error:
        faults.append(Fault(number, f"it is not UTF-8: {error.reason} at byte {error.start}"))
    except (ValueError, RecursionError) as error:
        faults.append(Fault(number, f"it is not valid JSON: {error}"))
    else:
        if isinstance(value, str):
            yield f"{name}:{number}", value
        else:
            what = "has no" if value is None else "has no text in its"
            faults.append(Fault(number, f"it {what} field `{field}`"))
