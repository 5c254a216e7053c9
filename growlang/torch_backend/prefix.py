"""Modules of the tokens in front of a core's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from growlang.net import Shape
from growlang.ops import Scope, prefix
from growlang.torch_backend.layers import Device, Linear
from growlang.torch_backend.registration import builds


@builds("prepend")
class Prepend(nn.Module):
    """(B, length, width), and what stands in front -> (B, tokens in front + length, width)."""

    def __init__(self, op: prefix.Prepend, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.names, self.read, self.times = tuple(op.prepend), op.reads(scope), op.times
        self.position = nn.Parameter(torch.empty(op.count(scope), x.width, device=device))
        self.class_token = None
        if prefix.CLASS_TOKEN in op.prepend and prefix.CLASS_TOKEN not in self.read:
            self.class_token = nn.Parameter(torch.empty(1, x.width, device=device))
        self.own = prefix.CLASS_TOKEN
        widths = {name: shape.width for name, shape in scope.conditions.items()}
        widths |= {prefix.TIME: scope.time or 0}
        mapped = [name for name in self.read if widths[name] != x.width]
        if mapped:
            maps = {name: Linear(widths[name], x.width, device=device) for name in mapped}
            self.proj = nn.ModuleDict(maps)
        self.mapped, self.time = tuple(mapped), prefix.TIME

    def forward(self, x: Tensor, *reads: Tensor) -> Tensor:
        """`reads` are time (B, width'), and tokens and mask of each condition, in order.

        Masks are not read: tokens of padding stand in front too.
        """
        parts: list[Tensor] = []  # which torch.compile traces, unlike `list[Tensor]()`
        rest = list(reads)
        for name in self.names:
            if name not in self.read:
                own = x.new_zeros(x.shape[0], 1, x.shape[2])
                if self.class_token is not None and name == self.own:
                    own = own + self.class_token
                parts.append(own)
                continue
            own = rest.pop(0)
            if name == self.time:
                own = own[:, None]
            else:
                rest.pop(0)
            parts.append(self.proj[name](own) if name in self.mapped else own)
        front = torch.cat(parts, dim=1).repeat(1, self.times, 1) + self.position
        return torch.cat([front, x], dim=1)


@builds("unprepend")
class Unprepend(nn.Module):
    """(B, tokens in front + length, width) -> (B, length, width)."""

    def __init__(self, op: prefix.Unprepend, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.count = op.count

    def forward(self, x: Tensor) -> Tensor:
        """Without the first tokens."""
        return x[:, self.count :]
