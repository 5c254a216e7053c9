import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from growlang_runtime.distributed.dropout import Masks, again, dropping
from growlang_runtime.distributed.ranks import Ranks

SECOND = Ranks(rank=1, size=2)


@pytest.mark.parametrize("first", [0, 3])
def test_blocks_that_are_computed_again_drop_the_same(first: int) -> None:
    torch.manual_seed(0)
    blocks = [nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.Linear(8, 8)) for _ in range(2)]
    weights = [weight for block in blocks for weight in block.parameters()]
    images = torch.randn(3, 8)

    def gradients(*, recomputed: bool) -> list[Tensor]:
        x = images
        with dropping(SECOND, Masks(seed=1, batch=6, first=first)):
            for block in blocks:
                if recomputed:
                    x = checkpoint(block, x, use_reentrant=False, context_fn=again)
                else:
                    x = block(x)
            return list(torch.autograd.grad(x.square().sum(), weights))

    for kept, computed in zip(gradients(recomputed=False), gradients(recomputed=True), strict=True):
        assert torch.equal(kept, computed)
