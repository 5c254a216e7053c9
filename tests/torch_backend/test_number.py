"""Numbers as a token: what diffusers computes of SDXL's sizes and crops, and the null."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.embeddings import TimestepEmbedding, Timesteps

from growlang.net import Scope, Shape
from growlang.ops import OpError
from growlang.ops.number import Number
from growlang.torch_backend.modules import build

SIZES = ["json:height", "json:width", "crop_top", "crop_left"]
GIVEN = torch.tensor([[512.0, 768.0, 0.0, 64.0], [1024.0, 1024.0, 3.0, 0.0]])
NOTHING = Shape("ids", ())
NONE = torch.full((1, 4), torch.nan)


def module(op: Number) -> torch.nn.Module:
    """A module of random weights."""
    made = build(op, op.given(op.output(NOTHING, Scope())), Scope(), "cpu")
    generator = torch.Generator().manual_seed(0)
    for parameter in made.requires_grad_(False).parameters():
        parameter.data.normal_(generator=generator).mul_(0.1)
    return made


def test_numbers_are_embedded_as_sdxl_embeds_its_sizes() -> None:
    """The waves of each number, one behind the other, then `add_embedding`."""
    made = module(Number(width=24, from_=SIZES))
    waves = Timesteps(256, flip_sin_to_cos=True, downscale_freq_shift=0)
    theirs = TimestepEmbedding(4 * 256, 24)
    theirs.linear_1.load_state_dict(made.linear1.state_dict())
    theirs.linear_2.load_state_dict(made.linear2.state_dict())
    wanted = theirs(waves(GIVEN.flatten()).reshape(2, -1))
    assert made(GIVEN).shape == (2, 1, 24)
    torch.testing.assert_close(made(GIVEN)[:, 0], wanted, rtol=0, atol=1e-5)


def test_a_number_that_is_not_there_is_the_learned_null() -> None:
    made = module(Number(width=8, from_=SIZES, features=4))
    found = made(torch.cat([GIVEN, NONE]))
    assert torch.equal(found[2], made.null)
    assert torch.equal(found[:2], made(GIVEN))
    without = Number(width=8, from_=SIZES, features=4, null=False)
    assert "null" not in module(without).state_dict()


def test_the_waves_are_of_the_number_times_the_scale() -> None:
    plain = module(Number(width=8, from_="json:score", features=6))
    scaled = module(Number(width=8, from_="json:score", features=6, scale=10.0))
    assert torch.equal(scaled(torch.tensor([[0.65]])), plain(torch.tensor([[6.5]])))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"from": "score"}, "no field of a sample"),
        ({"from": "json:"}, "no field of a sample"),
        ({"from": ["width", "width"]}, "twice"),
        ({"from": "width", "features": 5}, "even"),
    ],
)
def test_what_is_no_field_is_refused(said: dict[str, object], message: str) -> None:
    with pytest.raises(OpError, match=message):
        Number.model_validate({"width": 8, **said}).output(NOTHING, Scope())


def test_an_image_that_is_drawn_is_as_large_as_it_is_drawn_and_not_cropped() -> None:
    op = Number(width=8, from_=["height", "crop_left", "width"])
    assert op.usual(32, 48) == (32.0, 0.0, 48.0)
    assert Number(width=8, from_=["height", "json:score"]).usual(32, 48) is None
