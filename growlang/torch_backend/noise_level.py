"""The module of the noise level, and what is added to it."""

from __future__ import annotations

from math import log, pi

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, noise_level
from growlang.torch_backend.layers import Device, Linear
from growlang.torch_backend.registration import builds

LOWEST, HIGHEST = 2 * pi / 64, 2 * pi
"""Range of the frequencies of log-SNRs, in radians per nat."""


@builds("fourier")
class Fourier(nn.Module):
    """(B,) log-SNR in nats, or what else of the noise level -> (B, width)."""

    def __init__(self, op: noise_level.Fourier, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.frequencies = op.frequencies(x, scope)
        self.period, self.is_closed = op.period, op.spacing == "closed"
        self.cosines_first, self.scale = op.order == "cos_sin", op.scale
        self.has_maps = op.mlp
        if op.mlp:
            self.linear1 = Linear(2 * self.frequencies, op.width, device=device)
            self.linear2 = Linear(op.width, op.width, device=device)
        if op.add:
            self.add = nn.ModuleDict({name: Added(name, op, scope, device) for name in op.add})
        self.names = tuple(op.add)

    def forward(self, level: Tensor, *conditions: Tensor | None) -> Tensor:
        """Waves through the two linear maps, and the conditions, each by tokens and mask."""
        wide = torch.promote_types(level.dtype, torch.float32)
        angles = level.to(wide)[:, None] * self.radians(level.device, wide)
        if self.scale != 1:
            angles = self.scale * angles
        waves = [angles.sin(), angles.cos()]
        joined = torch.cat(waves[::-1] if self.cosines_first else waves, dim=1).to(level.dtype)
        out: Tensor = self.linear2(F.silu(self.linear1(joined))) if self.has_maps else joined
        for at, name in enumerate(self.names):
            tokens, mask = conditions[2 * at : 2 * at + 2]
            out = out + self.add[name](tokens, mask)
        return out

    def radians(self, device: Device, wide: torch.dtype) -> Tensor:
        """The frequencies, (frequencies,), in radians for each unit of what is embedded."""
        count = self.frequencies
        if self.period is None:
            return torch.linspace(log(LOWEST), log(HIGHEST), count, device=device, dtype=wide).exp()
        exponents = -log(self.period) * torch.arange(count, device=device, dtype=wide)
        return (exponents / max(1, count - self.is_closed)).exp()


class Added(nn.Module):
    """Tokens (B, length, width') of a condition and their mask -> one vector (B, width)."""

    def __init__(self, name: str, op: noise_level.Fourier, scope: Scope, device: Device) -> None:
        super().__init__()
        own, self.pool = scope.conditions[name].width, scope.pools.get(name, "mean")
        attentive = noise_level.is_attentive(name, scope)
        self.score = Linear(own, 1, bias=False, device=device) if attentive else None
        self.proj = Linear(own, op.width, device=device) if own != op.width else None

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """The pooled tokens, through the map if there is one."""
        pooled = self.pooled(tokens, mask)
        return pooled if self.proj is None else self.proj(pooled)

    def pooled(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """(B, width'), of the valid tokens alone."""
        if self.pool == "first":
            return tokens[:, 0]
        if self.score is not None:
            scores: Tensor = self.score(tokens)[..., 0]
            if mask is not None:
                scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
            return (scores.softmax(-1)[:, :, None] * tokens).sum(1)
        if mask is None:
            return tokens.mean(1)
        weights = mask.to(tokens.dtype)[:, :, None]
        return (weights * tokens).sum(1) / weights.sum(1).clamp(min=1)
