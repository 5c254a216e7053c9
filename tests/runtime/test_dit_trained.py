"""The recipe of `dit_xl_2` on a small net: latents, labels, a learned variance, guidance."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
import torch
from autoencoders import write_vae
from fixture_specs import SHIPPED
from fixture_specs import growlang as command
from PIL import Image

import growlang
from growlang.spec.data import Crop, Resize

SMALL = {"width": 24, "depth": 1, "heads": 3, "size": 8, "classes": 3}


def write_shard(path: Path) -> None:
    path.parent.mkdir()
    with tarfile.open(path, "w") as tar:
        for i in range(4):
            data = io.BytesIO()
            Image.new("RGB", (72, 64), (60 * i, 20, 90)).save(data, "jpeg")
            for ending, content in (("jpg", data.getvalue()), ("cls", str(i % 3).encode())):
                info = tarfile.TarInfo(f"{i:03d}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def test_the_recipe_of_dit_trains_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kinds = {"down_block_types": "DownEncoderBlock2D", "up_block_types": "UpDecoderBlock2D"}
    four = {name: [kind] * 4 for name, kind in kinds.items()}
    colours = {"in_channels": 3, "out_channels": 3, "latent_channels": 4}
    write_vae(tmp_path / "vae", block_out_channels=[4] * 4, **four, **colours)
    write_shard(tmp_path / "imagenet" / "0000.tar")
    text = (SHIPPED / "dit_xl_2.grow").read_text()
    for old, new in (("stabilityai/sd-vae-ft-ema", "vae"), ("{0000..1023}", "0000"), ("7M", "2")):
        assert old in text
        text = text.replace(f'"{old}"', f'"{new}"').replace(f"/{old}", f"/{new}")
        text = text.replace(f"for {old}", f"for {new}")
    (tmp_path / "dit_xl_2.grow").write_text(text.replace("batch     = 256", "batch     = 4"))
    given = [word for n, v in SMALL.items() for word in ("--set", f"{n}={v}")]
    done = command("train", "dit_xl_2.grow", "--set", "sample.sampler=ddpm(4)", *given)
    assert done.status == 0, done
    (run,) = (tmp_path / "runs" / "dit_xl_2").iterdir()
    loaded = growlang.load_run(run)
    settings = loaded.plan.phases[0].settings
    assert settings.transform[:2] == [Resize(size=64, side="short"), Crop(size=64)]
    assert loaded.plan.sample.guidance == 4.0
    images = growlang.sample(loaded, ["1", ""]).tensor
    assert images.shape == (2, 3, 64, 64)
    assert torch.isfinite(images).all()
