"""Models of latents: a frozen VAE makes them of images, and images of what is drawn."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from autoencoders import write_vae
from drawing_alone import apart, by_diffusers
from PIL import Image
from tiny import interrupt_at, net, phase, plan, state, train, write_data

import growlang
from growlang.diagnostics import GrowlangError
from growlang.net import Latent, Net
from growlang.plans.plan import Plan
from growlang.spec.data import Crop, Flip, Resize
from growlang.spec.recipe import Sample
from growlang.spec.samplers import DDIM
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.data.autoencoder import Autoencoder
from growlang_runtime.data.draws import batch_normals
from growlang_runtime.data.identity import recorded
from growlang_runtime.data.images import Images, Indexes
from growlang_runtime.data.latents import Latents, latents_cache
from growlang_runtime.evaluation.kept import Kept
from growlang_runtime.evaluation.reference import open_reference
from growlang_runtime.export.exporting import export
from growlang_runtime.sample import sample
from growlang_runtime.storage.weights import load
from growlang_runtime.train.batches import open_mix

FIXTURES = Path(__file__).parents[1] / "fixtures" / "latents"
SIDE = 16
"""Pixels a side, of which the tiny net's image has half as many latents."""


@pytest.fixture(autouse=True)
def own_latents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vae(tmp_path_factory.mktemp("vae"))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An item for each image that a VAE has encoded."""
    calls: list[int] = []
    encode = Autoencoder.moments

    def one_more(self: Autoencoder, pixels: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return encode(self, pixels)

    monkeypatch.setattr(Autoencoder, "moments", one_more)
    return calls


def of_latents(vae: Path | str, **changes: Any) -> Net:
    said = {"vae": str(vae), "factor": 2, "colours": 1} | changes
    return replace(net(), latent=Latent(**said))


def planned(vae: Path, *transform: Any, **settings: Any) -> Plan:
    steps = settings.pop("steps", 6)
    sized = [Resize(size=SIDE, side="both"), *transform]
    said = Sample(sampler=DDIM(steps=2), prompts=["red", "blue sky"])
    phases = [phase(steps=steps, transform=sized, **settings)]
    return plan(phases, model=of_latents(vae), sample=said)


def mix(made: Plan, folder: Path) -> Latents:
    model = made.child_net()
    indexes = Indexes(folder, ["caption"], vae=Autoencoder.of(model))
    found = open_mix(made.phases[0].settings, model, indexes)
    assert isinstance(found, Latents)
    return found


def kept() -> Iterator[Path]:
    return (path for path in latents_cache().rglob("*") if path.is_file())


def test_latents_are_what_diffusers_makes_of_the_pixels(vae: Path, data: Path) -> None:
    from diffusers import AutoencoderKL

    made = planned(vae)
    latents = mix(made, data)
    model = AutoencoderKL.from_pretrained(vae)
    images = Images(
        made.phases[0].settings.data,
        made.phases[0].settings.transform,
        made.child_net().pixels,
        made.phases[0].settings.seed,
        Indexes(data, ["caption"]),
    )
    for p in range(3):
        pixels = images.draw(p).image
        assert pixels.shape == (1, SIDE, SIDE)
        with torch.no_grad():
            found = model.encode(pixels[None]).latent_dist
        (eps,) = batch_normals(images.seed, [p], "latent", (1, 8, 8))
        wanted = (found.mean + found.std * eps - 0.1) * 0.4
        assert apart(latents.draw(p).image, wanted[0]) < 1e-6
        assert latents.draw(p).caption == images.draw(p).caption
    assert len(latents) == len(images)


def test_a_latent_is_the_same_from_the_disk(vae: Path, data: Path, counted: list[int]) -> None:
    made = planned(vae)
    first = mix(made, data).batch(range(6)).images
    assert len(counted) == 6 == len([*kept()])
    again = mix(made, data)
    assert torch.equal(again.batch(range(6)).images, first)
    assert len(counted) == 6
    later = again.batch(range(6, 12)).images
    assert len(counted) == 6, "an epoch later the same moments, with other noise"
    assert apart(later.flatten(1).sort(0).values, first.flatten(1).sort(0).values) > 1e-3
    broken = next(kept())
    broken.write_bytes(broken.read_bytes()[:-1] + b"?")
    assert torch.equal(mix(made, data).batch(range(6)).images, first)
    assert len(counted) == 7


def test_flips_are_images_of_their_own_and_random_crops_are_not_kept(
    vae: Path, data: Path, counted: list[int]
) -> None:
    mix(planned(vae, Flip(probability=1.0)), data).batch(range(6))
    assert len([*kept()]) == 6
    mix(planned(vae, Flip(probability=0.0)), data).batch(range(6))
    assert len(counted) == len([*kept()])
    before = len(counted)
    crops = planned(vae, Crop(size=SIDE, at="random"))
    mix(crops, data).batch(range(6))
    assert len(counted) == before + 6
    assert len([*kept()]) == before


def test_another_vae_makes_other_data(vae: Path, data: Path, tmp_path: Path) -> None:
    other = write_vae(tmp_path / "other", seed=1)
    scaled = write_vae(tmp_path / "scaled", scaling_factor=0.5)
    found = [mix(planned(folder), data).identity["data"] for folder in (vae, other, scaled)]
    assert len(set(found)) == 3
    assert all(identity.vae for identity in found)
    assert len({identity.without_vae() for identity in found}) == 1
    hashes = {of_latents(folder).net_hash for folder in (vae, other)}
    assert len(hashes) == 2
    assert net().net_hash not in hashes


def test_a_run_goes_on_to_the_same_weights_with_and_without_the_cache(
    vae: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = planned(vae, Flip())
    whole = train(made, data, "whole")
    for name, keeps in (("kept", True), ("lost", False)):
        with monkeypatch.context() as patched:
            interrupt_at(patched, 3)
            assert not train(made, data, name).finished
        if not keeps:
            for path in [*kept()]:
                path.unlink()
        assert state(train(made, data, name, resume="must")) == state(whole)


def test_grids_and_samples_are_of_pixels(vae: Path, data: Path) -> None:
    from diffusers import AutoencoderKL

    run = train(planned(vae), data).run
    (grid, *_) = sorted((run / "samples").glob("*.png"))
    with Image.open(grid) as image:
        assert image.height >= SIDE
    weights = load(run)
    assert weights.net.latent == of_latents(vae).latent
    images = sample(run, prompts=["red"], seed=3).tensor
    assert images.shape == (1, 1, SIDE, SIDE)
    assert images.abs().max() <= 1
    latents = sample(
        replace(weights, net=replace(weights.net, latent=None)), prompts=["red"], seed=3
    ).tensor
    assert latents.shape == (1, 1, SIDE // 2, SIDE // 2), "a net of pixels clips what it draws"
    model = AutoencoderKL.from_pretrained(vae)
    with torch.no_grad():
        assert apart(images, model.decode(model.encode(images).latent_dist.mean).sample) > 1e-4


def test_an_evaluation_compares_pixels(vae: Path, data: Path, tmp_path: Path) -> None:
    made = planned(vae)
    known = made.model_copy(update={"data": recorded(mix(made, data).identity)})
    net_ = known.child_net()
    reference = open_reference(known, net_, "training", data, Kept(tmp_path / "kept"))
    assert reference.warnings == (), "the images are those that the latents were made of"
    (chunk, *_) = reference.pictures.chunks()
    assert chunk.images.shape[1:] == (1, SIDE, SIDE)


def test_latents_are_not_clipped_and_are_decoded_as_diffusers_does(vae: Path) -> None:
    from diffusers import AutoencoderKL

    opened = Autoencoder.of(of_latents(vae))
    assert opened is not None
    latents = 4 * torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    model = AutoencoderKL.from_pretrained(vae)
    with torch.no_grad():
        wanted = model.decode(latents / 0.4 + 0.1).sample.clamp(-1, 1)
    assert apart(opened.decoded(latents), wanted) < 1e-5
    assert opened.decoded(latents[:0]).shape == (0, 1, SIDE, SIDE)


def test_means_and_deviations_of_a_config_scale_each_channel(tmp_path: Path, data: Path) -> None:
    folder = write_vae(tmp_path / "vae", latents_mean=[0.5], latents_std=[2.0], shift_factor=None)
    opened = Autoencoder.of(of_latents(folder))
    assert opened is not None
    moments = torch.cat([torch.full((1, 8, 8), 2.5), torch.full((1, 8, 8), -60.0)])
    found = opened.latents(moments, torch.zeros(1, 8, 8))
    assert found.mean().item() == pytest.approx((2.5 - 0.5) * 0.4 / 2)


@pytest.mark.parametrize(
    ("changes", "message", "help"),
    [
        ({"vae": "nowhere/vae"}, "cannot load the VAE `nowhere/vae`: it is no folder", "hf down"),
        ({"factor": 8}, "has 2 pixels a side for each latent, but `factor` is 8", "factor = 2"),
        ({"colours": 3}, "has 1 colour channels, but `colours` is 3", "write `colours = 1`"),
    ],
)
def test_a_vae_that_is_another_is_refused(
    changes: Any, message: str, help: str, vae: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    opened = Autoencoder.of(of_latents(changes.pop("vae", vae), **changes))
    assert opened is not None
    with pytest.raises(GrowlangError, match=message) as error:
        _ = opened.model
    assert help in error.value.help


def test_a_folder_of_something_else_is_refused(vae: Path, tmp_path: Path) -> None:
    empty = Autoencoder.of(of_latents(tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"_class_name": "UNet2DModel"}))
    (torn := tmp_path / "torn").mkdir()
    (torn / "config.json").write_text((vae / "config.json").read_text())
    for folder, message in (
        (tmp_path, "the folder has no whole one"),
        (other, "is a UNet2DModel, not an AutoencoderKL"),
        (torn, "the folder has no whole one"),
    ):
        opened = Autoencoder.of(of_latents(folder))
        assert opened is not None
        with pytest.raises(GrowlangError, match=message):
            _ = opened.model
    assert empty is not None


def test_diffusers_draws_the_same_images_of_a_model_of_latents(vae: Path, tmp_path: Path) -> None:
    folder = write_data(tmp_path)
    run = train(planned(vae, steps=2), folder, quiet=True).run
    export(run, "diffusers", tmp_path / "out")
    jobs = [
        {"folder": str(tmp_path / "out"), "prompts": ["red", ""], "asked": {"seed": 3}},
    ]
    found = by_diffusers(jobs, tmp_path)
    assert found["images"][0].shape == (2, 1, SIDE // 2, SIDE // 2)
    assert found["shown"] == [SIDE, SIDE, "L"]
    opened = Autoencoder.of(of_latents(vae))
    assert opened is not None
    own = sample(run, prompts=["red", ""], seed=3).tensor
    assert apart(opened.decoded(found["images"][0]), own) < 1e-4
    assert apart(found["pictures"], own[:1]) < 0.01, "of 8 bits"


def test_numbers_go_with_latents_and_sizes_are_in_pixels(
    vae: Path, tmp_path: Path, write_tar: Callable[[str, Mapping[str, bytes]], Path]
) -> None:
    members: dict[str, bytes] = {}
    for i in range(4):
        file = io.BytesIO()
        Image.new("RGB", (20, 18), (60 * i, 0, 0)).save(file, "JPEG")
        members |= {f"{i}.jpg": file.getvalue(), f"{i}.json": json.dumps({"score": i}).encode()}
    write_tar("a.tar", members)
    spec = tmp_path / "numbers.grow"
    text = (FIXTURES / "numbers.grow").read_text()
    spec.write_text(text.replace('vae = "vae"', f'vae = "{vae}"'))
    run = growlang.train(spec, data_root=tmp_path, out=tmp_path / "runs", device="cpu", quiet=True)
    usual = Conditioner(growlang.load_run(run.run).plan.child_net()).usual_numbers({})
    assert usual == {"size": (16.0, 16.0)}
    assert len(growlang.sample(run.run, [""], numbers={"score": 1}).tensor) == 1


def test_another_config_of_the_same_weights_is_another_vae(vae: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(vae, other)
    config = json.loads((vae / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"act_fn": "gelu"}))
    first, second = (Autoencoder.of(of_latents(folder)) for folder in (vae, other))
    assert first is not None and second is not None
    assert first.identity != second.identity
