"""The files of a transfer, written by threads: the system copies, and NumPy or PyTorch computes."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from math import prod
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING

from growlang.diagnostics import GrowlangError
from growlang.net import generations
from growlang.plans.tensor_index import Located
from growlang.transferring.copying import blocks, copy, put, require_finite, rounded, widened
from growlang.transferring.drawing import diagonal, drawn, ones
from growlang.transferring.folder import Folder
from growlang.transferring.jobs import Job, Stopped, Sums, do_all
from growlang.transferring.layout import Placed, Shard, with_sums
from growlang.transferring.tensors import Computed, Converted, Copied, Drawn

if TYPE_CHECKING:
    import torch

Tell = Callable[[int], None]
"""Is told of bytes that are written."""
PIECE = 1 << 27
"""Bytes that one job copies, where tensors are not larger."""
TOLD = 1 << 22
"""Bytes of a tensor after which progress is told."""
LARGEST = 31 << 20
"""Most bytes of a block that glibc keeps when it is freed, if it was shown one."""


class Writing:
    """The files of the parent, open to be read, and what is told and checked on the way."""

    def __init__(
        self, stack: ExitStack, files: Iterable[Path], tell: Tell, *, check: bool, sums: bool
    ) -> None:
        self._files = {path: _readable(stack, path) for path in files}
        self._stopped = Event()
        self._one_computes = Lock()
        """With PyTorch, which has threads of its own, and may need much memory."""
        self._tell = tell
        self._check = check
        self._sums = sums

    def write(self, folder: Folder) -> None:
        """Write all files of a folder that are not there yet, each whole."""
        left = [shard for shard in folder.layout.shards if shard.name not in folder.done]
        for shard in left:
            _create(folder.temporary(shard), shard)
        _keep_freed()
        jobs = [self._jobs(folder.temporary(shard), shard) for shard in left]
        do_all(jobs, lambda number, sums: self._end(folder, left[number], sums), self._stopped)

    def _jobs(self, path: Path, shard: Shard) -> list[Job]:
        """What writes a file: jobs that let the system copy, and one for each other tensor."""
        others = [p for p in shard.tensors if not isinstance(p.made.work, Copied)]
        jobs: list[Job] = [partial(self._copy, path, runs) for runs in _pieces(shard.tensors)]
        return jobs + [partial(self._compute, path, placed) for placed in others]

    def _copy(self, path: Path, runs: Sequence[Sequence[Placed]]) -> Sums:
        """Let the system copy what is copied: tensors that are neighbours in both files at once."""
        sums = Sums()
        with _opened(path) as file:
            for run in runs:
                for placed in run:
                    self._go_on()
                    name, work = placed.made.name, placed.made.work
                    assert isinstance(work, Copied)
                    self._require_whole(name, work)
                    if self._sums:
                        sums[name] = self._sum(name, work.source)
                first, last = run[0], run[-1]
                source = _source_of(first)
                end = _source_of(last).end
                try:
                    opened = self._files[source.file]
                    copy(opened, source.begin, end - source.begin, file, first.begin, self._told)
                except EOFError:
                    raise _cut_short(source.file, first.made.name) from None
        return sums

    def _compute(self, path: Path, placed: Placed) -> Sums:
        """Write a tensor that is not merely copied."""
        self._go_on()
        name, work = placed.made.name, placed.made.work
        if not isinstance(work, Drawn):
            self._require_whole(name, work)
        with _opened(path) as file:
            return {name: self._make(file, placed)}

    def _told(self, count: int) -> None:
        self._go_on()
        self._tell(count)

    def _go_on(self) -> None:
        """Raise Stopped where another thread failed: what ends early must not count as done."""
        if self._stopped.is_set():
            raise Stopped

    def _end(self, folder: Folder, shard: Shard, sums: Mapping[str, int]) -> None:
        if self._sums:
            with _opened(folder.temporary(shard)) as file:
                put(file, with_sums(shard.header, sums), 0)
        folder.finish(shard)

    def _make(self, file: int, placed: Placed) -> int:
        """Write a tensor that is converted, drawn or computed; returns its CRC-32, if asked for."""
        told, untold = 0, 0
        for at, data in self._made(placed):
            put(file, data, placed.begin + at)
            untold += len(data)
            if untold >= TOLD:
                self._told(untold)
                told, untold = told + untold, 0
        self._told(placed.made.bytes - told)
        if not self._sums:
            return 0
        crc, (name, dtype, shape, _) = 0, placed.made
        end = placed.begin + placed.made.bytes
        for data in blocks(file, Located(dtype, shape, Path(name), placed.begin, end)):
            crc = zlib.crc32(data, crc)
        return crc

    def _made(self, placed: Placed) -> Iterator[tuple[int, bytes | memoryview]]:
        """The bytes of a tensor in blocks, each with its offset; what is not given stays zero."""
        name, dtype, shape, work = placed.made
        match work:
            case Converted(source):
                yield from _in_order(self._converted(name, dtype, source))
            case Drawn("zeros"):
                return
            case Drawn("identity"):
                yield from diagonal(dtype, shape)
            case Drawn("ones" | generations.MEASURED):
                yield from _in_order(ones(dtype, prod(shape)))
            case Drawn(init, seed):
                yield from drawn(init, seed, placed.made)
            case Computed(transform, source):
                from growlang.transferring.expanding import expanded, is_expanded

                if source and is_expanded(transform):
                    yield from expanded(placed.made, partial(self._rows, name, source))
                    return
                with self._one_computes:
                    yield from _in_order(self._with_torch(name, dtype, shape, work))

    def _converted(self, name: str, dtype: str, source: Located) -> Iterator[memoryview]:
        for data in self._blocks(name, source):
            require_finite(data, source.dtype, name)
            yield rounded(widened(data, source.dtype), dtype, name).data.cast("B")

    def _with_torch(
        self, name: str, dtype: str, shape: tuple[int, ...], work: Computed
    ) -> Iterator[memoryview]:
        from growlang.net import Tensor as Declared
        from growlang.torch_backend import streaming
        from growlang.torch_backend.transforms import drawn_row

        rows = partial(self._numbers, name, work.source) if work.source else None
        declared = Declared(name, shape, drawn_row(work.transform))
        for block in streaming.computed(work.transform, rows, declared, work.seed):
            values = block.reshape(-1).numpy()
            yield rounded(values, dtype, name).data.cast("B")

    def _numbers(self, name: str, source: Located, low: int, high: int | None) -> torch.Tensor:
        """Rows of one of the parent's tensors in float32."""
        import torch

        high = (source.shape[0] if source.shape else 1) if high is None else high
        data = bytearray(self._rows(name, source, low, high))
        require_finite(data, source.dtype, name)
        shape = (high - low, *source.shape[1:]) if source.shape else ()
        return torch.from_numpy(widened(data, source.dtype)).view(shape)

    def _rows(self, name: str, source: Located, low: int, high: int) -> bytes:
        """The bytes of rows of one of the parent's tensors."""
        each = source.bytes // source.shape[0] if source.shape else source.bytes
        size = (high - low) * each
        data = os.pread(self._files[source.file], size, source.begin + low * each)
        if len(data) < size:
            raise _cut_short(source.file, name)
        return data

    def _require_whole(self, name: str, work: Copied | Converted | Computed) -> None:
        """Raise GrowlangError unless a tensor of the parent has the sum that its file says."""
        if not self._check or work.crc is None or work.source is None:
            return
        found = self._sum(name, work.source)
        if found != work.crc:
            raise GrowlangError(
                f"{work.source.file} is damaged: `{name}` has the CRC-32 {found:08x}, and the "
                f"file says {work.crc:08x}",
                help="fetch or make the file again; --no-verify takes the bytes as they are",
            )

    def _sum(self, name: str, source: Located) -> int:
        crc = 0
        for data in self._blocks(name, source):
            crc = zlib.crc32(data, crc)
        return crc

    def _blocks(self, name: str, source: Located) -> Iterator[bytes]:
        try:
            yield from blocks(self._files[source.file], source)
        except EOFError:
            raise _cut_short(source.file, name) from None


