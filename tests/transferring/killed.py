"""Grows a checkpoint in processes that kill themselves: `killed.py PARENT CHILD OUT MOMENT...`.

A moment is the next time that the process is about to write, copy, rename, make or remove
something. For each MOMENT a process is forked from this one, which goes on with the transfer in
OUT/MOMENT and is killed there; another one ends it. Without moments, the moments of a whole
transfer are counted and printed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from growlang.checking import check
from growlang.transferring.transfer import transfer

WRITES = ("copy_file_range", "pwrite", "ftruncate", "replace", "mkdir", "unlink", "fsync")
LIMIT = 60_000
"""Bytes of a file: there are several."""


def counting(last: int | None) -> list[int]:
    """Count the moments of this process from here on; at the last one, it is killed."""
    count = [0]
    lock = threading.Lock()

    def before(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            with lock:
                count[0] += 1
                if count[0] == last:
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return counted

    for name in WRITES:
        setattr(os, name, before(getattr(os, name)))
    return count


def in_a_process(work: Callable[[], object]) -> int:
    """The status of a process that does some work."""
    pid = os.fork()
    if not pid:
        work()
        sys.stdout.flush()
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def main(parent: Path, child: Path, out: Path, *moments: str) -> None:
    """Print the number of moments, or how many of the processes were killed."""
    checked = check(child).require(child)

    def grow(to: Path, last: int | None = None) -> int:
        count = counting(last)
        transfer(parent, checked, to, shard_size=LIMIT)
        return count[0]

    if not moments:
        in_a_process(lambda: print(grow(out)))
        return
    killed = 0
    for moment in moments:
        to = out / moment
        killed += in_a_process(lambda to=to, at=int(moment): grow(to, at)) == signal.SIGKILL
        if status := in_a_process(lambda to=to: grow(to)):
            sys.exit(f"the transfer that was killed at moment {moment} ended with {status}")
    print(killed)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), *sys.argv[4:])
