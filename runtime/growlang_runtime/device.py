"""The device that a run computes on."""

from __future__ import annotations

import torch

from growlang.diagnostics import GrowlangError


def open_device(name: str) -> torch.device:
    """The PyTorch device of that name. Raises GrowlangError if it cannot be used here."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise GrowlangError(
            f"device `{name}` cannot be used: {reason}", help="choose another with --device, or cpu"
        ) from None
    return device
