"""What `retain` promises, on nets with random weights in float64: the old function stays."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
import torch
from fixture_specs import checked, edited
from torch import Tensor
from torch.func import functional_call

from growlang.checking import Checked
from growlang.net import Net
from growlang.net.generations import held_by, refinements
from growlang.ops.generations import Predict, Upsample
from growlang.spec.samplers import DDIM
from growlang.torch_backend.generations import (
    high,
    levels,
    mapped,
    noise_in_detail,
    pooled,
    upsampled,
)
from growlang.torch_backend.initialisation import initialise
from growlang.torch_backend.lower import LoweredNet, lower
from growlang.verifying import verify
from growlang_runtime.diffusion.detail import clipped
from growlang_runtime.diffusion.generations import joints
from growlang_runtime.diffusion.guidance import Guidance, guided
from growlang_runtime.diffusion.noise import to_x
from growlang_runtime.diffusion.objective import Denoising, denoiser, objective_of
from growlang_runtime.diffusion.sampling import Levels
from growlang_runtime.diffusion.schedulers import ddim

SPECS = Path(__file__).parent.parent / "fixtures" / "retain"
PREDICTIONS: tuple[Predict, ...] = ("v", "eps", "x")
EXACT = 1e-10
BATCH = 5


def family(
    folder: Path, predict: Predict = "v", skips: str = "block", factor: int = 2, more: str = ""
) -> tuple[Checked, Checked, Checked]:
    """The base, the middle whose images are `factor` times as large, and the large model."""
    objective = ("predict = v", f"predict = {predict}")
    edited(
        SPECS / "base.grow", folder / "base.grow", objective, ("skips = block", f"skips = {skips}")
    )
    sizes = ("image(24)", f"image({12 * factor})"), ("patch(2, 6)", f"patch({factor}, 6)")
    ends = ("unpatch(2)", f"unpatch({factor})"), ("  image", f"  {more}\n  image")
    edited(SPECS / "middle.grow", folder / "middle.grow", *sizes, *ends)
    retained = ("retained[12]", "retained[12]"), ("image(72)", f"image({36 * factor})")
    patches = ("patch(6, 6)", f"patch({3 * factor}, 6)"), ("unpatch(6)", f"unpatch({3 * factor})")
    edited(SPECS / "large.grow", folder / "large.grow", *retained, *patches)
    base, middle, large = (checked(folder / f"{n}.grow") for n in ("base", "middle", "large"))
    return base, middle, large


def weights_of(net: Net, seed: int) -> dict[str, Tensor]:
    """Random weights for all tensors; variances lie in (0, 1)."""
    generator = torch.Generator().manual_seed(seed)
    measured = held_by(net).measured
    return {
        name: torch.rand(t.shape, generator=generator, dtype=torch.float64)
        if name in measured
        else 0.3 * torch.randn(t.shape, generator=generator, dtype=torch.float64)
        for name, t in net.table.items()
    }


def module_of(net: Net, weights: Mapping[str, Tensor]) -> LoweredNet:
    module = lower(net, "cpu").double().eval()
    module.load_state_dict(weights)
    return module


def grown_from(old: Mapping[str, Tensor], child: Checked, seed: int) -> dict[str, Tensor]:
    """The weights of a child: new ones at random."""
    assert child.mapping is not None
    return child.mapping.apply(old, weights_of(child.net, seed))


def inputs_of(net: Net, x: Tensor, log_snr: Tensor, level: Tensor) -> list[Tensor]:
    """The values of the inputs of a net."""
    count = len(x)
    given = {
        "image": x,
        "log_snr": log_snr,
        "level": level,
        "text.ids": torch.arange(3).expand(count, 3),
        "text.mask": torch.tensor([True, True, False]).expand(count, 3),
        "place.ids": torch.arange(2).expand(count, 2),
        "place.mask": torch.ones(count, 2, dtype=torch.bool),
    }
    return [given[i.name] for i in net.inputs]


def noise(net: Net, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(BATCH, *net.image.dims, generator=generator, dtype=torch.float64)


def relative(a: Tensor, b: Tensor) -> float:
    """The largest difference in an image, relative to the image."""
    return float(((a - b).flatten(1).abs().amax(1) / b.flatten(1).abs().amax(1)).max())


LEVEL = torch.linspace(-16, 16, BATCH, dtype=torch.float64)
REFERENCE = torch.linspace(-9, 9, BATCH, dtype=torch.float64)


@torch.no_grad()
def difference(
    child: Net, old: Net, weights: Mapping[str, Tensor], before: Mapping[str, Tensor]
) -> float:
    """How far D of the child's image is from the image of the generation before, at all levels."""
    op = refinements(child)[-1].args
    factor, predict = op["factor"], op["predict"]
    x = noise(child)
    small = pooled(x, factor) / levels(LEVEL, 1, factor).rho.view(-1, 1, 1, 1)
    own = LEVEL + 2 * torch.log(torch.tensor(float(factor), dtype=torch.float64))
    p = module_of(child, weights)(*inputs_of(child, x, REFERENCE, LEVEL))
    p_old = module_of(old, before)(*inputs_of(old, small, REFERENCE, own))
    return relative(pooled(to_x(p, x, LEVEL, predict), factor), to_x(p_old, small, own, predict))


