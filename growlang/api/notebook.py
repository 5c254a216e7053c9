"""The Python API for loops of one's own: runs, weights, noise levels, and what conditions read.

A model is given as the path of a spec, as what `load` or `compile` gave, or as a run or its
weights: `load_run`, `load_weights`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from growlang.api.given import StrPath, checked_spec, path_of
from growlang.checking import Checked
from growlang.compiling import Compiled, compiled, usable
from growlang.diagnostics import GrowlangError
from growlang.planning import recipe_of
from growlang.torch_backend import require_torch

if TYPE_CHECKING:
    import torch
    from torch import nn

    from growlang.net import Net
    from growlang.spec import objectives
    from growlang.spec.samplers import Sampler
    from growlang_runtime.diffusion.objective import Objective
    from growlang_runtime.export.exporting import Exported
    from growlang_runtime.language.texts import Texts
    from growlang_runtime.notebook.conditions import Conditions
    from growlang_runtime.notebook.run import Run
    from growlang_runtime.notebook.weights import Weights
    from growlang_runtime.report.samples import Samples
    from growlang_runtime.storage.averaging import Averaged
    from growlang_runtime.storage.weights import Weights as StoredWeights


def load_run(path: StrPath) -> Run:
    """The run in a folder, finished or not: its plan, metrics and weights.

    Raises GrowlangError if there is no run.
    """
    require_torch("reading a run")
    from growlang_runtime.notebook import run

    return run.load_run(path_of(path))


def load_weights(path: StrPath, *, ema: bool | int = True) -> Weights:
    """The state dict, float32 on the CPU, of a run, a checkpoint or a file that was saved.

    Of a run, the finished averages if `ema` and it is over, else its newest checkpoint; RUN@STEP
    and RUN@best are checkpoints of it. Raises GrowlangError if there are no weights, or if they do
    not fit the net that they name.
    """
    require_torch("reading weights")
    from growlang_runtime.notebook import run

    return run.load_weights(path_of(path), ema=ema)


def objective(
    model: StrPath | Checked | Compiled | Run | Weights, recipe: str | None = None
) -> Objective:
    """What a recipe trains, by default the first: noise levels, targets and losses, as functions.

    It is that of the recipe's last phase, for the model's image size. `objective.log_snr(t)` is
    the log-SNR of an image at time t in [0, 1], `objective.embedded(t)` what the net reads of it:
    the log-SNR before the shift for the image size (`embed = reference`), so that the net reads the
    same number for the same amount of detail left at every resolution. Raises GrowlangError if
    there is no such recipe, or if weights do not say what they were trained for.
    """
    require_torch("an objective")
    from growlang_runtime.diffusion.objective import objective_of

    found = _model(model)
    declared = found.declared(recipe)
    return objective_of(declared, found.net)


def conditions(
    model: StrPath | Checked | Compiled | Run | Weights, *, device: torch.device | str = "cpu"
) -> Conditions:
    """What makes the inputs of a model's conditions: of prompts, or of captions and labels.

    Frozen encoders are loaded. Raises GrowlangError if one cannot be.
    """
    require_torch("conditions")
    from growlang_runtime.notebook.conditions import Conditions

    found = _model(model)
    return Conditions(found.net, device, found.semantics)


def denoiser(
    module: Callable[..., torch.Tensor],
    model: StrPath | Checked | Compiled | Run | Weights,
    given: Mapping[str, torch.Tensor] | None = None,
) -> Callable[..., torch.Tensor]:
    """A model's module as a function of a noisy image and what the net reads of its noise level.

    It is called with x_t (B, C, H, W) and `objective.embedded(t)` (B,), as float32 on the module's
    device. `given` are the inputs that conditions make. Raises GrowlangError if an input is missing
    or unknown.
    """
    require_torch("a denoiser")
    from growlang_runtime.notebook.conditions import denoiser_of

    return denoiser_of(module, _model(model).net, given or {})


def sample(
    run: StrPath | Run | Weights | Checked,
    prompts: str | Sequence[str | int] | None = None,
    output: StrPath | None = None,
    *,
    weights: nn.Module | Mapping[str, torch.Tensor] | None = None,
    each: StrPath | None = None,
    overwrite: bool = False,
    guidance: float | None = None,
    steps: int | None = None,
    sampler: str | Sampler | None = None,
    guidance_interval: Sequence[float] | None = None,
    guidance_rescale: float | None = None,
    detail_scale: float | None = None,
    detail_temperature: float | None = None,
    numbers: Mapping[str, float | Sequence[float]] | None = None,
    seed: int = 0,
    count: int = 1,
    precision: Literal["fp32", "bf16"] = "fp32",
    ema: bool | int = True,
    device: str = "cpu",
    batch: int = 16,
    shared: bool = False,
) -> Samples:
    """Images for prompts, `count` of each, from the weights of a run, a checkpoint or a file.

    RUN@STEP and RUN@best are checkpoints of a run; of one that is not finished, its newest is used.
    Prompts are captions, or names or numbers of classes; by default those of the spec. With
    `weights`, `run` is the checked spec of a module, or of a state dict, that you trained yourself.
    With `output`, the images are also written as one PNG grid, with `each` as single files in a
    folder; a number is added to names that exist, unless `overwrite`. `guidance`, its interval (in
    times, 1 being noise) and rescale, `steps`, the `sampler`, by name or as in a spec
    (`"dpm_solver(order = 3)"`), and, of a model that retains ends, `detail_scale` and
    `detail_temperature` are the spec's unless given, and so are the `numbers` of conditions
    (`{"score": 6.5, "size": [512, 512]}`). The images of a prompt have the seeds `seed`,
    `seed` + 1, and so on; `batch` images are computed at once, which changes none of them. If
    `shared`, the processes that torchrun started, all of which have to call it, draw a part each,
    and the first has the images. Raises GrowlangError if there are no weights, or for what the
    model cannot use.
    """
    require_torch("sampling")
    from growlang_runtime.report.samples import Places
    from growlang_runtime.sample import sample as sampled

    return sampled(
        _weights_of(run, weights),
        prompts=[prompts] if isinstance(prompts, str) else prompts,
        places=Places(
            None if output is None else path_of(output),
            None if each is None else path_of(each),
            overwrite,
        ),
        guidance=guidance,
        steps=steps,
        sampler=_sampler(sampler),
        guidance_interval=guidance_interval,
        guidance_rescale=guidance_rescale,
        detail_scale=detail_scale,
        detail_temperature=detail_temperature,
        numbers=numbers,
        seed=seed,
        count=count,
        precision=precision,
        ema=ema,
        device=device,
        batch=batch,
        shared=shared,
    )


def generate(
    run: StrPath | Run | Weights | Checked,
    prompts: str | Sequence[str] | None = None,
    *,
    weights: nn.Module | Mapping[str, torch.Tensor] | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    length: int | None = None,
    seed: int = 0,
    count: int = 1,
    precision: Literal["fp32", "bf16"] = "fp32",
    ema: bool | int = True,
    device: str = "cpu",
    batch: int = 16,
) -> Texts:
    """What a model of tokens writes behind prompts, `count` texts each, by default the spec's.

    `run` and `weights` are as in `sample`. `temperature`, `top_k` and `length`, in tokens, are the
    spec's unless given; at temperature 0 each token is the likeliest. The texts of a prompt have
    the seeds `seed`, `seed` + 1, and so on. An empty prompt is the beginning of a text. Raises
    GrowlangError if there are no weights, and for those of a model of images.
    """
    require_torch("sampling")
    from growlang_runtime.language.texts import generate as generated

    return generated(
        _weights_of(run, weights),
        prompts=[prompts] if isinstance(prompts, str) else prompts,
        temperature=temperature,
        top_k=top_k,
        length=length,
        seed=seed,
        count=count,
        precision=precision,
        ema=ema,
        device=device,
        batch=batch,
    )


def average(run: StrPath, width: float, output: StrPath, *, force: bool = False) -> Averaged:
    """Write the power-function average of a width that a run did not keep, as a file of weights.

    It is put together, by least squares, of the averages in all checkpoints of a run, or up to
    RUN@STEP (Karras et al. 2024, arXiv 2312.02696). `width` is the `sigma_rel` of `power`. Gives
    the path, and how near its profile is to the asked one. Raises GrowlangError if the run keeps no
    such averages, if the width is out of range, or if the place cannot be written.
    """
    require_torch("averaging")
    from growlang_runtime.storage.averaging import average as averaged

    return averaged(path_of(run), width, path_of(output), force=force)


def export(
    run: StrPath | Run | Weights | Checked,
    to: Literal["diffusers", "hf", "safetensors"],
    output: StrPath,
    *,
    weights: nn.Module | Mapping[str, torch.Tensor] | None = None,
    ema: bool | int = True,
    dtype: Literal["fp32", "bf16", "fp16"] = "fp32",
    sampler: str | Sampler | None = None,
    license: str | None = None,
    table: StrPath | None = None,
    like: StrPath | None = None,
    force: bool = False,
) -> Exported:
    """Write trained weights as a folder that others load alone, or as one safetensors file.

    RUN@STEP and RUN@best are checkpoints of a run; with `weights`, `run` is the checked spec of a
    module, or of a state dict, that you trained yourself. The folder's pipeline draws the images
    that `sample` draws; `sampler` is its sampler, by name or as in a spec, if not the spec's, and
    `license` stands in the model card. A folder of `hf` is one of transformers, under the names of
    the table that fits the net, or of the file `table`; `like` is a folder of the model that it
    came from, whose tokenizer and further settings are taken along. Beside a file of weights its
    spec is written. What exists is replaced only with `force`. Gives the paths that were written.
    Raises GrowlangError if there are no weights, if the place cannot be written, or for a model
    that a pipeline, or the table, has no words for.
    """
    require_torch("exporting")
    from growlang_runtime.export.exporting import export as exported

    found = _weights_of(run, weights)
    return exported(
        found,
        to,
        path_of(output),
        ema=ema,
        dtype=dtype,
        sampler=_sampler(sampler),
        license=license,
        table=None if table is None else path_of(table),
        like=None if like is None else path_of(like),
        force=force,
    )


def _sampler(given: str | Sampler | None) -> str | Sampler | None:
    """A sampler with the arguments of its text; a name is kept, which means the spec's of it."""
    from growlang.resolve.beside import sampler_of

    return sampler_of(given) if isinstance(given, str) and "(" in given else given


