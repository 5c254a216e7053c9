"""Trains a run in processes that are killed: `killing.py FOLDER COUNT PROCESSES`.

A moment is the next time that a process opens a file of the run for writing, or renames, makes or
removes one. Each of COUNT moments, drawn from a seed, has a run of its own, which is killed there
and resumed. Prints, as JSON, the hashes of the last checkpoint of a run that nothing disturbed, and
of each of these. The processes are forked from this one, which has imported what is slow.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import traceback
from pathlib import Path

import diffusers  # noqa: F401 - imported before the processes fork
import torch
import torch.utils.tensorboard
from tiny import state

import growlang
from growlang_runtime.train import training  # noqa: F401
from growlang_runtime.train.result import TrainResult

WRITING = os.O_WRONLY | os.O_RDWR
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir"}
SEED = 0


class Moments:
    """Counts the changes below a folder, and ends the process before one of them."""

    def __init__(self, folder: Path, last: int | None) -> None:
        self.folder, self.last, self.count = str(folder), last, 0
        sys.addaudithook(self.hook)

    def hook(self, event: str, args: tuple[object, ...]) -> None:
        """As `sys.addaudithook` has it."""
        writes = event == "open" and isinstance(args[2], int) and args[2] & WRITING
        if (writes or event in CHANGES) and str(args[0]).startswith(self.folder):
            self.count += 1
            if self.count == self.last:
                os.kill(os.getpid(), signal.SIGKILL)


def trained(folder: Path, name: str, moment: int | None) -> int:
    """Train `grown` in this process; returns how many moments there were."""
    torch.set_num_threads(1)
    moments = Moments(folder / "runs" / "grown" / name, moment)
    growlang.train(
        folder / "grown.grow",
        out=folder / "runs",
        name=name,
        resume="may",
        quiet=True,
        checkpoint_every=2,
        log_every=1,
        workers=1,
    )
    return moments.count


def processes(folder: Path, name: str, count: int, moment: int | None = None) -> int:
    """Train in `count` processes, of which the last is killed at a moment; returns its moments.

    When one is killed, the others are too: they would wait for it.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = folder / f"{name}.count"
    children = []
    for rank in range(count):
        child = os.fork()
        if not child:
            os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": str(rank)}
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            own = moment if rank == count - 1 else None
            try:
                found = trained(folder, name, own)
                if rank == count - 1:
                    told.write_text(str(found))
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        children.append(child)
    failed = False
    for _ in range(count):
        ended, status = os.wait()
        children.remove(ended)
        if status and not failed:
            failed = True
            for child in children:
                os.kill(child, signal.SIGKILL)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            raise SystemExit(f"{name}: a process failed")
    return 0 if failed else int(told.read_text())


def hashes(folder: Path, name: str) -> dict[str, str]:
    """Of the tensors of a run's last checkpoint."""
    return state(TrainResult(folder / "runs" / "grown" / name, 0, 0))


def main(folder: Path, count: int, several: int) -> None:
    """Train the run undisturbed, then killed at each moment."""
    whole = processes(folder, "whole", several)
    moments = random.Random(SEED).sample(range(1, whole + 1), count)
    found = {}
    for moment in moments:
        name = f"killed-{moment}"
        processes(folder, name, several, moment)
        processes(folder, name, several)
        found[name] = hashes(folder, name)
    print(json.dumps({"moments": whole, "whole": hashes(folder, "whole"), "killed": found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3]))
