"""What makes the inputs of a net of captions or labels: one function for each condition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan
from typing import Any, NamedTuple

import torch

from growlang.diagnostics import GrowlangError
from growlang.net import Shape
from growlang.ops.conditions import Classes, FrozenEncoder, Words
from growlang.ops.number import Number
from growlang.spec.labels import Labels
from growlang_runtime.conditioning.encoders import TextEncoder
from growlang_runtime.conditioning.readings import Reading
from growlang_runtime.conditioning.words import padded_ids, word_ids


class Setting(NamedTuple):
    """Where a condition is read."""

    name: str
    """Its name in the model."""
    shape: Shape
    """That of the net's input, without the batch."""
    semantics: int
    """How inputs are made: that of the plan."""
    cache_bytes: int
    """Memory for what a frozen encoder computed."""
    device: torch.device | str


class Read(NamedTuple):
    """The net's inputs for a batch, on the CPU."""

    values: torch.Tensor
    """(B, *shape): ids or labels int64, numbers and embeddings float32."""
    mask: torch.Tensor
    """(B, tokens) bool, at least one true in each row."""
    reading: Reading | None = None
    """What was not read of captions."""


Reader = Callable[[Sequence[Any]], Read]
"""Captions or labels of a batch, None where the condition is null -> the net's inputs."""


def words(declared: Words, setting: Setting) -> Reader:
    """Ids (B, T), padded with the null id, and the mask of those that are words."""
    (length,) = setting.shape.dims

    def read(captions: Sequence[str | None]) -> Read:
        found = [word_ids(c or "", declared.vocabulary, setting.semantics) for c in captions]
        ids, mask = padded_ids(found, length, declared.vocabulary)
        counts = map(len, found)
        lost = [(count > length, count == 0) for count in counts]
        return Read(ids, mask, reading_of(length, "words", captions, lost))

    return read


def classes(declared: Classes, setting: Setting) -> Reader:
    """Label ids (B,), n for null, and a mask that is all true.

    Raises GrowlangError for a label that is out of range, or none where there is no null.
    """
    n = declared.n

    def read(labels: Sequence[int | None]) -> Read:
        for label in labels:
            if label is None and not declared.null:
                raise GrowlangError(
                    f"a label of condition `{setting.name}` is dropped, and it has no null",
                    help="write `drop = 0` in the objective and sample without guidance, or remove "
                    "`null = false`",
                )
            if label is not None and not 0 <= label < n:
                raise GrowlangError(
                    f"label {label} is out of range for condition `{setting.name}`, which has {n} "
                    "classes",
                    help=f"labels start at 0; `classes({label + 1}, ...)` includes this one"
                    if declared.names is None
                    else f"its classes are {Labels.of([declared]).listed()}",
                )
        ids = [n if label is None else label for label in labels]
        return Read(torch.tensor(ids), torch.ones(len(ids), 1, dtype=torch.bool))

    return read


def number(declared: Number, setting: Setting) -> Reader:
    """Numbers (B, n) float32, NaN for null, and a mask that is all true."""
    count = len(declared.fields)

    def read(numbers: Sequence[Sequence[float] | None]) -> Read:
        rows = [[nan] * count if several is None else [*several] for several in numbers]
        return Read(torch.tensor(rows), torch.ones(len(rows), 1, dtype=torch.bool))

    return read


def encoder(declared: FrozenEncoder, setting: Setting) -> Reader:
    """Embeddings (B, T, width) by a frozen encoder, and their mask."""
    tokens, width = setting.shape.dims
    frozen = TextEncoder(
        declared.id,
        declared.call,
        tokens=tokens,
        width=width,
        cache_bytes=setting.cache_bytes,
        device=setting.device,
    )

    def read(captions: Sequence[str | None]) -> Read:
        found = frozen.encodings([caption or "" for caption in captions])
        lost = [(encoding.cut, encoding.wordless) for encoding in found]
        return Read(*frozen.embedded(found), reading_of(tokens, "tokens", captions, lost))

    return read


def reading_of(
    limit: int, unit: str, captions: Sequence[str | None], lost: Sequence[tuple[bool, bool]]
) -> Reading:
    """A reading from whether each caption, None where it is dropped, was cut or had no word."""
    read = [
        (caption, *what)
        for caption, what in zip(captions, lost, strict=True)
        if caption is not None
    ]
    cut = tuple(caption for caption, is_cut, _ in read if is_cut)
    wordless = tuple(caption for caption, _, is_wordless in read if is_wordless)
    return Reading(limit, unit, len(read), cut, wordless)
