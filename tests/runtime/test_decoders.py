"""`decoder = simplejpeg`: its scales, what it leaves to Pillow; a run keeps its decoder."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny import interrupt_at, phase, plan, train

from growlang.diagnostics import GrowlangError
from growlang.spec.data import Resize
from growlang_runtime.data import decoders
from growlang_runtime.data.decoding import decode

PICTURE = Image.effect_mandelbrot((160, 120), (-2, -1.5, 1, 1.5), 60).convert("RGB")


def jpeg(picture: Image.Image = PICTURE, **options: Any) -> bytes:
    data = io.BytesIO()
    picture.save(data, "jpeg", quality=95, subsampling=0, **options)
    return data.getvalue()


def both(data: bytes, channels: int = 3, *transforms: Resize) -> list[Image.Image]:
    names = ("simplejpeg", "pillow")
    return [decode(data, channels, transforms, decoder=name) for name in names]


def apart(one: Image.Image, other: Image.Image) -> float:
    """Mean distance of two images, of 255."""
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


@pytest.mark.parametrize("channels", [1, 3])
def test_the_pixels_are_nearly_pillows(channels: int) -> None:
    fast, slow = both(jpeg(), channels)
    assert (fast.size, fast.mode) == (slow.size, slow.mode)
    assert apart(fast, slow) < 1


@pytest.mark.parametrize(
    ("target", "size"), [(15, (20, 15)), (16, (40, 30)), (60, (80, 60)), (61, (100, 75))]
)
def test_it_is_decoded_at_the_smallest_eighth_that_is_not_below_the_target(
    target: int, size: tuple[int, int]
) -> None:
    fast, slow = both(jpeg(), 3, Resize(size=target))
    assert fast.size == size
    small = [image.resize((20, 15), Image.Resampling.BOX) for image in (fast, slow)]
    assert apart(*small) < 4


def test_it_is_never_enlarged() -> None:
    assert both(jpeg(), 3, Resize(size=500))[0].size == (160, 120)


def test_it_is_turned_as_exif_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    fast, slow = both(jpeg(exif=exif))
    assert fast.size == (120, 160)
    assert apart(fast, slow) < 1


@pytest.mark.parametrize("data", [jpeg(PICTURE.convert("CMYK")), jpeg()[:-1000] + b"\xff\xd9"])
def test_what_it_refuses_is_decoded_by_pillow(data: bytes) -> None:
    fast, slow = both(data)
    assert apart(fast, slow) == 0


def test_what_is_cut_short_is_refused_by_both() -> None:
    for decoder in ("simplejpeg", "pillow"):
        with pytest.raises(OSError, match="truncated"):
            decode(jpeg()[:900], 3, decoder=decoder)


def fast(**changes: Any) -> Any:
    return plan([phase(decoder="simplejpeg", **changes)])


def test_a_run_keeps_its_decoder(data: Path) -> None:
    train(fast(), data)
    with pytest.raises(GrowlangError, match="started with a different spec") as caught:
        train(plan(), data, resume="must")
    assert "phases.main.settings.decoder: simplejpeg -> pillow" in caught.value.message


def test_the_decoder_is_part_of_what_the_data_is(data: Path) -> None:
    from growlang_runtime.storage.run import recorded_plan

    one = recorded_plan(train(plan(), data).run)
    other = recorded_plan(train(fast(), data, name="fast").run)
    assert one.data and other.data
    assert other.data["data"] == f"{one.data['data']} by simplejpeg"


def test_a_run_that_goes_on_with_another_version_of_its_decoder_says_so(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        train(fast(), data)
    monkeypatch.setattr(decoders, "version", lambda name: "0.1")
    train(fast(), data, resume="must")
    told = capsys.readouterr().err
    assert "warning: decoder is simplejpeg 0.1, but was simplejpeg " in told


def test_a_decoder_that_is_not_installed_is_told(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at(monkeypatch, 2)
    train(fast(), data)
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    monkeypatch.setattr(decoders, "find_spec", lambda name: None)
    for resume in ("must", "never"):
        with pytest.raises(GrowlangError) as caught:
            train(fast(), data, resume=resume, name=None if resume == "must" else "other")
        assert caught.value.message == (
            "`decoder = simplejpeg` needs the package simplejpeg, which is not installed"
        )
        assert 'pip install "growlang[fast]"' in (caught.value.help or "")
