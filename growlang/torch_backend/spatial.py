"""Module of attention over the positions of a grid. Values are (B, C, H, W), contiguous."""

from __future__ import annotations

from torch import Tensor, nn

from growlang.net import Shape
from growlang.ops import Scope, spatial
from growlang.torch_backend.attention import attend
from growlang.torch_backend.layers import Device, Linear, group_norm
from growlang.torch_backend.registration import builds


@builds("spatial_attention")
class SpatialAttention(nn.Module):
    """(B, C, H, W) -> the same."""

    def __init__(
        self, op: spatial.SpatialAttention, x: Shape, scope: Scope, device: Device
    ) -> None:
        super().__init__()
        self.heads = op.heads
        self.norm = group_norm(op.numbers(x, scope)["norm.groups"], x.width, scope, device)
        self.qkv = Linear(op.width, 3 * op.width, device=device)
        self.out = Linear(op.width, op.width, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """The input plus what its positions attend to."""
        pixels: Tensor = self.norm(x).flatten(2).transpose(1, 2)
        projected: Tensor = self.qkv(pixels)
        split = projected.reshape(*projected.shape[:2], 3, self.heads, -1)
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind(0)
        attended: Tensor = self.out(attend(q, k, v).transpose(1, 2).flatten(2))
        return x + attended.transpose(1, 2).reshape(x.shape)