@pytest.mark.parametrize("predict", PREDICTIONS)
@pytest.mark.parametrize(
    ("skips", "factor", "more"),
    [
        ("block", 2, ""),
        ("level", 3, ""),
        ("none", 4, ""),
        ("block", 3, "upsample = nearest"),
    ],
)
def test_d_of_the_denoised_image_is_that_of_the_generation_before(
    tmp_path: Path, predict: Predict, skips: str, factor: int, more: str
) -> None:
    base, middle, large = family(tmp_path, predict, skips, factor, more)
    first = weights_of(base.net, 0)
    second = grown_from(first, middle, 1)
    third = grown_from(second, large, 2)
    assert difference(middle.net, base.net, second, first) < EXACT
    assert difference(large.net, middle.net, third, second) < EXACT


@pytest.mark.parametrize("predict", PREDICTIONS)
@torch.no_grad()
def test_d_of_a_sample_is_the_sample_of_the_generation_before(
    tmp_path: Path, predict: Predict
) -> None:
    nets = family(tmp_path, predict)
    weights = [weights_of(nets[0].net, 0)]
    for seed, child in enumerate(nets[1:], 1):
        weights.append(grown_from(weights[-1], child, seed))
    drawn = [noise(nets[2].net)]
    for child in reversed(nets[1:]):
        factor = refinements(child.net)[-1].args["factor"]
        start = objective(child).log_snr(torch.ones(1))
        drawn.insert(0, pooled(drawn[0], factor) / levels(start, 1, factor).rho)
    images = [sampled(c, w, x) for c, w, x in zip(nets, weights, drawn, strict=True)]
    assert images[0].abs().max() <= 1
    assert relative(pooled(images[1], 2), images[0]) < EXACT
    assert relative(pooled(images[2], 3), images[1]) < EXACT


def objective(spec: Checked) -> Denoising:
    declared = spec.resolved.recipes[0].settings.objective
    found = objective_of(declared, spec.net)
    assert isinstance(found, Denoising)
    return found


