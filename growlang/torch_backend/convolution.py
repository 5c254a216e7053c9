"""Modules of the ops on feature maps. Values are (B, C, H, W), contiguous."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, convolution
from growlang.torch_backend.layers import Conv2d, Device, Linear, group_norm
from growlang.torch_backend.registration import builds


@builds("conv", "zero_conv")
class Conv(Conv2d):
    """(B, C, H, W) -> (B, width, H, W)."""

    def __init__(
        self, op: convolution.Conv | convolution.ZeroConv, x: Shape, scope: Scope, device: Device
    ) -> None:
        kernel = op.kernel if isinstance(op, convolution.Conv) else 1
        super().__init__(x.width, op.width, kernel, padding=kernel // 2, device=device)


@builds("residual")
class Residual(nn.Module):
    """(B, C, H, W) and, with time, (B, time) -> (B, width, H, W)."""

    def __init__(self, op: convolution.Residual, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        width, padding, numbers = op.width, op.kernel // 2, op.numbers(x, scope)
        self.dropout = op.dropout
        self.norm1 = group_norm(numbers["norm1.groups"], x.width, scope, device)
        self.conv1 = Conv2d(x.width, width, op.kernel, padding=padding, device=device)
        self.time = Linear(scope.time, 2 * width, device=device) if scope.time else None
        self.norm2 = group_norm(numbers["norm2.groups"], width, scope, device)
        self.conv2 = Conv2d(width, width, op.kernel, padding=padding, device=device)
        self.skip = Conv2d(x.width, width, 1, device=device) if x.width != width else None

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """The skip plus the branch."""
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        if self.time is not None and time is not None:
            scale, shift = self.time(F.silu(time))[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        h = F.dropout(F.silu(h), self.dropout, self.training)
        skip: Tensor = x if self.skip is None else self.skip(x)
        branch: Tensor = self.conv2(h)
        return skip + branch
