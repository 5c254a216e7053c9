"""Images sampled from a run's weights, and one grid of them: what `growlang sample` does."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from growlang.diagnostics import GrowlangError
from growlang.net.generations import refinements
from growlang.plans.weights_header import CHECKPOINTS, MODEL, parsed
from growlang.spec.feasibility import never_dropped
from growlang.spec.recipe import Sample, Settings
from growlang.torch_backend.device import open_device
from growlang.torch_backend.lower import lower
from growlang_runtime.conditioning.conditioner import Conditioner, Encoded
from growlang_runtime.conditioning.readings import about_prompts
from growlang_runtime.diffusion.objective import objective_of
from growlang_runtime.diffusion.sampling import Request, generate
from growlang_runtime.report.display import Display
from growlang_runtime.report.prompts import Prompts, own_prompts
from growlang_runtime.report.samples import Places, Samples
from growlang_runtime.storage.weights import Weights, load


def sample(
    run: Path | Weights,
    *,
    prompts: Sequence[str | int] | None = None,
    places: Places = Places(),  # noqa: B008 - frozen
    guidance: float | None = None,
    steps: int | None = None,
    detail_scale: float | None = None,
    detail_temperature: float | None = None,
    seed: int = 0,
    ema: bool = True,
    device: str = "cpu",
    batch: int = 16,
) -> Samples:
    """Images for prompts, by default those of the spec, written to the places that are given.

    `run` is a run's folder, a checkpoint's folder, a model.safetensors, or weights that were
    loaded. Guidance, steps, and scale and temperature of the detail, are the spec's unless they are
    given. An image depends on the seed, its prompt and its place among the prompts, not on `batch`.
    Raises GrowlangError if nothing can be written there, and for prompts or a guidance that the
    model cannot use.
    """
    places.require()
    if prompts is not None and not prompts:
        raise GrowlangError("no prompts given")
    if guidance is not None and not (math.isfinite(guidance) and guidance >= 0):
        raise GrowlangError(
            f"guidance must be finite, at least 0, but is {guidance}", help="use a number such as 4"
        )
    for name, count in (("steps", steps), ("batch", batch)):
        if count is not None and count < 1:
            raise GrowlangError(f"`{name}` must be at least 1, but is {count}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise GrowlangError(f"`seed` must be a whole number, at least 0, but is {seed!r}")
    weights = run if isinstance(run, Weights) else load(run, ema=ema)
    opened = open_device(device)
    _tell(run, weights)
    settings = requested(weights, guidance, steps, detail_scale, detail_temperature)
    asked = own_prompts(weights) if prompts is None else [str(prompt) for prompt in prompts]
    images = draw(weights, asked, settings, seed, opened, batch)
    if not images.isfinite().all():
        raise GrowlangError(
            f"sampling from {weights.path} gave NaN or infinity, although its weights are finite",
            help="lower --guidance, or train with a lower learning rate: the weights are too large",
        )
    return Samples(images, tuple(asked), tuple(places.write(images, asked)))


def _tell(run: Path | Weights, weights: Weights) -> None:
    """Say on stderr which weights of a run that is not over are used, and what they warn of."""
    folder = run if isinstance(run, Path) and (run / CHECKPOINTS).is_dir() else None
    if folder and weights.step is not None and not (folder / MODEL).exists():
        Display(0).say(f"{run} is not finished: sampling from step {weights.step}, {weights.path}")
    if weights.remark:
        Display(0).say(f"warning: {weights.remark}")


def draw(
    weights: Weights,
    prompts: Sequence[str],
    asked: Sample,
    seed: int,
    device: torch.device,
    batch: int,
) -> torch.Tensor:
    """Images (N, C, H, W) in [-1, 1], on the CPU, for N prompts."""
    settings: Settings = parsed(Settings, weights.metadata["settings"], weights.path)
    net = weights.net
    conditioner = Conditioner(net, semantics=weights.semantics, device=device)
    Prompts.of(prompts, conditioner)  # refuses what it cannot read, before the module is made
    Display(0).say(f"sampling on {device}")
    module = lower(net, device)
    module.load_state_dict(weights.tensors)
    module.eval()
    objective = objective_of(settings.objective, net)
    starts = range(0, len(prompts), batch)
    read = [Prompts.of(prompts[i : i + batch], conditioner).read(conditioner) for i in starts]
    _warn(read, asked.guidance, settings.objective.dropped(), list(conditioner.conditions))
    drawn = []
    for first, encoded in zip(starts, read, strict=True):
        some = prompts[first : first + batch]
        request = Request(
            encoded.inputs,
            conditioner.null(len(some)),
            range(first, first + len(some)),
            seed,
            asked.guidance,
            asked.detail_scale,
            asked.detail_temperature,
        )
        drawn.append(generate(module, net, objective, asked.sampler, request, device).cpu())
    return torch.cat(drawn)


def requested(
    weights: Weights,
    guidance: float | None = None,
    steps: int | None = None,
    detail_scale: float | None = None,
    detail_temperature: float | None = None,
) -> Sample:
    """What the weights' spec says of sampling, and what is given instead of it."""
    if not {"settings", "sample"} <= weights.metadata.keys():
        raise GrowlangError(
            f"{weights.path} has no sampling settings in its metadata",
            help="use weights that `growlang train` wrote",
        )
    declared: Sample = parsed(Sample, weights.metadata["sample"], weights.path)
    given = {
        "guidance": guidance,
        "detail_scale": detail_scale,
        "detail_temperature": detail_temperature,
    }
    if steps is not None:
        call = declared.sampler
        changed = {call.call: {**call.arguments(), "steps": steps}}
        sampler = Sample.model_validate_json(json.dumps({"sampler": changed})).sampler
        declared = declared.model_copy(update={"sampler": sampler})
    said = {name: value for name, value in given.items() if value is not None}
    for name in said.keys() - {"guidance"}:
        _require_detail(name, said[name], weights)
    return declared.model_copy(update=said)


def _require_detail(name: str, value: float, weights: Weights) -> None:
    if not 0 <= value <= 1:
        raise GrowlangError(f"`{name}` must be from 0 to 1, but is {value:g}")
    if not refinements(weights.net):
        raise GrowlangError(
            f"`{name}` has no effect: the model of {weights.path} retains no ends",
            help="leave it out",
        )


def _warn(
    read: Sequence[Encoded],
    guidance: float,
    drop: float | Mapping[str, float],
    conditions: Sequence[str],
) -> None:
    """Warn on stderr of truncated prompts, and of guidance that the model was not trained for."""
    lines = about_prompts([encoded.readings for encoded in read])
    if guidance != 1 and (kept := never_dropped(drop, conditions)):
        names = " and ".join(f"`{name}`" for name in kept)
        lines.append(
            f"guidance {guidance:g} needs a model that was also trained without conditions, but "
            f"training never dropped {names}; --guidance 1 turns guidance off"
        )
    for line in lines:
        Display(0).say(f"warning: {line}")
