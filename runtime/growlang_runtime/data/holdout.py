"""The share of a source that no step trains on: by a hash of each sample's key.

Whether a sample is held out depends on its key alone: not on the seed, on the other samples or on
their order. What a smaller share holds out, a larger one does too.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from growlang.diagnostics import GrowlangError
from growlang.spec.data import Source
from growlang_runtime.data.source import Samples

Rows = NDArray[np.intp]


def is_held_out(key: str, share: float) -> bool:
    """Whether the sample of a key is among a share of all: its hash, in [0, 1), is below that."""
    hashed = blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(hashed, "big") / 2**64 < share


def held_out(index: Samples, share: float) -> NDArray[np.bool_]:
    """Which samples of an index, by row, are among a share of all."""
    return np.array([is_held_out(index.key(row), share) for row in range(len(index))], np.bool_)


def parted(source: Source, rows: Rows, held: NDArray[np.bool_], wanted: bool) -> Rows:
    """The rows that a source holds out, or else those that it trains on: `held` says it of each.

    Raises GrowlangError where it holds out none of them, or all.
    """
    apart = held[rows]
    count = int(apart.sum())
    if count in (0, len(rows)):
        raise GrowlangError(
            f"`holdout` of {source.holdout:.4g} holds out {'all' if count else 'none'} of the "
            f"{len(rows):,} images of source `{source.name}`",
            help=f"{'lower' if count else 'raise'} `holdout`, or name data that is held out: "
            "`validate = NAME`",
        )
    kept: Rows = rows[apart == wanted]
    return kept
