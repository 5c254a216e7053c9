"""What a set of images holds: how many and how large, their captions and their classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import SEMANTICS
from growlang.spec.data import Data
from growlang.spec.labels import in_order
from growlang.starting.seen import Seen
from growlang_runtime.conditioning.words import word_ids, words
from growlang_runtime.data.layout import TEXTS
from growlang_runtime.data.source import Samples, Wanted, open_samples
from growlang_runtime.data.texts import Unusable, caption, written_label
from growlang_runtime.starting.sources import from_root, source_of

READ = 20_000
"""Samples of which captions are read, spread over the set; labels are read of all."""
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
    rows = range(len(index))
    some = rows[:: max(1, len(rows) // READ)]
    captions = Counter(_texts(index, some, caption) if "caption" in reads else ())
    return Seen(
        data=declared,
        images=len(index),
        side=int(np.median(sides[sides > 0])),
        captions=list(captions),
        classes=_classes({*_texts(index, rows, written_label)}) if "label" in reads else [],
        tokens=_tokens(captions),
        vocabulary=_vocabulary(captions),
    )


def _texts(
    index: Samples, rows: Iterable[int], read: Callable[[Samples, int], object]
) -> Iterator[str]:
    """The captions or labels of the samples that have them."""
    for row in rows:
        with suppress(Unusable):  # the run reports it, with its place
            value = read(index, row)
            if value is not None and (text := str(value).strip()):
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
