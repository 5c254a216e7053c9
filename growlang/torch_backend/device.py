"""The devices of this machine that PyTorch computes on."""

from __future__ import annotations

import re
import resource
import sys

import torch

from growlang.diagnostics import GrowlangError

FORM = re.compile(r"(cpu|cuda|mps|xpu)(?::([0-9]{1,4}))?")
"""A device that PyTorch trains on, and its number."""


AUTOMATIC = ("cuda", "mps", "cpu")
"""The kinds of which `auto` takes the first that is there."""


def open_device(name: str, recorded: str | None = None) -> torch.device:
    """The PyTorch device of that name. Raises GrowlangError if it cannot be used here.

    `auto` is the kind that a run `recorded`, if it is there, or else CUDA, MPS or the CPU. A GPU
    with a number becomes PyTorch's current one.
    """
    there = available()
    if name == "auto":
        kinds = [device.removesuffix(":0") for device in there]
        return open_device(next(k for k in (recorded, *AUTOMATIC) if k in kinds))
    found = FORM.fullmatch(name)
    if found is None or f"{found[1]}:{found[2] or 0}" not in there:
        devices = ", ".join(device.removesuffix(":0") for device in there)
        raise GrowlangError(
            f"no device `{name}` on this machine", help=f"available with --device: {devices}"
        )
    try:
        device = torch.device(name if found[1] != "cpu" else "cpu")
        if device.type == "cuda" and device.index is not None:
            torch.cuda.set_device(device)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise GrowlangError(
            f"cannot use device `{name}`: {reason}", help="choose another device with --device"
        ) from None
    return device


def available() -> list[str]:
    """The devices of this machine, each with its number."""
    counts = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
        "xpu": torch.xpu.device_count(),
    }
    return [f"{kind}:{number}" for kind, count in counts.items() for number in range(count)]


def mark(device: torch.device) -> torch.cuda.Event:
    """An event behind all that a CUDA device was given so far, on its current stream."""
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event


def peak_memory(device: torch.device) -> int:
    """Largest memory so far, in bytes: of the device if it is a CUDA one, else of the process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
