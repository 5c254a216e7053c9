"""What `convnext` and `bytes` compute. Parameters have the names and shapes that are declared."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope
from growlang_extras import condition, convnext


class ConvNeXt(nn.Module):
    """(B, C, H, W) and, with time, (B, time) -> (B, C, H, W).

    Parameters are initialised afterwards, from the table that the op declares.
    """

    def __init__(
        self, op: convnext.ConvNeXt, x: Shape, scope: Scope, device: torch.device | str
    ) -> None:
        super().__init__()
        width, hidden = x.width, op.expand * x.width
        self.depthwise = nn.Conv2d(
            width, width, op.kernel, padding=op.kernel // 2, groups=width, device=device
        )
        self.norm = nn.LayerNorm(width, elementwise_affine=scope.time is None, device=device)
        self.time = nn.Linear(scope.time, 2 * width, device=device) if scope.time else None
        self.expand = nn.Conv2d(width, hidden, 1, device=device)
        self.project = nn.Conv2d(hidden, width, 1, device=device)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """The input plus the branch."""
        h = self.norm(self.depthwise(x).movedim(1, -1)).movedim(-1, 1)
        if self.time is not None and time is not None:
            scale, shift = self.time(F.silu(time))[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        branch: Tensor = self.project(F.gelu(self.expand(h)))
        return x + branch


class Bytes(nn.Module):
    """(B, tokens) ids -> (B, tokens, width)."""

    def __init__(
        self, op: condition.Bytes, x: Shape, scope: Scope, device: torch.device | str
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(condition.NULL + 1, op.width, device=device)

    def forward(self, ids: Tensor) -> Tensor:
        """One row of the table per byte."""
        out: Tensor = self.embedding(ids)
        return out
