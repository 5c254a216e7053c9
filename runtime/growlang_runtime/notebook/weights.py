"""A state dict that knows which net it is of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from growlang.diagnostics.literals import dimensions
from growlang.diagnostics.unknown import UnknownName
from growlang.net import Net
from growlang.tables.shown import Shown
from growlang.torch_backend.device import open_device
from growlang.torch_backend.lower import LoweredNet, lower
from growlang_runtime.storage import weights as storage

if TYPE_CHECKING:
    from rich.console import Console


class Weights(Shown, dict[str, Tensor]):
    """A state dict, float32 on the CPU, that knows which net it is of; it prints as a table."""

    stored: storage.Weights
    """As they were read: with the file's metadata."""
    averaged: bool
    """Whether they are the averages (EMA) of a run, and not the weights that it trains."""

    def __init__(self, stored: storage.Weights, averaged: bool) -> None:
        super().__init__(stored.tensors)
        self.stored = stored
        self.averaged = averaged

    @property
    def net(self) -> Net:
        """The net that they are of."""
        return self.stored.net

    @property
    def path(self) -> Path:
        """The file, or the checkpoint's folder."""
        return self.stored.path

    @property
    def step(self) -> int | None:
        """Step of the checkpoint that they are of; None for a finished model."""
        return self.stored.step

    def module(self, device: torch.device | str = "cpu") -> LoweredNet:
        """The module with these weights, in evaluation mode; `module.train()` to train on.

        It is called with the values of `net.inputs` in their order. Raises GrowlangError if this
        machine has no such device.
        """
        module = lower(self.net, open_device(str(device)))
        module.load_state_dict(dict(self))
        return module.eval()

    def __missing__(self, name: str) -> Tensor:
        raise UnknownName(f"{self.path} has no tensor", name, self)

    def __repr__(self) -> str:
        what = "averages" if self.averaged else "weights"
        at = "" if self.step is None else f" at step {self.step:,}"
        count = sum(tensor.numel() for tensor in self.values())
        return (
            f"Weights({what} of {self.net.name}{at}: {len(self):,} tensors, {count:,} parameters)"
        )

    def print(self, out: Console) -> None:
        """Print a line for each tensor: its shape, mean and standard deviation."""
        from growlang.tables.parts import table_of

        table = table_of("<tensor", "<shape", "parameters", "mean", "std")
        for name, tensor in self.items():
            values = tensor.double()
            mean, std = f"{values.mean():.2e}", f"{values.std(correction=0):.2e}"
            table.add_row(name, dimensions(tuple(tensor.shape)), f"{tensor.numel():,}", mean, std)
        out.print(f"{self!r}\n", markup=False)
        out.print(table)
