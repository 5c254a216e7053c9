"""The module at the end of a model that classifies images."""

from __future__ import annotations

from torch import Tensor, nn

from growlang.net import Shape
from growlang.ops import Scope, classification
from growlang.torch_backend.layers import Device, LayerNorm, Linear, RMSNorm
from growlang.torch_backend.registration import builds


@builds("classify")
class Classify(nn.Module):
    """(B, C, H, W) or (B, length, width) -> logits (B, classes)."""

    def __init__(self, op: classification.Classify, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.first, self.is_grid = op.takes_front, x.kind == "grid"
        if op.norm != "none":
            layer = LayerNorm if op.norm == "layer" else RMSNorm
            self.norm = layer(x.width, eps=scope.eps, device=device)
        self.has_norm = op.norm != "none"
        self.proj = Linear(x.width, scope.targets[op.label], device=device)

    def forward(self, x: Tensor) -> Tensor:
        """The pooled tokens, normed and mapped."""
        # A view of the first token would keep all of them for the backward pass.
        h = x[:, 0].contiguous() if self.first else x.mean((2, 3) if self.is_grid else 1)
        out: Tensor = self.proj(self.norm(h) if self.has_norm else h)
        return out
