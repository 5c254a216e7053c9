"""Transforms: sizes, modes and random crops, against Pillow and by hand."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from growlang.diagnostics import GrowlangError
from growlang.net import Shape, grid
from growlang.resolve.transforms import misfit
from growlang.spec.data import Crop, Flip, Resize, Transform
from growlang_runtime.data.decoding import decode
from growlang_runtime.data.transforms import resized, to_tensor, transformed


def encoded(image: Image.Image, format: str = "png") -> bytes:
    data = io.BytesIO()
    image.save(data, format)
    return data.getvalue()


def places(width: int, height: int) -> Image.Image:
    """An image whose pixel (x, y) has the colour (x, y, 0)."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.meshgrid(range(width), range(height))
    return Image.fromarray(pixels)


def prepared(data: bytes, transforms: list[Transform], shape: Shape, p: int = 0) -> torch.Tensor:
    image = decode(data, shape.width, transforms)
    return to_tensor(transformed(image, transforms, seed=1, p=p), shape)


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        ((640, 480), Resize(size=64, side="short"), (85, 64)),
        ((480, 640), Resize(size=64, side="short"), (64, 85)),
        ((640, 480), Resize(size=64, side="long"), (64, 48)),
        ((640, 480), Resize(size=64, side="both"), (64, 64)),
        ((1000, 3), Resize(size=64, side="long"), (64, 1)),
    ],
)
def test_the_size_after_a_resize(
    size: tuple[int, int], resize: Resize, expected: tuple[int, int]
) -> None:
    assert resized(size, resize) == expected


def test_values_go_from_minus_one_to_one() -> None:
    image = Image.fromarray(np.array([[[0, 128, 255]]], np.uint8))
    values = to_tensor(image, grid(3, 1, 1))
    assert values.dtype == torch.float32
    assert values.flatten().tolist() == pytest.approx([-1, 128 / 127.5 - 1, 1], abs=1e-6)


def test_axes_are_channels_rows_columns() -> None:
    values = to_tensor(places(5, 3), grid(3, 3, 5))
    assert values.shape == (3, 3, 5)
    assert ((values[0, 1] + 1) * 127.5).round().tolist() == [0, 1, 2, 3, 4]
    assert ((values[1, :, 2] + 1) * 127.5).round().tolist() == [0, 1, 2]


def test_a_resize_is_antialiased() -> None:
    stripes = np.tile(np.array([[0], [255]], np.uint8), (64, 128))
    values = prepared(encoded(Image.fromarray(stripes)), [Resize(size=16)], grid(1, 16, 16))
    assert values.abs().max() < 0.1, "stripes of one pixel become grey, not black or white"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_becomes_white(mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    data = encoded(image.convert("P") if mode == "PA" else image.convert(mode))
    assert prepared(data, [], grid(3, 1, 2))[:, 0].tolist() == [[1, -1]] * 3


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_is_read_as_the_net_needs(mode: str, channels: int) -> None:
    image = Image.new("RGB", (4, 4), "white").convert(mode.split(";")[0])
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 4), 65535, np.uint16))
    data = encoded(image, "tiff" if mode == "CMYK" else "png")
    assert torch.equal(prepared(data, [], grid(channels, 4, 4)), torch.ones(channels, 4, 4))


def test_half_grey_of_sixteen_bits_is_half_grey() -> None:
    data = encoded(Image.fromarray(np.full((1, 1), 32768, np.uint16)))
    assert prepared(data, [], grid(1, 1, 1)).item() == pytest.approx(0, abs=0.01)


def test_a_centre_crop_is_at_the_centre() -> None:
    image = transformed(places(10, 7), [Crop(size=3)], seed=0, p=0)
    assert image.getpixel((0, 0)) == (3, 2, 0)


@given(st.integers(0, 2**40), st.integers(1, 9), st.integers(1, 9))
def test_a_random_crop_stays_inside(p: int, width: int, height: int) -> None:
    size = min(width, height)
    image = transformed(places(width, height), [Crop(size=size, at="random")], seed=0, p=p)
    x, y = image.getpixel((0, 0))[:2]  # type: ignore[index]
    assert 0 <= x <= width - size
    assert 0 <= y <= height - size
    assert image.getpixel((size - 1, size - 1)) == (x + size - 1, y + size - 1, 0)


