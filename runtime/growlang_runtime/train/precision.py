"""In which numbers a run computes, and whether it computes them the same way every time."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import torch

from growlang.diagnostics import GrowlangError

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
"""The variable that makes cuBLAS deterministic, which it reads when CUDA starts."""
WORKSPACE = ":4096:8"
DETERMINISTIC_WORKSPACES = (WORKSPACE, ":16:8")


class Flags(NamedTuple):
    """How products are computed on a CUDA device."""

    tf32: bool
    """Whether fp32 products are rounded to TF32: 10 bits of mantissa, and several times faster."""
    deterministic: bool
    """Whether kernels are chosen that give the same bits every time."""


@contextmanager
def computing(flags: Flags, variables: MutableMapping[str, str] | None = None) -> Iterator[None]:
    """Compute as asked; afterwards as before. Enter it before CUDA starts.

    Raises GrowlangError if CUDA has started without what determinism needs.
    """
    if flags.deterministic:
        _prepare(os.environ if variables is None else variables)
    cudnn, before = torch.backends.cudnn, read()
    kept = cudnn.deterministic, cudnn.benchmark
    try:
        _set(flags)
        cudnn.deterministic, cudnn.benchmark = flags.deterministic, False
        yield
    finally:
        _set(before)
        cudnn.deterministic, cudnn.benchmark = kept


def _set(flags: Flags) -> None:
    torch.backends.cuda.matmul.allow_tf32 = flags.tf32
    torch.backends.cudnn.allow_tf32 = flags.tf32
    torch.use_deterministic_algorithms(flags.deterministic)


def read() -> Flags:
    """How PyTorch computes now."""
    return Flags(
        torch.backends.cuda.matmul.allow_tf32,
        torch.are_deterministic_algorithms_enabled(),
    )


def _prepare(variables: MutableMapping[str, str]) -> None:
    set_ = variables.get(CUBLAS)
    if set_ in DETERMINISTIC_WORKSPACES:
        return
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    if set_ is not None or started:
        state = f"is {set_}" if set_ is not None else "is not set, and CUDA has started"
        raise GrowlangError(
            f"--deterministic needs the variable {CUBLAS}, which {state}",
            help=f"export {CUBLAS}={WORKSPACE} before the process starts",
        )
    variables[CUBLAS] = WORKSPACE


@contextmanager
def apart(device: torch.device, *, compiled: bool = False) -> Iterator[None]:
    """For what is drawn or measured while a run trains: it leaves nothing behind.

    Within, autocast keeps no rounded weights: those that are rounded without gradients would stand
    for the weights in a step around it. Compiled blocks run as they were written, so that other
    shapes and weights compile nothing anew.
    """
    eager = torch.compiler.set_stance("force_eager") if compiled else nullcontext()
    with torch.autocast(device.type, enabled=False, cache_enabled=False), eager:
        yield
