"""Sequences of tokens: draw p of a mix of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from growlang.diagnostics import GrowlangError
from growlang.spec.data import Source
from growlang_runtime.data.corpus import Corpus
from growlang_runtime.data.corrupt import Budget, Corrupt
from growlang_runtime.data.draws import permuted
from growlang_runtime.data.identity import Identity
from growlang_runtime.data.images import Indexes
from growlang_runtime.data.mix import Example, Mix
from growlang_runtime.data.tokenizers import Tokenizer


class Vocabulary(NamedTuple):
    """What a model of tokens reads."""

    tokens: int
    """Ids are below it."""
    length: int
    """Tokens of a sequence."""


class Stream:
    """The tokens of a source behind each other, as one sequence: all, or a share of the pieces."""

    def __init__(self, source: Source, corpus: Corpus, held_out: bool) -> None:
        self.name = source.name
        self.corpus = corpus
        kept = [_kept(source, file.hashes, held_out) for file in corpus.files]
        ends = [np.cumsum(file.lengths) for file in corpus.files]
        sizes = [file.lengths[k] for file, k in zip(corpus.files, kept, strict=True)]
        self._file = np.repeat(np.arange(len(kept)), [len(s) for s in sizes])
        begins = [(e - f.lengths)[k] for e, f, k in zip(ends, corpus.files, kept, strict=True)]
        self._at = np.concatenate(begins)
        """Where each piece begins in its file."""
        self._end = np.cumsum(np.concatenate(sizes))
        """Where it ends in the stream."""

    def __len__(self) -> int:
        return int(self._end[-1]) if len(self._end) else 0

    def read(self, first: int, out: NDArray[np.int64]) -> None:
        """Fill `out` with the tokens from `first` on."""
        done, piece = 0, int(np.searchsorted(self._end, first, "right"))
        while done < len(out):
            left = int(self._end[piece]) - first - done
            count = min(left, len(out) - done)
            ids = self.corpus.files[self._file[piece]].ids
            begin = int(self._at[piece] + self._length(piece) - left)
            out[done : done + count] = ids[begin : begin + count]
            done, piece = done + count, piece + 1

    def _length(self, piece: int) -> int:
        return int(self._end[piece] - (self._end[piece - 1] if piece else 0))


class Sequences(Mix):
    """A mix of texts, each draw a sequence of `vocabulary.length` tokens and the one behind it.

    Sequence n of a source begins at token n * length of its stream: in an epoch each of its tokens
    is predicted once, but for the first and what is left at the end. Of sources that hold a share
    out, all but that share is drawn, or that share if `held_out`. Raises GrowlangError for texts
    that cannot be read, ids that the model does not know, and too few tokens.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        vocabulary: Vocabulary,
        seed: int,
        indexes: Indexes,
        budget: Budget | None = None,
        *,
        first: int = 0,
        given: Mapping[str, int] | None = None,
        held_out: bool = False,
    ) -> None:
        super().__init__(sources, first, given)
        self.length, self.seed = vocabulary.length, seed
        budget = Budget(0, indexes.data_root) if budget is None else budget
        self._streams: list[Stream] = []
        for source in sources:
            corpus = indexes.corpus(source)
            budget.count(
                Corrupt(file.path, f"line {fault.line}", fault.reason)
                for file in corpus.files
                for fault in file.faults
            )
            _require_known(source, corpus, vocabulary)
            self._streams.append(Stream(source, corpus, held_out))
            self._require_enough(source, held_out)

    def __len__(self) -> int:
        """Number of sequences of all sources: the length of an epoch."""
        return sum(map(self._count, self._streams))

    @property
    def tokenizer(self) -> Tokenizer:
        """That of all sources."""
        return self._streams[0].corpus.tokenizer

    @property
    def identity(self) -> dict[str, Identity]:
        """The identity of each source's tokens, by the source's name."""
        return {stream.name: Identity(stream.corpus.identity) for stream in self._streams}

    def empty(self, count: int) -> torch.Tensor:
        """Room for some sequences, (count, length + 1) int64."""
        return torch.empty((count, self.length + 1), dtype=torch.int64)

    def draw(self, p: int, out: torch.Tensor | None = None) -> Example:
        """The sequence of draw `p`, in `out` if that is given."""
        number, own = self.own(p)
        stream = self._streams[number]
        place = permuted(self.seed, own, self._count(stream), stream.name)
        ids = self.empty(1)[0] if out is None else out
        stream.read(place * self.length, ids.numpy())
        return Example(ids, None, None, f"sequence {place}", stream.name)

    def _count(self, stream: Stream) -> int:
        return (len(stream) - 1) // self.length

    def _require_enough(self, source: Source, held_out: bool) -> None:
        stream = self._streams[-1]
        if self._count(stream) > 0:
            return
        total = sum(len(file.ids) for file in stream.corpus.files)
        if source.holdout and total > self.length:
            what = "out" if held_out else "all but"
            raise GrowlangError(
                f"`holdout` of {source.holdout:.4g} holds {what} {len(stream):,} of the {total:,} "
                f"tokens of `{source.name}`, and a sequence needs {self.length + 1:,}",
                help=f"{'raise' if held_out else 'lower'} `holdout`, or name data that is held "
                "out: `validate = NAME`",
            )
        raise GrowlangError(
            f"source `{source.name}` has {total:,} tokens, and a sequence needs "
            f"{self.length + 1:,}",
            help="give more text, or a smaller `length` of `tokens(...)`",
        )


def _kept(source: Source, hashes: NDArray[np.float64], held_out: bool) -> NDArray[np.bool_]:
    """Which pieces of a file are drawn."""
    kept: NDArray[np.bool_] = (hashes < source.holdout) == held_out
    return kept if source.holdout else np.ones(len(hashes), np.bool_)


def _require_known(source: Source, corpus: Corpus, vocabulary: Vocabulary) -> None:
    size = corpus.tokenizer.size
    if size > vocabulary.tokens:
        raise GrowlangError(
            f"the tokenizer of source `{source.name}` gives ids of {size:,} tokens, and the model "
            f"knows {vocabulary.tokens:,}",
            help=f"write `tokens(vocabulary = {size}, length = {vocabulary.length})`",
        )
