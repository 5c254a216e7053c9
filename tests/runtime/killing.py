"""Trains a run in processes that are killed: `killing.py FOLDER COUNT PROCESSES`.

A moment is the next time that a process opens a file of the run for writing, or renames, makes or
removes one. Each of COUNT moments, drawn from a seed from those of all processes, has a run of its
own, of which one process is killed there, and which is resumed. Prints, as JSON, the files and the
hashes of the last checkpoint of a run that nothing disturbed, and of each of these. The processes
are forked from this one, which has imported what is slow.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import traceback
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import NamedTuple

import diffusers  # noqa: F401 - imported before the processes fork
import torch
import torch.utils.tensorboard
import typer
from tiny import state

import growlang
from growlang.cli.voices import one_voice
from growlang.diagnostics import Exit, GrowlangError
from growlang_runtime.distributed.launch import Launch
from growlang_runtime.train import training  # noqa: F401
from growlang_runtime.train.result import TrainResult

WRITING = os.O_WRONLY | os.O_RDWR
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir"}
SEED = 0


class Moment(NamedTuple):
    """Before which change a process is killed, and which one."""

    rank: int
    number: int


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
    with one_voice():
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


def start(folder: Path, name: str, launch: Launch, port: int, moment: int | None) -> int:
    """Fork a process that trains, and leaves its moments or its message; returns its id."""
    if child := os.fork():
        return child
    said = folder / f"{name}.{launch.rank}"
    os.environ |= {"RANK": str(launch.rank), "WORLD_SIZE": str(launch.size)}
    os.environ |= {"LOCAL_RANK": str(launch.local)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    try:
        said.write_text(str(trained(folder, name, moment)))
        os._exit(0)
    except GrowlangError as error:
        said.write_text(error.message)
        os._exit(error.exit_status)
    except typer.Exit as silent:  # another process says why
        said.write_text("")
        os._exit(silent.exit_code)
    except BaseException:
        traceback.print_exc()
        os._exit(99)


def processes(folder: Path, name: str, count: int, killed: Moment | None = None) -> list[int]:
    """Train in `count` processes, of which one may be killed; returns the moments of each.

    The others are left alone: they have to end by themselves, and say that one was lost.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    moments = [killed.number if killed and killed.rank == r else None for r in range(count)]
    children = [
        start(folder, name, Launch(rank, count, rank), port, moment)
        for rank, moment in enumerate(moments)
    ]
    said = []
    for rank, child in enumerate(children):
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if killed is not None and status == -signal.SIGKILL and killed.rank == rank:
            continue
        said.append((folder / f"{name}.{rank}").read_text())
        if status and (killed is None or status != Exit.LOST):
            raise SystemExit(f"{name}: process {rank} ended with {status}: {said[-1]}")
    return [] if killed else list(map(int, said))


def hashes(folder: Path, name: str) -> dict[str, str]:
    """Of the tensors of a run's last checkpoint."""
    return state(TrainResult(folder / "runs" / "grown" / name, 0, 0))


def files(folder: Path, name: str) -> list[str]:
    """The files of a run, but for those of TensorBoard, of which each start has one."""
    run = folder / "runs" / "grown" / name
    found = (path.relative_to(run) for path in run.rglob("*"))
    return sorted(str(p) for p in found if p.parts[0] != "tensorboard")


def drawn(counts: list[int], count: int) -> list[Moment]:
    """Moments of all processes in turn, in the order of a draw."""
    draw = random.Random(SEED)
    each = [draw.sample(range(1, of + 1), of) for of in counts]
    turns = ([Moment(r, n) for r, n in enumerate(turn) if n] for turn in zip_longest(*each))
    return list(islice(chain.from_iterable(turns), count))


def main(folder: Path, count: int, several: int) -> None:
    """Train the run undisturbed, then killed at each moment."""
    counts = processes(folder, "whole", several)
    found = {}
    for moment in drawn(counts, count):
        name = f"killed-{moment.rank}-{moment.number}"
        processes(folder, name, several, moment)
        processes(folder, name, several)
        found[name] = {"tensors": hashes(folder, name), "files": files(folder, name)}
    whole = {"tensors": hashes(folder, "whole"), "files": files(folder, "whole")}
    print(json.dumps({"moments": counts, "whole": whole, "killed": found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3]))
