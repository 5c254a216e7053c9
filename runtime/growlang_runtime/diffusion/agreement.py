"""Whether noise, prediction, weight and sampler of an objective agree: a run tries it.

A perfect prediction has to give the image that it was made of, without a loss: tried before the
steps of a phase. A sampler that is told this image at each step has to come to it by the noise
levels of the objective: tried behind the first of them, since samplers take seconds to load.
"""

from __future__ import annotations

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.signatures.installed import attribute
from growlang.spec.samplers import Sampler
from growlang_runtime.diffusion.noise import alpha, noisy, over_pixels, sigma
from growlang_runtime.diffusion.objective import Objective
from growlang_runtime.diffusion.sampling import generator, levels_of

TIMES = (0.1, 0.35, 0.6, 0.9)
STEPS = 4
CLOSE = 1e-3
"""Largest error of a pixel of 1, in float32, over the factor by which a prediction is scaled up."""
SPREAD = (0.5, 2.0)
"""Standard deviation that the noise of a sampler may have, of 384 pixels that should have 1."""


def require_agreement(objective: Objective, call: str) -> None:
    """Raise GrowlangError where a part of an objective, called `call`, does not fit the others.

    What a perfect prediction has for its image, noise and loss, of four images of 12 pixels. An
    objective without `target` is not tried.
    """
    if not hasattr(objective, "target"):
        return
    random = torch.Generator().manual_seed(0)
    x = torch.rand(len(TIMES), 3, 2, 2, generator=random) * 1.6 - 0.8
    eps = torch.randn(x.shape, generator=random)
    t = objective.trained_at(torch.tensor(TIMES, dtype=torch.float64))
    log_snr, given = objective.log_snr(t), objective.noisy(x, eps, t)
    scale = objective.input_scale(t)
    wanted = noisy(x, eps, log_snr)
    if scale is not None:
        wanted = over_pixels(scale, x) * wanted
    _require(call, "noise", "`noisy` and `log_snr`", wanted, given, t)
    perfect: Tensor = objective.target(x, eps, t)
    found = objective.to_x(perfect, given, t)
    noise_to_signal = over_pixels(torch.exp(-log_snr / 2), x).clamp(min=1)
    ratio = (found - x) / noise_to_signal
    _require(call, "prediction", "`target` and `to_x`", torch.zeros_like(ratio), ratio, t)
    # With the least variance, beta~, steps are those of the known image; none to the image itself.
    least = [torch.full_like(x, -1)] if objective.learns_variance else []
    losses = objective.losses(lambda *_: torch.cat([perfect, *least], 1), x, eps, t)
    inner = t > objective.trained_at(torch.zeros_like(t)) if least else t > -1
    known = losses[inner]
    _require(call, "loss", "`target` and `losses`", torch.zeros_like(known), known, t[inner])
    worse = objective.losses(lambda *_: torch.cat([perfect + 1, *least], 1), x, eps, t)
    if not (torch.isfinite(worse).all() and (worse > 0).all()):
        raise GrowlangError(
            f"the objective `{call}` does not weigh errors: at t = {_listed(t)} a prediction that "
            f"is wrong by 1 has the loss {_listed(worse)}",
            help="choose another `weight`, or a schedule with less extreme levels",
        )


def require_sampler(objective: Objective, call: str, sampler: Sampler) -> None:
    """Raise GrowlangError where a sampler does not fit an objective, called `call`.

    Where it arrives when it is told one image, and how large its noise is, in four steps.
    """
    few = sampler.model_copy(update={"steps": min(sampler.steps, STEPS)})
    x = torch.linspace(-0.8, 0.8, 384).view(2, 3, 8, 8)
    generators = [generator(0, place) for place in range(len(x))]
    noise = torch.stack([torch.randn(x.shape[1:], generator=g) for g in generators])
    seen: list[tuple[float, float]] = []

    def told(x_t: Tensor, time: Tensor) -> Tensor:
        level = objective.log_snr(time)
        eps = (x_t.double() - alpha(level) * x) / sigma(level)
        seen.append((float(time), float(eps.std())))
        least = torch.full_like(x_t, -1)  # the variance of the known image
        return torch.cat([x.to(x_t.dtype), least], 1)

    levels = levels_of(objective, told, generators)
    drawn = attribute(few.runtime, few.call)(few, noise, levels)
    low, high = SPREAD
    wrong = [(time, std) for time, std in seen if not low <= std <= high]
    if wrong:
        time, std = wrong[0]
        raise GrowlangError(
            f"the sampler `{sampler.call}` does not follow the noise of the objective `{call}`: at "
            f"t = {time:g} its noise has the standard deviation {std:.3g}, not 1",
            help="choose another sampler, such as `ddim`",
        )
    if isinstance(drawn, Tensor) and drawn.shape == x.shape:
        off = float((drawn - x).abs().max())
        if not off < 0.05:
            raise GrowlangError(
                f"the sampler `{sampler.call}` does not end at the image of the objective "
                f"`{call}`: told it at each step, it is {off:.3g} off",
                help="choose another sampler, such as `ddim`",
            )


def _require(call: str, what: str, parts: str, wanted: Tensor, found: Tensor, t: Tensor) -> None:
    """Raise GrowlangError where two tensors (B, ...) are not alike."""
    off = (found - wanted).abs().flatten(1).amax(1) if found.ndim > 1 else found.abs()
    if not (off < CLOSE).all():
        place = int((off < CLOSE).int().argmin())
        raise GrowlangError(
            f"the {what} of the objective `{call}` does not agree with itself: at t = "
            f"{float(t[place]):g}, {parts} are {float(off[place]):.3g} apart",
            help="fix or update the package that declares it, or choose another objective",
        )


def _listed(values: Tensor) -> str:
    return ", ".join(f"{value:.3g}" for value in values.tolist())
