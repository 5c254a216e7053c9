"""Changes of resolution: means and repeats, and wavelets that their inverse undoes."""

from __future__ import annotations

import pytest
import torch
from test_modules import drawn

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