def _in_order(found: Iterable[bytes | memoryview]) -> Iterator[tuple[int, bytes | memoryview]]:
    """Blocks that follow each other, with their offsets."""
    at = 0
    for data in found:
        yield at, data
        at += len(data)


def _readable(stack: ExitStack, path: Path) -> int:
    file = os.open(path, os.O_RDONLY)
    stack.callback(os.close, file)
    return file


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR)
    try:
        yield file
    finally:
        os.close(file)


def _keep_freed() -> None:
    """Let the memory of a block go to the next one, and not back to the system in between.

    The allocator of glibc learns from the largest block that was freed. Otherwise to get the pages
    of a block takes as long as to fill it.
    """
    bytearray(LARGEST)


def _create(path: Path, shard: Shard) -> None:
    """A file of its whole size with its header; what is not written in it is zero."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        os.ftruncate(file, shard.bytes)
        put(file, shard.header, 0)
    finally:
        os.close(file)


def _source_of(placed: Placed) -> Located:
    assert isinstance(placed.made.work, Copied)
    return placed.made.work.source


def _pieces(tensors: Iterable[Placed]) -> list[list[list[Placed]]]:
    """What is copied of a file, in parts of about `PIECE` bytes, each of some runs."""
    pieces: list[list[list[Placed]]] = []
    size = PIECE
    for run in _runs(tensors):
        if size >= PIECE:
            pieces.append([])
            size = 0
        pieces[-1].append(run)
        size += sum(placed.made.bytes for placed in run)
    return pieces


def _runs(tensors: Iterable[Placed]) -> list[list[Placed]]:
    """The tensors that are copied, together where one follows the other in both files.

    A run that has `PIECE` bytes ends.
    """
    runs: list[list[Placed]] = []
    size = 0
    for placed in tensors:
        if not isinstance(placed.made.work, Copied):
            continue
        if not runs or size >= PIECE or not _follows(runs[-1][-1], placed):
            runs.append([])
            size = 0
        runs[-1].append(placed)
        size += placed.made.bytes
    return runs


def _follows(last: Placed, placed: Placed) -> bool:
    """Whether a tensor comes right after another one in both files."""
    before, source = _source_of(last), _source_of(placed)
    same = (before.file, before.end) == (source.file, source.begin)
    return same and last.begin + last.made.bytes == placed.begin


def _cut_short(file: Path, name: str) -> GrowlangError:
    return GrowlangError(
        f"{file} became shorter while it was read: `{name}` is not whole",
        help="nothing else may write the parent meanwhile; start it again",
    )
