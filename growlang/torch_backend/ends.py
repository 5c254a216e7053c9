"""Modules at the ends of a net, and the maps, norms and identities between them.

Values are (B, C, H, W), contiguous, or (B, length, C).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, ends
from growlang.torch_backend.layers import Conv2d, Device, GroupNorm, LayerNorm, Linear, group_norm
from growlang.torch_backend.registration import builds


@builds("patch")
class Patch(nn.Module):
    """(B, C, H, W) -> (B, width, H / factor, W / factor)."""

    def __init__(self, op: ends.Patch, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.proj = Conv2d(x.width, op.width, op.factor, stride=op.factor, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """Each patch through one linear map."""
        projected: Tensor = self.proj(x)
        return projected


@builds("unpatch")
class Unpatch(nn.Module):
    """(B, C, H, W) -> (B, image channels, H * factor, W * factor)."""

    def __init__(self, op: ends.Unpatch, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        self.factor = op.factor
        groups = op.numbers(x, scope)["norm.groups"]
        self.norm = group_norm(groups, x.width, scope, device)
        self.proj = Conv2d(x.width, scope.channels * op.factor**2, 1, device=device)

    def forward(self, x: Tensor) -> Tensor:
        """Norm, SiLU, projection, pixel shuffle."""
        return F.pixel_shuffle(self.proj(F.silu(self.norm(x))), self.factor)


class PixelLinear(Linear):
    """Linear map of the channels of a grid: (B, C, H, W) -> (B, width, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """As a 1 x 1 convolution, with the weight of a linear map."""
        return F.conv2d(x, self.weight[:, :, None, None], self.bias)


@builds("linear")
def linear(op: ends.Linear, x: Shape, scope: Scope, device: Device) -> Linear:
    """The linear map of a grid's or of tokens' channels."""
    kind = PixelLinear if x.kind == "grid" else Linear
    return kind(x.width, op.width, device=device)


@builds("norm")
def norm(op: ends.Norm, x: Shape, scope: Scope, device: Device) -> GroupNorm | LayerNorm:
    """GroupNorm of a grid, LayerNorm of tokens."""
    if x.kind == "grid":
        return group_norm(op.numbers(x, scope)["groups"], x.width, scope, device)
    return LayerNorm(x.width, eps=scope.eps, device=device)


@builds("identity")
def identity(op: ends.Identity, x: Shape, scope: Scope, device: Device) -> nn.Identity:
    """The input as it is."""
    return nn.Identity()
