"""Modules at the ends of a model of tokens."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, tokens
from growlang.torch_backend.layers import Device, Embedding, LayerNorm, Linear, RMSNorm
from growlang.torch_backend.registration import builds


@builds("embed")
class Embed(nn.Module):
    """(B, length) ids -> (B, length, width)."""

    def __init__(self, op: tokens.Embed, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.embedding = Embedding(scope.vocabulary or 0, op.width, device=device)

    def forward(self, ids: Tensor) -> Tensor:
        """One row of the table per id."""
        out: Tensor = self.embedding(ids)
        return out


@builds("unembed")
class Unembed(nn.Module):
    """(B, length, width) -> (B, length, vocabulary)."""

    def __init__(self, op: tokens.Unembed, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        layer = LayerNorm if op.norm == "layer" else RMSNorm
        self.norm = layer(x.width, eps=scope.eps, device=device)
        rows = scope.vocabulary or 0
        self.proj = None if op.tied else Linear(x.width, rows, bias=False, device=device)

    def forward(self, x: Tensor, table: Tensor | None = None) -> Tensor:
        """The norm, then the map, or the products with the rows of a table (vocabulary, width)."""
        h = self.norm(x)
        weight = table if self.proj is None else self.proj.weight
        assert weight is not None
        out: Tensor = F.linear(h, weight)
        return out