class _Model(NamedTuple):
    """What the functions above need of a model, in whatever form it was given."""

    net: Net
    semantics: int
    declared: Callable[[str | None], objectives.Objective]
    """The objective of a recipe."""


def _model(given: StrPath | Checked | Compiled | Run | Weights) -> _Model:
    """Raises GrowlangError for a spec with errors, and TypeError for what is no model."""
    from growlang.plans.plan import SEMANTICS
    from growlang_runtime.notebook.run import Run
    from growlang_runtime.notebook.weights import Weights

    if isinstance(given, Run):
        settings = given.plan.phases[-1].settings
        return _Model(given.net, given.plan.semantics, lambda _: settings.objective)
    if isinstance(given, Weights):
        return _Model(given.net, given.stored.semantics, lambda _: _trained_for(given))
    spec = given.spec if isinstance(given, Compiled) else checked_spec(given)
    return _Model(spec.net, SEMANTICS, lambda recipe: _of_recipe(spec, recipe))


def _of_recipe(spec: Checked, recipe: str | None) -> objectives.Objective:
    return spec.phases(recipe_of(spec, recipe).name)[-1].settings.objective


def _trained_for(weights: Weights) -> objectives.Objective:
    from growlang.plans.weights_header import parsed
    from growlang.spec.recipe import Settings

    said = weights.stored.metadata
    if "settings" not in said:
        raise GrowlangError(
            f"{weights.path} does not say what its weights were trained for",
            help="give the spec: growlang.objective(SPEC, recipe)",
        )
    settings: Settings = parsed(Settings, said["settings"], weights.path)
    return settings.objective


def _weights_of(
    run: StrPath | Run | Weights | Checked, weights: nn.Module | Mapping[str, torch.Tensor] | None
) -> Path | StoredWeights:
    """The path of weights, or what was loaded, or trained in a loop of one's own."""
    from growlang_runtime.notebook.run import Run
    from growlang_runtime.notebook.weights import Weights
    from growlang_runtime.storage.weights import Weights as StoredWeights

    if isinstance(run, Run | Weights):
        if weights is not None:
            raise GrowlangError(
                f"{run.path} has weights of its own", help="give a spec with `weights`, or none"
            )
        return run.path if isinstance(run, Run) else run.stored
    if weights is None:
        if not isinstance(run, Checked):
            return path_of(run)
        raise GrowlangError(
            f"the spec {run.path} has no weights",
            help="give the path of a run, or `weights=module`",
        )
    spec = checked_spec(run)
    made = compiled(spec)
    found = usable(weights, spec.net)
    tensors = {name: tensor.detach().float().cpu() for name, tensor in found.items()}
    return StoredWeights(spec.path, spec.net, tensors, made.metadata)
