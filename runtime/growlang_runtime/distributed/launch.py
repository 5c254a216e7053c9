"""How a process was started: alone, or as one of several by torchrun or by Slurm's srun."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from growlang.diagnostics import GrowlangError

PORT, PORTS = 12_000, 20_000
"""The first of the ports of which a Slurm job's number chooses one, and how many they are."""
GROUP = re.compile(r"([^,\[]+)(?:\[([^\]]+)\])?([^,]*)")
"""One entry of Slurm's list of nodes: `gpu7`, or `gpu[03-05,09]`."""


class Launch(NamedTuple):
    """Which of how many processes this is."""

    rank: int = 0
    """From 0 over all machines."""
    size: int = 1
    local: int = 0
    """From 0 on this machine: the number of its device."""


def launch(environ: Mapping[str, str] = os.environ) -> Launch:
    """How this process was started. Raises GrowlangError for numbers that cannot be.

    The script of a Slurm batch job runs once, whatever number of tasks the job has: there `srun`
    starts the processes.
    """
    if "RANK" in environ and "WORLD_SIZE" in environ:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif "SLURM_PROCID" in environ and "SLURM_NTASKS" in environ and not _is_batch(environ):
        names = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")
    else:
        return Launch()
    try:
        found = Launch(*(int(environ.get(name, "0")) for name in names))
    except ValueError:
        found = Launch(-1)
    if not (0 <= found.rank < found.size and found.local >= 0):
        said = ", ".join(f"{name}={environ.get(name, '')}" for name in names)
        raise GrowlangError(
            f"the environment names no process of a group: {said}",
            help="start with torchrun or srun, or unset these variables to train in one process",
        )
    return found


def starter(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The words before `growlang` that start processes like these; none for one process.

    Of several nodes torchrun's options are left out: each node has its own, as `...`.
    """
    if launch(environ).size == 1:
        return []
    if "RANK" not in environ:
        return ["srun"]
    here = environ.get("LOCAL_WORLD_SIZE")
    whole = here is not None and here == environ["WORLD_SIZE"]
    return ["torchrun", f"--nproc-per-node={here}" if whole else "...", "-m"]


def _is_batch(environ: Mapping[str, str]) -> bool:
    return environ.get("ENVIRONMENT") == "BATCH" and "SLURM_STEP_ID" not in environ


def rendezvous(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables with which PyTorch's processes find each other, as far as they are not set.

    torchrun sets them all. Under Slurm the first node is where they meet, at a port that the
    numbers of the job and of its step choose.
    """
    found = launch(environ)
    wanted = {
        "RANK": str(found.rank),
        "WORLD_SIZE": str(found.size),
        "LOCAL_RANK": str(found.local),
    }
    if "MASTER_ADDR" not in environ:
        listed = environ.get("SLURM_STEP_NODELIST") or environ.get("SLURM_JOB_NODELIST")
        wanted["MASTER_ADDR"] = first_node(listed or environ.get("SLURM_NODELIST", "127.0.0.1"))
    if "MASTER_PORT" not in environ:
        job, step = environ.get("SLURM_JOB_ID", "0"), environ.get("SLURM_STEP_ID", "0")
        number = 37 * int(re.sub(r"\D", "", job) or 0) + int(re.sub(r"\D", "", step) or 0)
        wanted["MASTER_PORT"] = str(PORT + number % PORTS)
    return {name: value for name, value in wanted.items() if name not in environ}


def first_node(listed: str) -> str:
    """The first node of Slurm's list: `gpu03` of `gpu[03-05,09],login1`."""
    found = GROUP.match(listed)
    assert found is not None
    before, numbers, behind = found.groups()
    first = re.split(r"[-,]", numbers)[0] if numbers else ""
    return f"{before}{first}{behind}"
