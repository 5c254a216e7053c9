"""The loss of a model of tokens: how well it predicts each next one."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from growlang.net import Net
from growlang.spec import objectives as declarations
from growlang_runtime.diffusion.objective import Denoiser, Loss


class NextToken(Loss):
    """Cross-entropy in nats, the mean over the tokens of a sequence."""

    def losses(self, denoise: Denoiser, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """Loss of each sequence, (B,) float32; `x` are ids (B, length + 1)."""
        logits, wanted = denoise(x[:, :-1]).float(), x[:, 1:]
        # Of rows alone: CUDA has no deterministic kernel of more axes.
        errors = cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none")
        return errors.view_as(wanted).mean(1)


def next_token(declared: declarations.NextToken, net: Net) -> NextToken:
    """The loss for a net of any vocabulary."""
    return NextToken()
