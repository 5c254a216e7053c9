"""`core_32.grow` written by hand: the same modules, called by a plain `forward`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from growlang.net import Net
from growlang.torch_backend.lower import LoweredNet


class Core32(nn.Module):
    """Shallow-UViT at 32 px; takes over the modules of the compiled net, by their names."""

    def __init__(self, net: Net, compiled: LoweredNet) -> None:
        super().__init__()
        self.text = compiled.get_submodule("text")
        self.time = compiled.get_submodule("time")
        self.patch = compiled.get_submodule("stem.patch.0")
        self.encode = compiled.get_submodule("stem.residual.0")
        self.position = compiled.get_parameter("core.position")
        depth = sum(node.op == "transformer" for node in net.nodes)
        self.blocks = nn.ModuleList(
            compiled.get_submodule(f"core.transformer.{i}") for i in range(depth)
        )
        self.decode = compiled.get_submodule("head.residual.0")
        self.unpatch = compiled.get_submodule("head.unpatch.0")

    def forward(self, image: Tensor, log_snr: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, 3, 32, 32), (B,), (B, 8), (B, 8) -> (B, 3, 32, 32)."""
        text, time = self.text(ids), self.time(log_snr)
        x: Tensor = self.encode(self.patch(image), time)
        side = x.shape[-1]
        x = x.flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x, time, text, mask)
        x = torch.unflatten(x.transpose(1, 2), 2, (side, side))
        out: Tensor = self.unpatch(self.decode(x, time))
        return out
