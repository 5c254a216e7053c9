"""The ends of published models: what `patch` and `unpatch` compute, against their formulas."""

from __future__ import annotations

import pytest
import torch
from test_modules import drawn, inputs
from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Scope, grid
from growlang.ops import op_of

X = grid(8, 3, 4)


def computed(args: dict[str, object], scope: Scope) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """The result of `unpatch`, its weights, and what it should compute behind its norm."""
    op = op_of("unpatch").model_validate({"factor": 2, **args})
    module = drawn(op, X, scope, fresh=False)
    values = inputs(op, X, scope, batch=2, device="cpu")
    w = dict(module.named_parameters())
    tokens = values[0].flatten(2).transpose(1, 2)
    kind = args.get("norm")
    if kind == "layer":
        tokens = F.layer_norm(tokens, (8,), w.get("norm.weight"), w.get("norm.bias"), scope.eps)
    elif kind == "rms":
        tokens = F.rms_norm(tokens, (8,), w.get("norm.weight"), scope.eps)
    if args.get("modulate"):
        shift, scale = F.linear(
            F.silu(values[1]), w["modulation.weight"], w["modulation.bias"]
        ).chunk(2, dim=1)
        tokens = tokens * (1 + scale[:, None]) + shift[:, None]
    return module(*values), w, tokens


@pytest.mark.parametrize(
    "args",
    [
        {"norm": "layer", "act": "none", "modulate": True, "channels": 8},  # DiT
        {"norm": "rms", "act": "none", "modulate": True, "affine": True},  # JiT
        {"norm": "layer", "act": "none"},  # U-ViT
        {"norm": "none", "act": "none"},
    ],
    ids=["dit", "jit", "u_vit", "bare"],
)
def test_the_last_layer_of_a_transformer_is_a_map_of_its_tokens(args: dict[str, object]) -> None:
    scope = Scope(5 if args.get("modulate") else None, channels=4)
    result, w, tokens = computed(args, scope)
    patches = F.linear(tokens, w["proj.weight"][:, :, 0, 0], w["proj.bias"])
    channels = args.get("channels", 4)
    image = patches.reshape(2, 3, 4, channels, 2, 2).permute(0, 3, 1, 4, 2, 5)
    torch.testing.assert_close(result, image.reshape(2, channels, 6, 8), rtol=1e-4, atol=1e-4)


def test_the_norm_of_dit_has_no_scale_and_that_of_jit_has_one() -> None:
    _, dit, _ = computed({"norm": "layer", "modulate": True}, Scope(5))
    _, jit, _ = computed({"norm": "rms", "modulate": True, "affine": True}, Scope(5))
    assert {n for n in dit if n.startswith("norm")} == set()
    assert {n for n in jit if n.startswith("norm")} == {"norm.weight"}


def test_the_last_layer_of_a_u_net_is_a_convolution_of_three_pixels() -> None:
    op = op_of("unpatch").model_validate({"factor": 1, "kernel": 3})
    module = drawn(op, X, Scope(), fresh=False)
    w = dict(module.named_parameters())
    (x,) = inputs(op, X, Scope(), batch=2, device="cpu")
    h = F.silu(F.group_norm(x, 8, w["norm.weight"], w["norm.bias"], Scope().eps))
    expected = F.conv2d(h, w["proj.weight"], w["proj.bias"], padding=1)
    torch.testing.assert_close(module(x), expected)


def test_a_bottleneck_is_two_maps_of_which_the_first_has_no_bias() -> None:
    """JiT's patches (arXiv 2511.13720)."""
    image, scope = grid(3, 8, 8), Scope()
    op = op_of("patch").model_validate({"factor": 4, "width": 12, "hidden": 5})
    module = drawn(op, image, scope, fresh=False)
    (x,) = inputs(op, image, scope, batch=2, device="cpu")
    w = dict(module.named_parameters())
    assert set(w) == {"hidden.weight", "proj.weight", "proj.bias"}
    patches = nn.functional.unfold(x, 4, stride=4).transpose(1, 2)
    hidden = patches @ w["hidden.weight"].flatten(1).T
    expected = hidden @ w["proj.weight"][:, :, 0, 0].T + w["proj.bias"]
    torch.testing.assert_close(module(x).flatten(2).transpose(1, 2), expected)


@pytest.mark.parametrize(("name", "function"), [("silu", F.silu), ("gelu", F.gelu)])
def test_activations_are_those_of_torch(name: str, function: nn.Module) -> None:
    module = drawn(op_of(name).model_validate({}), X, Scope())
    x = torch.randn(2, *X.dims)
    assert torch.equal(module(x), function(x))