def sampled(spec: Checked, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Four steps of DDIM under guidance, clipped by the first generation's rule, in float64."""
    net, goal = spec.net, objective(spec)
    names = [i.name for i in net.inputs]
    given = inputs_of(net, x, REFERENCE, LEVEL)
    conditions = {n: v for n, v in zip(names, given, strict=True) if "." in n}
    null = {name: torch.ones_like(value) for name, value in conditions.items()}
    under = partial(denoiser, module_of(net, weights), net)
    predict = guided(under, conditions, null, Guidance(3.0))(1.0)

    def denoised(x_t: Tensor, time: Tensor) -> Tensor:
        t = time.expand(len(x_t))
        p = predict(x_t, goal.embedded(t), goal.log_snr(t))
        return clipped(goal.to_x(p, x_t, t), joints(net))

    generators = [torch.Generator() for _ in x]
    levels_of = Levels(denoised, goal.log_snr, generators)
    return clipped(ddim(DDIM(steps=4), x, levels_of), joints(net))


def test_the_core_is_passed_once_at_any_depth(tmp_path: Path) -> None:
    _, middle, large = family(tmp_path)
    for child in (middle, large):
        module, calls = module_of(child.net, weights_of(child.net, 0)), []
        core = module.get_submodule("core.transformer.0")
        core.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        module(*inputs_of(child.net, noise(child.net), REFERENCE, LEVEL))
        assert calls == [1]


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_maps_of_a_deterministic_bicubic_are_those_of_the_kernel(factor: int) -> None:
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    wanted = torch.nn.functional.interpolate(x, scale_factor=float(factor), mode="bicubic")
    torch.testing.assert_close(mapped(x, factor), wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("how", ["bicubic", "nearest"])
def test_what_is_enlarged_has_the_means_that_it_was_made_of(factor: int, how: Upsample) -> None:
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    assert relative(pooled(upsampled(x, factor, how), factor), x) < 1e-14
    detail = high(torch.randn(2, 3, 5 * factor, 7 * factor, dtype=torch.float64), factor, how)
    assert pooled(detail, factor).abs().max() < 1e-14
    assert relative(high(detail, factor, how), detail) < 1e-14


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("how", ["bicubic", "nearest"])
def test_the_share_of_noise_in_detail_is_that_of_a_large_image(factor: int, how: Upsample) -> None:
    generator = torch.Generator().manual_seed(0)
    side = 240 * factor
    white = torch.randn(1, 1, side, side, generator=generator, dtype=torch.float64)
    share = float(high(white, factor, how).square().mean())
    assert share == pytest.approx(noise_in_detail(factor, how), rel=0.01)
    assert noise_in_detail(factor, "nearest") == pytest.approx(1 - 1 / factor**2, abs=1e-15)


@pytest.mark.parametrize(
    ("skips", "head", "constant"),
    [
        ("block", "residual(6) | unpatch(2)", []),
        ("level", "unpatch(2) | conv(3)", ["conv.0"]),
        ("none", "unpatch(2) | residual(3)", ["residual.0.conv2", "zero_conv.0"]),
    ],
)
def test_nothing_of_the_new_ends_is_dead_and_the_detail_begins_at_zero(
    tmp_path: Path, skips: str, head: str, constant: list[str]
) -> None:
    """The last map is zero, and in series with it those of residual ops: two steps wake all.

    H takes away what is `constant` over the whole image: these biases have no effect.
    """
    shutil.copy(SPECS / "base.grow", tmp_path)
    joined = ("image = image(24)", f"skips = {skips}\n  image = image(24)")
    ends = ("residual(6) | unpatch(2)", head)
    net = checked(edited(SPECS / "middle.grow", tmp_path / "middle.grow", joined, ends)).net
    module = lower(net, "cpu")
    initialise(module, net, 0).double()
    held = held_by(net)
    old, x = weights_of(net, 3), noise(net)
    new = {n: p for n, p in module.named_parameters() if n not in held.old | held.measured}
    with torch.no_grad():
        for name in held.old:
            module.get_parameter(name).copy_(old[name])
    values = inputs_of(net, x, REFERENCE, LEVEL)
    start = module(*values)
    quiet = {name: torch.zeros_like(value) for name, value in new.items()}
    torch.testing.assert_close(functional_call(module, quiet, tuple(values)), start)
    optimizer = torch.optim.Adam(new.values(), 1e-2)
    seen = {name: torch.zeros_like(value, dtype=torch.bool) for name, value in new.items()}
    for step in range(3):
        optimizer.zero_grad()
        values = inputs_of(net, noise(net, step), REFERENCE, LEVEL)
        (module(*values) - noise(net, 9)).square().mean().backward()
        for name, value in new.items():
            seen[name] |= value.grad is not None and value.grad.abs() > 1e-12
        optimizer.step()
    dead = [name for name, moved in seen.items() if not moved.all()]
    assert dead == [f"head.{name}.bias" for name in constant]


@pytest.mark.parametrize("embed", ["reference", "raw"])
def test_the_first_generation_knows_its_own_level(tmp_path: Path, embed: str) -> None:
    """What `time` embeds at every time is what it embedded of the smaller image."""
    raw = ("fourier(8)", f"fourier(8, embed = {embed})")
    edited(SPECS / "base.grow", tmp_path / "base.grow", raw)
    for name in ("middle", "large"):
        shutil.copy(SPECS / f"{name}.grow", tmp_path)
    base, large = (checked(tmp_path / f"{name}.grow") for name in ("base", "large"))
    t = torch.linspace(0, 1, 9, dtype=torch.float64)
    torch.testing.assert_close(objective(large).embedded(t), objective(base).embedded(t))
    gain = 2 * torch.log(torch.tensor(6.0, dtype=torch.float64))
    torch.testing.assert_close(objective(large).log_snr(t) + gain, objective(base).log_snr(t))


def test_verify_measures_the_promise_and_says_which_phase_ends_it(tmp_path: Path) -> None:
    for name in ("base", "middle"):
        shutil.copy(SPECS / f"{name}.grow", tmp_path)
    released = ("phase all for 3", "phase all for 3 { train core }")
    found = verify(checked(edited(SPECS / "large.grow", tmp_path / "large.grow", released)))
    assert found.holds
    (promise,) = (p for p in found.promises if p.name == "means")
    assert (promise.place, promise.measured < 1e-12) == ("large", True)
    assert "phase `all` of recipe `main` trains what is retained" in found.notes[-1]


def test_a_detail_that_is_free_breaks_the_promise(tmp_path: Path) -> None:
    shutil.copy(SPECS / "base.grow", tmp_path)
    free = ("  image = image(24)", "  detail = free\n  image = image(24)")
    child = checked(edited(SPECS / "middle.grow", tmp_path / "middle.grow", free))
    assert child.parent is not None
    before = weights_of(child.parent.net, 0)
    after = grown_from(before, child, 1)
    assert difference(child.net, child.parent.net, after, before) > 1e-3
