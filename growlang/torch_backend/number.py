"""The module of numbers as a token."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, number
from growlang.torch_backend.layers import Device, Linear
from growlang.torch_backend.registration import builds


@builds("number")
class Number(nn.Module):
    """(B, numbers) -> (B, 1, width); where a number is NaN, the null."""

    def __init__(self, op: number.Number, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.count, self.period, self.scale = op.features // 2, op.max_period, op.scale
        self.cosines_first = op.order == "cos_sin"
        self.linear1 = Linear(len(op.fields) * op.features, op.width, device=device)
        self.linear2 = Linear(op.width, op.width, device=device)
        self.has_null = op.null
        if op.null:
            self.null = nn.Parameter(torch.empty(1, op.width, device=device))

    def forward(self, numbers: Tensor) -> Tensor:
        """The waves of each number, one number behind the other, through the two maps."""
        known = self.scale * numbers.nan_to_num()
        waves = self.waves(known).flatten(1).to(numbers.dtype)
        out: Tensor = self.linear2(F.silu(self.linear1(waves)))[:, None]
        if not self.has_null:
            return out
        return torch.where(numbers.isnan().any(1)[:, None, None], self.null, out)

    def waves(self, numbers: Tensor) -> Tensor:
        """(B, numbers) -> (B, numbers, features)."""
        index = torch.arange(self.count, device=numbers.device, dtype=numbers.dtype)
        angles = numbers[:, :, None] * (-log(self.period) * index / self.count).exp()
        both = [angles.sin(), angles.cos()]
        return torch.cat(both[::-1] if self.cosines_first else both, dim=-1)