def test_random_crops_go_everywhere_and_are_a_function_of_the_draw() -> None:
    def crop(p: int) -> object:
        return transformed(places(4, 3), [Crop(size=2, at="random")], seed=5, p=p).getpixel((0, 0))

    assert {crop(p) for p in range(100)} == {(x, y, 0) for x in range(3) for y in range(2)}
    assert [crop(p) for p in range(20)] == [crop(p) for p in range(20)]


@pytest.mark.parametrize(("probability", "low", "high"), [(0, 0, 0), (0.5, 70, 130), (1, 200, 200)])
def test_a_flip_is_as_frequent_as_its_probability(probability: float, low: int, high: int) -> None:
    flip = Flip(probability=float(probability))
    flipped = sum(
        transformed(places(2, 1), [flip], seed=0, p=p).getpixel((0, 0)) == (1, 0, 0)
        for p in range(200)
    )
    assert low <= flipped <= high


def test_two_random_transforms_draw_different_numbers() -> None:
    twice = [Flip(probability=0.5), Flip(probability=0.5)]
    ends = {transformed(places(2, 1), twice, seed=0, p=p).getpixel((0, 0)) for p in range(50)}
    assert len(ends) == 2


def test_a_large_jpeg_is_reduced_while_it_is_decoded() -> None:
    image = Image.radial_gradient("L").resize((1024, 768)).convert("RGB")
    data = encoded(image, "jpeg")
    transforms: list[Transform] = [Resize(size=64), Crop(size=64)]
    assert decode(data, 3, transforms).size == (256, 192)
    assert decode(data, 3).size == (1024, 768)
    ours = prepared(data, transforms, grid(3, 64, 64))
    whole = to_tensor(transformed(image, transforms, seed=0, p=0), grid(3, 64, 64))
    assert (ours - whole).abs().max() < 0.05


def test_a_crop_that_is_too_large_is_named() -> None:
    with pytest.raises(GrowlangError) as caught:
        transformed(places(40, 30), [Crop(size=32)], seed=0, p=0)
    assert caught.value.message == "crop(32) does not fit an image of 40 x 30 pixels"
    assert "resize(32, side = short)" in caught.value.help


def test_a_size_that_is_not_the_nets_is_named_with_it() -> None:
    with pytest.raises(GrowlangError) as caught:
        to_tensor(places(40, 30), grid(3, 32, 48))
    assert caught.value.message == (
        "the transform outputs 40 x 30 pixels, but the net expects 48 x 32"
    )


def test_channels_that_no_image_has_are_named() -> None:
    with pytest.raises(GrowlangError, match="expects 4 channels, but images have 1"):
        decode(encoded(places(1, 1)), 4)


def test_what_is_no_image_is_left_to_the_caller() -> None:
    whole = encoded(places(20, 20))
    for data in (b"", b"no image", whole[: len(whole) // 2]):
        with pytest.raises(OSError, match=r"identify|truncated|broken"):
            decode(data, 3)


STEPS: st.SearchStrategy[Transform] = st.one_of(
    st.builds(Resize, size=st.integers(2, 6), side=st.sampled_from(["short", "long", "both"])),
    st.builds(Crop, size=st.integers(2, 6), at=st.sampled_from(["centre", "random"])),
    st.just(Flip()),
)


@given(st.lists(STEPS, max_size=4), st.integers(1, 9), st.integers(1, 9))
def test_what_check_says_of_a_transform_holds_for_any_image(
    transforms: list[Transform], width: int, height: int
) -> None:
    wrong = misfit(transforms, 4, 4)
    try:
        made = transformed(places(width, height), transforms, seed=1, p=0).size
    except GrowlangError:
        return  # an image that is too small for the crop: only the data can tell
    assert wrong is None or wrong.step is None
    if wrong is None:
        assert made == (4, 4)
    elif "makes" in wrong.reason:
        assert made != (4, 4)
