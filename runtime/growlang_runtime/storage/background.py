"""Writing a checkpoint while training goes on: from copies, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress

import torch
from torch import Tensor

from growlang.torch_backend.device import mark

Write = Callable[[Mapping[str, Tensor]], None]


class Background:
    """Copies tensors, and writes the copies in a thread. Use it as a context manager.

    The copies lie in buffers that are kept, so that memory is taken once. What is written last is
    waited for before the next is copied, by `join`, and at the end.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._buffers: dict[str, Tensor] = {}
        self._writing: Future[None] | None = None
        self._written: Callable[[], None] = lambda: None

    def submit(
        self, tensors: Mapping[str, Tensor], write: Write, written: Callable[[], None]
    ) -> None:
        """Copy the tensors as they are now, and begin to write the copies.

        `written` is called by `poll` or `join` once they are on the disk. Raises as `join`.
        """
        self.join()
        copies, wait = self._copied(tensors)

        def work() -> None:
            wait()
            write(copies)

        self._writing, self._written = self._pool.submit(work), written

    def poll(self) -> None:
        """As `join`, if there is nothing to wait for."""
        if self._writing is not None and self._writing.done():
            self.join()

    def join(self) -> None:
        """Wait until all is written. Raises what kept it from being written, once."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()
            self._written()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._pool, nullcontext() if error is None else suppress(Exception):
            self.join()

    def _copied(
        self, tensors: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], Callable[[], None]]:
        """Copies on the CPU by name, and what waits until they are there.

        Those from a CUDA device go into pinned memory, behind the last step and before the next;
        those from another one are there when this returns.
        """
        copies = {name: self._buffer(name, tensor) for name, tensor in tensors.items()}
        for name, tensor in tensors.items():
            copies[name].copy_(tensor, non_blocking=tensor.is_cuda)
        devices = {tensor.device for tensor in tensors.values() if tensor.is_cuda}
        marks = [mark(device) for device in devices]

        def wait() -> None:
            for behind in marks:
                behind.synchronize()

        return copies, wait

    def _buffer(self, name: str, like: Tensor) -> Tensor:
        kept = self._buffers.get(name)
        if kept is None or (kept.shape, kept.dtype) != (like.shape, like.dtype):
            made = torch.empty(like.shape, dtype=like.dtype, pin_memory=like.is_cuda)
            kept = self._buffers[name] = made
        return kept
