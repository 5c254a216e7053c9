"""The share of a source that no step trains on: by a hash of each sample's key.

Whether a sample is held out depends on its key alone: not on the seed, on the other samples or on
their order. What a smaller share holds out, a larger one does too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from growlang.diagnostics import GrowlangError
from growlang.spec.data import Source
from growlang_runtime.data.keys import hashed
from growlang_runtime.data.source import Samples

Rows = NDArray[np.intp]
Hashes = NDArray[np.float64]


def is_held_out(key: str, share: float) -> bool:
    """Whether the sample of a key is among a share of all: its hash, in [0, 1), is below that."""
    return hashed(key) < share


def hashes_of(index: Samples) -> Hashes:
    """The hash of each sample's key, (samples,)."""
    return np.fromiter(map(hashed, index.keys()), np.float64, len(index))


def parted(source: Source, hashes: Hashes, rows: Rows, held_out: bool) -> Rows:
    """The rows that a source holds out, or else those that it trains on, by all rows' hashes.

    Raises GrowlangError where it holds out none of them, or all.
    """
    share = source.holdout
    held = hashes[rows] < share
    count = int(held.sum())
    if count in (0, len(rows)):
        raise GrowlangError(
            f"`holdout` of {share:.4g} holds out {'all' if count else 'none'} of the "
            f"{len(rows):,} images of source `{source.name}`",
            help=f"{'lower' if count else 'raise'} `holdout`, or name data that is held out: "
            "`validate = NAME`",
        )
    kept: Rows = rows[held == held_out]
    return kept
