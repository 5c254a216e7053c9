"""The processes of a run, and what they tell each other.

A process alone is a group of one: it exchanges nothing, and loads nothing of torch.distributed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar

from growlang.diagnostics import GrowlangError
from growlang_runtime.distributed.launch import launch, rendezvous

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributed.device_mesh import DeviceMesh

T = TypeVar("T")
FAILED = "growlang/failed"
"""The key under which the first process that fails leaves its rank and its exit status."""
LOST = "growlang/lost"
"""The key under which the first that misses another leaves the same."""
GRACE = timedelta(seconds=10)
"""How long the first process waits for the others to fail too."""
ASKED = 1.0
"""Seconds after which a process that waits for the first without a limit asks again."""


class Ranks:
    """The processes that train together; this one has the number `rank` of `size`.

    But for `share` and `first`, all processes have to call a method at the same place.
    """

    def __init__(self, rank: int = 0, size: int = 1, local: int = 0) -> None:
        self.rank, self.size, self.local = rank, size, local
        self.waits = 0
        """How often all waited for the first without a limit."""

    @property
    def first(self) -> bool:
        """Whether this is the process that prints and writes files."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of `count` things in a row are this process's: all have as many, but for one."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def largest_share(self, count: int) -> int:
        """The most of `count` things that one process has."""
        return -(-count // self.size)

    def mesh(self, device: str) -> DeviceMesh | None:
        """The processes as PyTorch shards over them; None for one alone."""
        if self.size == 1:
            return None
        from torch.distributed.device_mesh import init_device_mesh

        return init_device_mesh(device, (self.size,))

    def sum(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes, in place."""
        if self.size > 1:
            from torch import distributed

            distributed.all_reduce(values)
        return values

    def largest(self, number: int) -> int:
        """The largest of all processes' numbers."""
        if self.size == 1:
            return number
        import torch
        from torch import distributed

        found = torch.tensor(number, dtype=torch.int64)
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
        return int(found)

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by their numbers."""
        if self.size == 1:
            return [value]
        from torch import distributed

        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, value)
        return found

    def gather_if(self, worth: bool, value: T) -> list[T]:
        """The values of all processes where one of them finds its own worth it, else only one's."""
        return self.gather(value) if self.largest(int(worth)) else [value]

    def tell(self, make: Callable[[], T]) -> T:
        """What the first process makes, told to all. What it raises, all raise."""
        if self.size == 1:
            return make()
        from torch import distributed

        said: list[Any] = [None, None]
        error: Exception | None = None
        if self.first:
            try:
                said[0] = make()
            except Exception as raised:
                error, said[1] = raised, _told(raised)
        distributed.broadcast_object_list(said, src=0)
        if error is not None:
            raise error
        if said[1] is not None:
            raise said[1]
        result: T = said[0]
        return result

    def tell_late(self, make: Callable[[], T]) -> T:
        """`tell`, of what may take longer than an exchange may: the others wait without a limit.

        They ask in between, so that they notice if the first process fails or is gone.
        """
        if self.size == 1:
            return make()
        self.waits += 1
        made = f"growlang/made/{self.waits}"
        if not self.first:
            _wait_for(made)
        return self.tell(lambda: _announced(make, made))

    def agree(self, make: Callable[[], T]) -> T:
        """What this process makes, once all have made theirs. What one raises, all raise."""
        if self.size == 1:
            return make()
        made: list[T] = []
        error: Exception | None = None
        try:
            made.append(make())
        except Exception as raised:
            error = raised
        failures = self.gather(None if error is None else _told(error))
        if error is not None:
            raise error
        for failure in failures:
            if failure is not None:
                raise failure
        return made[0]


ALONE = Ranks()
"""A process by itself."""


def _announced(make: Callable[[], T], key: str) -> T:
    """What is made; the key is set in the group's store then."""
    from torch.distributed.distributed_c10d import _get_default_store

    try:
        return make()
    finally:
        _get_default_store().set(key, "")


def _wait_for(key: str) -> None:
    """Wait until a key is in the group's store, or raise what `is_lost` knows.

    The store is the first process's, or torchrun's, which ends the others with the first.
    """
    from torch import distributed
    from torch.distributed.distributed_c10d import _get_default_store

    store = _get_default_store()
    while not store.check([key]):
        if store.check([FAILED]):
            raise distributed.DistBackendError("the first process has failed")
        sleep(ASKED)  # the store's own wait warns whenever its time is over


def _told(error: Exception) -> Exception:
    """An error as other processes raise it."""
    if isinstance(error, GrowlangError):
        return GrowlangError(error.message, help=error.help, exit_status=error.exit_status)
    if isinstance(error, OSError):
        return OSError(error.errno, error.strerror, error.filename)
    return RuntimeError(f"{type(error).__name__}: {error}")


@contextmanager
def joined() -> Iterator[Ranks]:
    """The processes that this one was started with, joined; a group that is there is used.

    Raises GrowlangError if they do not find each other.
    """
    found = launch()
    if is_joined():
        from torch import distributed

        yield Ranks(distributed.get_rank(), distributed.get_world_size(), found.local)
        return
    if found.size == 1:
        yield ALONE
        return
    _join()
    from torch import distributed

    try:
        yield Ranks(*found)
    finally:
        if distributed.is_initialized():
            with suppress(RuntimeError):  # of processes that are gone already
                distributed.destroy_process_group()


def is_joined() -> bool:
    """Whether this process belongs to a group."""
    if "torch" not in sys.modules:
        return False
    from torch import distributed

    return distributed.is_available() and distributed.is_initialized()


def _join() -> None:
    import torch
    from torch import distributed

    os.environ.update(rendezvous())
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        distributed.init_process_group(backend)
    except (RuntimeError, ValueError) as error:
        place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise GrowlangError(
            f"the processes of this run did not find each other at {place}: "
            f"{str(error).splitlines()[0]}",
            help="start them with torchrun or srun, or set MASTER_ADDR and MASTER_PORT",
        ) from error


def claims(key: str, status: int) -> int | None:
    """The exit status of the process that was first of the group under a key; `status` is its own.

    None if it is this one, now and later, or the process that kept the keys is gone.
    """
    if not is_joined():
        return None
    from torch import distributed
    from torch.distributed.distributed_c10d import _get_default_store

    own = distributed.get_rank()
    try:
        found: bytes = _get_default_store().compare_set(key, "", f"{own} {status}")
    except RuntimeError:
        return None
    rank, first = map(int, found.split())
    return None if rank == own else first


def failed_before(status: int) -> int | None:
    """The exit status of the process of the group that failed before this one, which has `status`.

    None if there is none: this one says why. Others fail after it, since they wait for it.
    """
    before = claims(FAILED, status)
    leave()
    return before


def leave() -> None:
    """Leave the group for good: those who wait for this process learn that it fails."""
    if not is_joined():
        return
    from torch import distributed
    from torch.distributed.distributed_c10d import _get_default_store

    own, size, store = distributed.get_rank(), distributed.get_world_size(), _get_default_store()
    with suppress(RuntimeError):  # the process that held it is gone
        if distributed.get_backend() == "gloo":
            distributed.destroy_process_group()
        store.set(f"{FAILED}/{own}", "")
        if own == 0:  # which may hold what they ask
            with suppress(RuntimeError):
                store.wait([f"{FAILED}/{rank}" for rank in range(size)], GRACE)


def is_lost(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is that another process of the group is gone.

    One that says why it fails is not lost: it claims `FAILED` before it goes.
    """
    if not is_joined():
        return False
    from torch import distributed

    kinds = (distributed.DistBackendError, distributed.DistNetworkError)
    while error is not None:
        if isinstance(error, kinds) or "gloo/transport" in str(error):
            return not _has_failed()
        error = error.__cause__ or error.__context__
    return False


def _has_failed() -> bool:
    """Whether a process of the group has claimed that it fails."""
    from torch.distributed.distributed_c10d import _get_default_store

    try:
        return bool(_get_default_store().check([FAILED]))
    except RuntimeError:
        return False


def each_once(found: Sequence[Sequence[T]]) -> list[T]:
    """What several processes found, each once, in their order."""
    return list(dict.fromkeys(item for several in found for item in several))
