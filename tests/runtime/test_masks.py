"""Masks that mask nothing are left out, so that a GPU can use its fastest attention."""

from dataclasses import replace

import torch
from tiny import net

from growlang.ops.attention_cost import PLAIN_TOKENS
from growlang.torch_backend.attention import attend
from growlang_runtime.conditioning.conditioner import Conditioner


def test_masks_are_left_out_where_all_tokens_are_valid_and_attention_alone_reads_them() -> None:
    """The plain and the fused attention give the same, bit for bit, gradients included."""
    model = net()
    conditioner = Conditioner(model)
    full, short = (
        conditioner.encode(["one two three four"] * 2, [None] * 2),
        conditioner.encode(["one two three four", "one"], [None] * 2),
    )
    assert conditioner.without_full_masks(full).keys() == {"text.ids"}
    assert conditioner.without_full_masks(short) == short
    pooled = replace(model.nodes[0], path="other", op="pooled", inputs=("text.mask",))
    read = Conditioner(replace(model, nodes=(*model.nodes, pooled)))
    assert read.without_full_masks(full) == full
    for tokens in (4, PLAIN_TOKENS + 1):
        found = []
        for mask in (None, torch.ones(2, tokens, dtype=torch.bool)):
            generator = torch.Generator().manual_seed(0)
            q, k, v = (
                torch.randn(2, 2, tokens, 8, generator=generator).requires_grad_() for _ in "qkv"
            )
            out = attend(q, k, v, mask)
            found.append([out, *torch.autograd.grad(out.square().sum(), [q, k, v])])
        assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
