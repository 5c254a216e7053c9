"""All that is measured of a child's growth, on one device."""

from __future__ import annotations

from collections.abc import Mapping as Table
from typing import NamedTuple

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.growth.mapping import Mapping
from growlang.growth.promise import Promise
from growlang.net import ComponentName, Net
from growlang.torch_backend.device import open_device
from growlang.torch_backend.verification.case import Case, incomparable
from growlang.torch_backend.verification.gradients import copied
from growlang.torch_backend.verification.promises import measured


class Measured(NamedTuple):
    """The promises, and what is not promised."""

    promises: tuple[Promise, ...]
    incomparable: str
    """Why the child's function cannot be held against its parent's; empty where it can."""
    locked: tuple[ComponentName, ...]
    """The components whose copies are meant to stay equal, of those that have copies."""


def measure(
    parent: Net,
    child: Net,
    mapping: Mapping,
    weights: Table[str, Tensor] | None,
    device: str,
    *,
    kept: tuple[ComponentName, ...],
    is_exact: bool,
    locked: frozenset[ComponentName],
    real: Table[str, Tensor] | None = None,
) -> Measured:
    """Build both nets and measure every promise; without `weights` the parent's are random.

    `real` are inputs of the child by name, on which its function is measured too.

    Raises GrowlangError if the device cannot be used, or if its memory is too small.
    """
    place = _double_device(device)
    try:
        case = Case.of(
            parent,
            child,
            mapping,
            weights,
            place,
            kept=kept,
            is_exact=is_exact,
            locked=locked,
            real=real,
        )
        promises = measured(case)
    except torch.OutOfMemoryError:
        raise GrowlangError(
            f"{child.name} and its parent do not fit into the memory of {place}",
            help="both are built in float32 and float64: choose another device with --device",
        ) from None
    components = {mapping.by_name[name].component for name in copied(case)}
    return Measured(promises, incomparable(parent, child), tuple(sorted(locked & components)))


def _double_device(name: str) -> torch.device:
    """A device that computes in float64. Raises GrowlangError if there is none of that name."""
    device = open_device(name)
    try:
        torch.zeros(1, dtype=torch.float64, device=device)
    except (TypeError, RuntimeError):
        raise GrowlangError(
            f"{device} does not compute in float64, in which promises are measured",
            help="choose another device with --device, such as cpu",
        ) from None
    return device
