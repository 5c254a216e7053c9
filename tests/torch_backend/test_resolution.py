"""Changes of resolution: means and repeats, and wavelets that their inverse undoes."""

from __future__ import annotations

import pytest
import torch
from test_modules import drawn
from torch import Tensor

from growlang.net import grid
from growlang.ops import Scope, op_of
from growlang.torch_backend.resolution import haar, inverse_haar


def test_down_averages_and_up_repeats() -> None:
    x, scope = grid(1, 4, 4), Scope()
    pixels = torch.arange(16.0).reshape(1, 1, 4, 4)
    down = drawn(op_of("down").model_validate({"width": 1}), x, scope)
    up = drawn(op_of("up").model_validate({"width": 1}), grid(1, 2, 2), scope)
    with torch.no_grad():
        down.get_parameter("conv.weight").fill_(1)
        up.get_parameter("conv.weight").fill_(1)
    coarse = down(pixels)
    assert coarse.flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert up(coarse)[0, 0, 1].tolist() == [2.5, 2.5, 4.5, 4.5]


def test_the_wavelet_transform_is_orthonormal() -> None:
    pixels = torch.randn(2, 3, 8, 12, dtype=torch.float64)
    bands = haar(pixels)
    assert bands.shape == (2, 12, 4, 6)
    torch.testing.assert_close(bands.square().sum(), pixels.square().sum())
    torch.testing.assert_close(inverse_haar(bands), pixels, rtol=0, atol=1e-14)
    torch.testing.assert_close(haar(inverse_haar(bands)), bands, rtol=0, atol=1e-14)


def test_the_bands_of_the_wavelet_transform() -> None:
    """Of one 2 x 2 block: twice its mean, then differences of columns, of rows, of both."""
    block = torch.tensor([[1.0, 2.0], [4.0, 8.0]])[None, None]
    assert haar(block).flatten().tolist() == [7.5, -2.5, -4.5, 1.5]
    flat = haar(torch.full((1, 2, 4, 4), 3.0))
    assert flat[:, :2].eq(6).all() and flat[:, 2:].eq(0).all()


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_idwt_inverts_dwt(factor: int) -> None:
    """With the identity in place of both convolutions, exactly up to rounding in fp64."""
    image, scope, channels = grid(3, 16, 24), Scope(), 3 * factor**2
    down = op_of("dwt").model_validate({"width": channels, "factor": factor})
    up = op_of("idwt").model_validate({"width": 3, "factor": factor})
    first = drawn(down, image, scope).double()
    last = drawn(up, down.output(image, scope), scope).double()
    with torch.no_grad():
        for module in (first, last):
            module.get_parameter("conv.weight").copy_(torch.eye(channels)[:, :, None, None])
    pixels = torch.randn(2, 3, 16, 24, dtype=torch.float64)
    torch.testing.assert_close(last(first(pixels)), pixels, rtol=0, atol=1e-13)
    assert first(pixels).shape == (2, channels, 16 // factor, 24 // factor)


@pytest.mark.parametrize(("name", "pools"), [("residual_down", True), ("residual_up", False)])
def test_a_residual_change_computes_on_the_other_grid(name: str, pools: bool) -> None:
    """ADM's (arXiv 2105.05233): resampled behind the first SiLU, and in the skip."""
    x, scope = grid(4, 4, 4), Scope(6)
    module = drawn(op_of(name).model_validate({"width": 6}), x, scope, fresh=False)
    pixels, time = torch.randn(2, 4, 4, 4), torch.randn(2, 6)
    w, f = dict(module.named_parameters()), torch.nn.functional

    def moved(value: Tensor) -> Tensor:
        if pools:
            return f.avg_pool2d(value, 2)
        return value.repeat_interleave(2, 2).repeat_interleave(2, 3)

    def normed(layer: str, value: Tensor, groups: int) -> Tensor:
        return f.group_norm(value, groups, w[f"{layer}.weight"], w[f"{layer}.bias"], scope.eps)

    h = moved(f.silu(normed("norm1", pixels, 4)))
    h = normed("norm2", f.conv2d(h, w["conv1.weight"], w["conv1.bias"], padding=1), 2)
    embedded = f.linear(f.silu(time), w["time.weight"], w["time.bias"])
    scale, shift = embedded[:, :, None, None].chunk(2, dim=1)
    h = f.conv2d(f.silu(h * (1 + scale) + shift), w["conv2.weight"], w["conv2.bias"], padding=1)
    expected = f.conv2d(moved(pixels), w["skip.weight"], w["skip.bias"]) + h
    torch.testing.assert_close(module(pixels, time), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_convolutions_with_a_stride_and_behind_upsampling(kernel: int) -> None:
    x, scope, f = torch.randn(2, 3, 8, 8), Scope(), torch.nn.functional
    args = {"width": 5, "kernel": kernel, "factor": 4}
    down = drawn(op_of("strided").model_validate(args), grid(3, 8, 8), scope, fresh=False)
    up = drawn(op_of("up_conv").model_validate(args), grid(3, 8, 8), scope, fresh=False)
    full = f.conv2d(x, down.conv.weight, down.conv.bias, padding=kernel // 2)
    torch.testing.assert_close(down(x), full[:, :, ::4, ::4])
    large = x.repeat_interleave(4, 2).repeat_interleave(4, 3)
    torch.testing.assert_close(
        up(x), f.conv2d(large, up.conv.weight, up.conv.bias, padding=kernel // 2)
    )
