"""Images sampled from a run's weights, and one grid of them: what `growlang sample` does."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.spelling import nearest
from growlang.net import Net
from growlang.net.generations import refinements
from growlang.plans.weights_header import CHECKPOINTS, MODEL, parsed, read
from growlang.spec.feasibility import never_dropped
from growlang.spec.numbers import Given, listed
from growlang.spec.recipe import Sample, Settings
from growlang.spec.samplers import SAMPLERS, Sampler
from growlang.torch_backend.device import open_device
from growlang.torch_backend.lower import lower
from growlang_runtime.conditioning.conditioner import Conditioner, Encoded
from growlang_runtime.conditioning.readings import about_prompts
from growlang_runtime.data.autoencoder import Autoencoder
from growlang_runtime.diffusion.objective import objective_of
from growlang_runtime.diffusion.sampling import Request, generate
from growlang_runtime.distributed.ranks import ALONE, Ranks, joined
from growlang_runtime.report.display import Display
from growlang_runtime.report.prompts import Prompts, own_prompts
from growlang_runtime.report.samples import Places, Samples
from growlang_runtime.storage.place import located
from growlang_runtime.storage.weights import Weights, load

Precision = Literal["fp32", "bf16"]


def sample(
    run: Path | Weights,
    *,
    prompts: Sequence[str | int] | None = None,
    places: Places = Places(),  # noqa: B008 - frozen
    guidance: float | None = None,
    steps: int | None = None,
    sampler: str | Sampler | None = None,
    guidance_interval: Sequence[float] | None = None,
    guidance_rescale: float | None = None,
    detail_scale: float | None = None,
    detail_temperature: float | None = None,
    numbers: Given | None = None,
    seed: int = 0,
    count: int = 1,
    precision: Precision = "fp32",
    ema: bool | int = True,
    device: str = "cpu",
    batch: int = 16,
    shared: bool = False,
) -> Samples:
    """Images for prompts, by default those of the spec, written to the places that are given.

    `run` is a run's folder, a checkpoint's folder, a model.safetensors, or weights that were
    loaded. What is None of the sampler's settings is the spec's. Of each prompt there are `count`
    images, with `seed` and the seeds after it. An image depends on its seed, its prompt and its
    place among the prompts, not on `batch`. If `shared`, the processes that torchrun started, all
    of which have to call it, draw a part each; the first has all images, the others none. Raises
    GrowlangError if nothing can be written there, and for prompts or settings that the model cannot
    use.
    """
    require_asked(prompts, steps=steps, batch=batch, count=count)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise GrowlangError(f"`seed` must be a whole number, at least 0, but is {seed!r}")
    if precision not in ("fp32", "bf16"):
        raise GrowlangError(f"`precision` must be fp32 or bf16, but is {precision}")
    _require_guidance(guidance, guidance_interval, guidance_rescale)
    with joined() if shared else nullcontext(ALONE) as ranks:
        if ranks.first:
            places.require()
        weights = run if isinstance(run, Weights) else load(run, ema=ema)
        require_generated(weights.net, weights.path)
        if weights.net.of_tokens:
            raise GrowlangError(
                f"{weights.path} is of a model of tokens, which draws no images",
                help="growlang.generate(...) and `growlang sample` give its texts",
            )
        opened = own_device(open_device(device), ranks)
        if ranks.first:
            tell(run, weights, "sampling from")
        settings = requested(
            weights,
            guidance,
            steps,
            detail_scale,
            detail_temperature,
            sampler=sampler,
            guidance_interval=guidance_interval,
            guidance_rescale=guidance_rescale,
            numbers=numbers,
        )
        if ranks.first:
            given = {"guidance_interval": guidance_interval, "guidance_rescale": guidance_rescale}
            _tell_idle([name for name in given if given[name] is not None], settings)
        asked = own_prompts(weights) if prompts is None else [str(prompt) for prompt in prompts]
        with without_tf32():
            images = draw(weights, asked, settings, seed, opened, batch, count, precision, ranks)
    if not images.isfinite().all():
        raise GrowlangError(
            f"sampling from {weights.path} gave NaN or infinity, although its weights are finite",
            help="lower --guidance, or train with a lower learning rate: the weights are too large",
        )
    each = tuple(prompt for prompt in asked for _ in range(count))[: len(images)]
    columns = count if count > 1 else None
    written = places.write(images, each, columns) if ranks.first else ()
    return Samples(images, each, tuple(written), columns)


def require_asked(prompts: Sequence[object] | None, **counts: int | None) -> None:
    """Raise GrowlangError where no prompts are given, or counts below 1; None is the spec's."""
    if prompts is not None and not prompts:
        raise GrowlangError("no prompts given")
    for name, number in counts.items():
        if number is not None and number < 1:
            raise GrowlangError(f"`{name}` must be at least 1, but is {number}")


def require_sampled(run: Path) -> None:
    """Raise GrowlangError for weights at a place that neither draw images nor write texts."""
    try:
        net = read(located(run)).net
    except GrowlangError:  # told when they are loaded
        return
    require_generated(net, run)


