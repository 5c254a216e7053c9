"""The module of the map of the time embedding that blocks share."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, shared_modulation
from growlang.torch_backend.layers import Device, Linear
from growlang.torch_backend.registration import builds


@builds("modulation")
class SharedModulation(Linear):
    """(B, time) -> (B, 3 * sublayers * width): shift, scale and gate of each sublayer."""

    def __init__(
        self, op: shared_modulation.SharedModulation, x: Shape, scope: Scope, device: Device
    ) -> None:
        super().__init__(x.width, 3 * op.sublayers * op.width, device=device)

    def forward(self, time: Tensor) -> Tensor:
        """The map of SiLU(time)."""
        return super().forward(F.silu(time))
