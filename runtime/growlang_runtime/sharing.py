"""The images of one `growlang sample`, shared by the processes that torchrun or srun started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import torch

from growlang.diagnostics import GrowlangError

T = TypeVar("T")
NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")


class Share(NamedTuple):
    """Which of how many processes this one is."""

    rank: int = 0
    size: int = 1
    local: int = 0
    """Its number on this machine."""

    @property
    def first(self) -> bool:
        """Whether this process prints and writes files."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """Which of `count` things in a row are its own: all have as many, but for one."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def gathered(self, value: T) -> list[T]:
        """The values of all processes, by their numbers; each has to call it."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(found, value)
        return found

    def device(self, opened: torch.device) -> torch.device:
        """The GPU of this process, where only the kind of device is said."""
        if self.size == 1 or opened.type != "cuda" or opened.index is not None:
            return opened
        return torch.device("cuda", self.local % torch.cuda.device_count())


@contextmanager
def processes(shared: bool) -> Iterator[Share]:
    """This process among those that were started together; alone if not `shared`.

    Raises GrowlangError for numbers in the environment that cannot be.
    """
    found = _share() if shared else Share()
    if found.size == 1:
        yield found
        return
    own = not torch.distributed.is_initialized()
    if own:
        torch.distributed.init_process_group("gloo")
    try:
        yield found
    finally:
        if own:
            torch.distributed.destroy_process_group()


def _share() -> Share:
    said = [os.environ.get(name, "") for name in NAMES]
    if not said[0] or not said[1]:
        return Share()
    try:
        found = Share(int(said[0]), int(said[1]), int(said[2] or 0))
    except ValueError:
        found = Share(-1)
    if not 0 <= found.rank < found.size:
        raise GrowlangError(
            "the environment names no process of a group: "
            + ", ".join(f"{n}={v}" for n, v in zip(NAMES, said, strict=True)),
            help="start with torchrun, or unset these variables",
        )
    return found
