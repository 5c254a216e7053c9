"""Keys and values of conditions beside those of self-attention, as diffusers computes them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnAddedKVProcessor
from torch import Tensor, nn

from growlang.net import Rope, Scope, tokens
from growlang.ops import OpError, op_of
from growlang.torch_backend.attention import SelfAttention
from growlang.torch_backend.modules import build

X = tokens(6, 24)
SCOPE = Scope(conditions={"text": tokens(4, 10), "tag": tokens(2, 8)})
GENERATOR = torch.Generator().manual_seed(0)
x, text, tag = (
    torch.randn(2, *s.dims, generator=GENERATOR) for s in (X, *SCOPE.conditions.values())
)
MASK = torch.tensor([[True, True, True, False], [True, False, False, False]])


def module(scope: Scope = SCOPE, **said: Any) -> nn.Module:
    """An attention of random weights."""
    op = op_of("attention").model_validate({"width": 24, "heads": 4, "joint": ["text"], **said})
    op.output(X, scope)
    made = build(op, X, scope, "cpu").eval()
    for parameter in made.requires_grad_(False).parameters():
        parameter.data.normal_(generator=GENERATOR).mul_(0.3)
    return made


def joined(made: nn.Module, *others: Tensor | None) -> Tensor:
    """What self-attention computes of x, without norm and residual."""
    sublayer = made.get_submodule("attend.self")
    assert isinstance(sublayer, SelfAttention)
    return sublayer.branch(x, *others)


def test_it_computes_what_the_added_keys_of_diffusers_do() -> None:
    """Of GLIDE, unCLIP and DeepFloyd IF (arXiv 2112.10741, section 3)."""
    made = module(qk_norm=False)
    own = made.get_submodule("attend.self")
    theirs = Attention(
        query_dim=24, heads=4, dim_head=6, bias=True, added_kv_proj_dim=10, norm_num_groups=4,
        only_cross_attention=False, processor=AttnAddedKVProcessor(),
    ).requires_grad_(False)  # fmt: skip
    theirs.group_norm = nn.Identity()
    for maps, names in (
        ("qkv", ("to_q", "to_k", "to_v")),
        ("joint.text", ("add_k_proj", "add_v_proj")),
    ):
        fused = own.get_submodule(maps)
        for at, name in enumerate(names):
            for kind in ("weight", "bias"):
                part = fused.get_parameter(kind).chunk(len(names))[at]
                theirs.get_submodule(name).get_parameter(kind).copy_(part)
    theirs.to_out[0].load_state_dict(own.get_submodule("out").state_dict())
    wanted = theirs(x.transpose(1, 2), encoder_hidden_states=text).transpose(1, 2) - x
    found = joined(made, text, torch.ones(2, 4, dtype=torch.bool))
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-5


@pytest.mark.parametrize("said", [{}, {"qk_norm": False}, {"kv_heads": 2}])
def test_masked_tokens_join_nothing(said: dict[str, Any]) -> None:
    made = module(**said)
    out = joined(made, text, MASK)
    hidden = torch.where(MASK[:, :, None], text, torch.tensor(7.0))
    assert torch.equal(joined(made, hidden, MASK), out)
    assert not torch.allclose(joined(made, text, None), out)
    torch.testing.assert_close(joined(made, text, None), joined(made, text, torch.ones_like(MASK)))


def test_conditions_join_together_and_one_may_do_without_a_mask() -> None:
    made = module(joint=["tag", "text"])
    every, some = torch.ones(2, 2, dtype=torch.bool), joined(made, tag, None, text, MASK)
    torch.testing.assert_close(some, joined(made, tag, every, text, MASK))
    both = module(attend=["text", "self"], joint=["text"])
    assert both(x, text, MASK, text, MASK).shape == x.shape


def test_positions_turn_no_keys_of_conditions() -> None:
    """The order of a condition's tokens says nothing; that of the sequence does."""
    made = module(SCOPE._replace(rope=Rope(100.0, (6,))))
    out = joined(made, text, MASK)
    torch.testing.assert_close(joined(made, text.flip(1), MASK.flip(1)), out)
    (own,) = (p for p in (made.get_submodule("attend.self"),))
    assert isinstance(own, SelfAttention)
    assert not torch.allclose(own.branch(x.flip(1), text, MASK).flip(1), out)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"joint": ["txt"]}, "not a condition"),
        ({"joint": ["text", "text"]}, "twice"),
        ({"attend": ["text"]}, "does not list `self`"),
    ],
)
def test_what_cannot_join_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(OpError, match=message):
        module(**said)
