"""What must be the same on resume for results that are identical bit for bit."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from growlang_runtime.storage.record import Environment
from growlang_runtime.train import precision

CPUINFO = Path("/proc/cpuinfo")


def environment(
    device: torch.device,
    micro_batch: int | None = None,
    *,
    compile: bool = False,
    processes: int = 1,
    decoder: str | None = None,
) -> Environment:
    """What a run computes with here, read back from PyTorch."""
    flags = precision.read()
    return Environment(
        torch=str(torch.__version__),
        processor=processor(),
        device=device.type,
        threads=torch.get_num_threads(),
        micro_batch=micro_batch,
        processes=processes,
        tf32=flags.tf32,
        deterministic=flags.deterministic,
        compile=compile,
        decoder=decoder,
    )


def computed_on(device: torch.device) -> str:
    """The device, and of the CPU how many threads: `cpu (2 threads)`."""
    threads = torch.get_num_threads()
    several = f" ({threads} thread{'s' * (threads > 1)})"
    return f"{device}{several if device.type == 'cpu' else ''}"


def changes(before: Environment, now: Environment) -> list[str]:
    """A line for each thing that differs."""
    return [
        f"{name} is {value}, but was {was}: the result will not be bit-for-bit "
        "identical to an uninterrupted run"
        for (name, value), (_, was) in zip(now, before, strict=True)
        if value != was
    ]


def processor(cpuinfo: Path = CPUINFO) -> str:
    """The processor's model name if Linux gives one, or else its architecture."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    pairs = (line.partition(":") for line in lines)
    names = (value.strip() for key, _, value in pairs if key.strip() == "model name")
    return next(names, "") or platform.processor() or platform.machine()