def require_generated(net: Net, path: Path) -> None:
    """Raise GrowlangError for weights at a place of a net that predicts a label."""
    if net.predicts:
        raise GrowlangError(
            f"{path} is of a model that predicts `{net.predicts}`: it draws nothing",
            help="`growlang evaluate RUN -m accuracy` measures it on held-out images, and "
            "growlang.load_weights(RUN).module() gives logits for images in [-1, 1]",
        )


def own_device(opened: torch.device, ranks: Ranks) -> torch.device:
    """The GPU of this process, where there are several and only the kind of device is said."""
    if ranks.size == 1 or opened.type != "cuda" or opened.index is not None:
        return opened
    return open_device(f"cuda:{ranks.local % torch.cuda.device_count()}")


def tell(run: Path | Weights, weights: Weights, doing: str) -> None:
    """Say on stderr which weights of a run that is not over are used, and what they warn of."""
    folder = run if isinstance(run, Path) and (run / CHECKPOINTS).is_dir() else None
    if folder and weights.step is not None and not (folder / MODEL).exists():
        Display(0).say(f"{run} is not finished: {doing} step {weights.step}, {weights.path}")
    if weights.remark:
        Display(0).say(f"warning: {weights.remark}")


def draw(
    weights: Weights,
    prompts: Sequence[str],
    asked: Sample,
    seed: int,
    device: torch.device,
    batch: int,
    count: int = 1,
    precision: Precision = "fp32",
    ranks: Ranks = ALONE,
) -> torch.Tensor:
    """Images (N * count, C, H, W) in [-1, 1], on the CPU, for N prompts: those of one together.

    Each of the processes draws its part; the first has all of them, the others none.
    """
    told: list[str] = []
    drawer = Drawer(weights, asked, device, precision, None if ranks.first else told.append)
    wanted = [(place, seed + n) for place in range(len(prompts)) for n in range(count)]
    own = drawer.draw(prompts, wanted[ranks.share(len(wanted))], batch)
    for lines in ranks.gather(told)[1:]:
        for line in lines:
            if line.startswith("warning"):
                drawer.say(line)
    parts = ranks.gather(own)
    return torch.cat(parts) if ranks.first else own[:0]


