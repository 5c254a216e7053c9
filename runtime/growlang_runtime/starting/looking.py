"""What a set of images holds: how many and how large, their captions and their classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import SEMANTICS
from growlang.spec.data import Data
from growlang.spec.labels import in_order
from growlang.starting.seen import Seen
from growlang_runtime.conditioning.words import word_ids, words
from growlang_runtime.data.layout import TEXTS, value_at
from growlang_runtime.data.source import Samples, Wanted, open_samples
from growlang_runtime.starting.sources import from_root, source_of

READ = 20_000
"""Samples whose captions and labels are read."""
COVERED = 0.95
"""Share of the captions that are read to their end."""
COMMON = 1_000
"""Words, the most frequent first, of which no two should have one row of the embedding."""
TOKENS = (8, 16, 32, 64)
VOCABULARIES = (1024, 2048, 4096, 8192)
"""What `words` is given: the first that suffices, or else the last."""
MOST_CLASSES = 1_000
"""Labels above which they are no classes, but numbers of something else."""


def seen(given: str, out: Path, captions: str | None = None) -> Seen:
    """What a folder of images or shards hold, their place told from the folder `out`.

    `captions` is the table of a folder's captions and labels. Raises GrowlangError for what is not
    there, or cannot be read.
    """
    found = look(source_of(given, captions), Path())
    return replace(found, data=from_root(found.data, out))


def look(declared: Data, root: Path) -> Seen:
    """What a source holds. Raises GrowlangError for one that cannot be read."""
    reads = [member for member in TEXTS if getattr(declared, member, None) is not None]
    index = open_samples(declared, Wanted(frozenset(reads), SEMANTICS), root, None)
    sides = np.minimum(*index.pixels(np.arange(len(index))))
    if not (sides > 0).any():
        raise GrowlangError(f"none of the {len(index):,} images can be read")
    captions = Counter(_values(index, "caption")) if "caption" in reads else Counter[str]()
    return Seen(
        data=declared,
        images=len(index),
        side=int(np.median(sides[sides > 0])),
        captions=list(captions),
        classes=_classes(set(_values(index, "label"))) if "label" in reads else [],
        tokens=_tokens(captions),
        vocabulary=_vocabulary(captions),
    )


def _values(index: Samples, member: str) -> Iterator[str]:
    """The captions or labels of the samples that have them."""
    for row in range(0, len(index), max(1, len(index) // READ)):
        data = index.read(row, member)
        if data is None:
            continue
        try:
            fields = index.fields(row, member)
            value = value_at(data, fields) if fields else data.decode()
        except ValueError:
            continue  # the run reports it, with its place
        if isinstance(value, str | int) and (text := str(value).strip()):
            yield text


def _classes(found: set[str]) -> Sequence[str]:
    """Labels in order; none where they are too many."""
    return in_order(found) if len(found) <= MOST_CLASSES else []


def _tokens(captions: Counter[str]) -> int:
    """Words that a model should read of a caption."""
    lengths = sorted(len(words(caption)) for caption in captions)
    longest = lengths[int(COVERED * (len(lengths) - 1))] if lengths else 0
    return next((count for count in TOKENS if count >= longest), TOKENS[-1])


def _vocabulary(captions: Counter[str]) -> int:
    """Rows of the embedding: so many that frequent words, which are hashed, share none."""
    counted = Counter(word for caption in captions for word in words(caption))
    common = [word for word, _ in counted.most_common(COMMON)]
    for size in VOCABULARIES:
        if len({word_ids(word, size)[0] for word in common}) == len(common):
            return size
    return VOCABULARIES[-1]