class Drawer:
    """Draws with weights, whose module is made once, when it is first needed."""

    def __init__(
        self,
        weights: Weights,
        asked: Sample,
        device: torch.device,
        precision: Precision = "fp32",
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.weights, self.net, self.asked = weights, weights.net, asked
        self.device, self.precision = device, precision
        self.say = say or Display(0).say
        self.settings: Settings = parsed(Settings, weights.metadata["settings"], weights.path)
        self.conditioner = Conditioner(self.net, semantics=weights.semantics, device=device)
        self.vae = Autoencoder.of(self.net, device)
        self._warned = False

    @cached_property
    def computed(self) -> Callable[..., Tensor]:
        """The module, in evaluation, that computes in the precision."""
        self.say(f"sampling on {self.device}")
        module = lower(self.net, self.device)
        module.load_state_dict(self.weights.tensors)
        return in_precision(module.eval(), self.device, self.precision)

    def draw(
        self, prompts: Sequence[str], wanted: Sequence[tuple[int, int]], batch: int, first: int = 0
    ) -> Tensor:
        """Images (N, C, H, W) in [-1, 1], on the CPU, one for each place and seed that is wanted.

        `prompts` are those of the places from `first` on.
        """
        numbers = self.asked.given_numbers
        Prompts.of(
            prompts, self.conditioner, numbers
        )  # refuses what it cannot read, before all else
        computed = self.computed
        objective = objective_of(self.settings.objective, self.net)
        parts = [wanted[at : at + batch] for at in range(0, len(wanted), batch)]
        texts = [[prompts[place - first] for place, _ in part] for part in parts]
        asked = [Prompts.of(some, self.conditioner, numbers) for some in texts]
        read = [some.read(self.conditioner) for some in asked]
        self._warn(read)
        drawn = []
        for part, encoded in zip(parts, read, strict=True):
            places, seeds = zip(*part, strict=True)
            null = self.conditioner.null(len(part))
            request = Request.of(self.asked, encoded.inputs, null, places, seeds)
            sampler, net, device = self.asked.sampler, self.net, self.device
            made = generate(computed, net, objective, sampler, request, device)
            drawn.append((made if self.vae is None else self.vae.decoded(made)).cpu())
        return torch.cat(drawn) if drawn else torch.empty(0, *self.net.pixels.dims)

    def _warn(self, read: Sequence[Encoded]) -> None:
        """Warn of truncated prompts and of guidance that was not trained for, the first time."""
        drop, all_ = self.settings.objective.dropped(), self.conditioner.conditions
        conditions = [name for name, c in all_.items() if c.can_be_null]
        lines = [] if self._warned else doubts(read, self.asked.guidance, drop, conditions)
        for line in lines:
            self.say(f"warning: {line}")
        self._warned = True


@contextmanager
def without_tf32() -> Iterator[None]:
    """Compute fp32 products in fp32: by default PyTorch rounds those of convolutions to TF32."""
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = cuda.allow_tf32, cudnn.allow_tf32
    try:
        cuda.allow_tf32 = cudnn.allow_tf32 = False
        yield
    finally:
        cuda.allow_tf32, cudnn.allow_tf32 = before


def in_precision(
    module: Callable[..., Tensor], device: torch.device, precision: Precision
) -> Callable[..., Tensor]:
    """A module that computes in a precision; its weights, inputs and result stay float32."""
    if precision == "fp32":
        return module

    def computed(*inputs: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return module(*inputs).float()

    return computed


def requested(
    weights: Weights,
    guidance: float | None = None,
    steps: int | None = None,
    detail_scale: float | None = None,
    detail_temperature: float | None = None,
    *,
    sampler: str | Sampler | None = None,
    guidance_interval: Sequence[float] | None = None,
    guidance_rescale: float | None = None,
    numbers: Given | None = None,
) -> Sample:
    """What the weights' spec says of sampling, and what is given instead of it.

    A `sampler` by another name has its own defaults, and `numbers` of a condition that are given
    are instead of the spec's. Raises GrowlangError for one that is unknown,
    and for detail of a model that has none.
    """
    if not {"settings", "sample"} <= weights.metadata.keys():
        raise GrowlangError(
            f"{weights.path} has no sampling settings in its metadata",
            help="use weights that `growlang train` wrote",
        )
    declared: Sample = parsed(Sample, weights.metadata["sample"], weights.path)
    given = {
        "guidance": guidance,
        "guidance_interval": guidance_interval and [*guidance_interval],
        "guidance_rescale": guidance_rescale,
        "detail_scale": detail_scale,
        "detail_temperature": detail_temperature,
    }
    said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name in said.keys() & {"detail_scale", "detail_temperature"}:
        _require_detail(name, said[name], weights)
    if numbers:
        said["numbers"] = {**(declared.numbers or {}), **listed(numbers)}
    said["sampler"] = _sampler(declared.sampler, sampler, steps)
    return declared.model_copy(update=said)


def _sampler(declared: Sampler, given: str | Sampler | None, steps: int | None) -> Sampler:
    """The spec's sampler, a given one, or that of a name at its defaults, with `steps`."""
    if isinstance(given, Sampler):
        declared, given = given, None
    name = given
    if name is not None and name not in SAMPLERS.names():
        begun = [known for known in SAMPLERS.names() if name and known.startswith(name)]
        near = begun or nearest(name, SAMPLERS.names())
        raise GrowlangError(
            f"unknown sampler `{name}`",
            help=f"did you mean `{near[0]}`?" if near else f"use {', '.join(SAMPLERS.names())}",
        )
    arguments = declared.arguments() if name in (None, declared.call) else {}
    arguments |= {} if steps is None else {"steps": steps}
    call = json.dumps({"sampler": {name or declared.call: arguments}})
    return Sample.model_validate_json(call).sampler


def _require_guidance(
    scale: float | None, interval: Sequence[float] | None, rescale: float | None
) -> None:
    """Raise GrowlangError for settings of guidance that a spec could not have."""
    if scale is not None and not (math.isfinite(scale) and scale >= 0):
        raise GrowlangError(
            f"guidance must be finite, at least 0, but is {scale}", help="use a number such as 4"
        )
    if interval is not None and not (len(interval) == 2 and 0 <= interval[0] < interval[1] <= 1):
        raise GrowlangError(
            "the guidance interval must be two rising times from 0 to 1, but is "
            f"{' '.join(f'{t:g}' for t in interval) or 'empty'}",
            help="1 is noise: 0.1 1 leaves the last steps without guidance",
        )
    if rescale is not None and not 0 <= rescale <= 1:
        raise GrowlangError(
            f"`guidance_rescale` must be from 0 to 1, but is {rescale:g}", help="0.7 is usual"
        )


def _tell_idle(given: Sequence[str], settings: Sample) -> None:
    """Warn of settings of guidance that were given, and do nothing without it."""
    for name in given:
        if settings.guidance == 1 and name in settings.says_of_guidance:
            Display(0).say(
                f"warning: `{name}` has no effect: guidance is 1; "
                "leave it out, or give --guidance 2"
            )


def _require_detail(name: str, value: float, weights: Weights) -> None:
    if not 0 <= value <= 1:
        raise GrowlangError(f"`{name}` must be from 0 to 1, but is {value:g}")
    if not refinements(weights.net):
        raise GrowlangError(
            f"`{name}` has no effect: the model of {weights.path} retains no ends",
            help="leave it out",
        )


def doubts(
    read: Sequence[Encoded],
    guidance: float,
    drop: float | Mapping[str, float],
    conditions: Sequence[str],
) -> list[str]:
    """A line on truncated prompts, and on guidance that the model was not trained for."""
    lines = about_prompts([encoded.readings for encoded in read])
    if guidance != 1 and (kept := never_dropped(drop, conditions)):
        names = " and ".join(f"`{name}`" for name in kept)
        lines.append(
            f"guidance {guidance:g} needs a model that was also trained without conditions, but "
            f"training never dropped {names}; --guidance 1 turns guidance off"
        )
    return lines
