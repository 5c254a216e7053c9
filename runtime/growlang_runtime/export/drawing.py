"""How images are drawn with a net, as plain values: what an exported pipeline reads."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.ops.conditions import Classes, FrozenEncoder, Words
from growlang.ops.number import Number
from growlang.spec.objectives import EDM, Diffusion, Flow
from growlang.spec.recipe import Sample, Settings
from growlang.spec.schedules import CosineBeta, LinearBeta
from growlang_runtime.conditioning.conditioner import declared_conditions
from growlang_runtime.diffusion.forms import Form
from growlang_runtime.diffusion.generations import joints
from growlang_runtime.diffusion.noise import Discrete
from growlang_runtime.diffusion.objective import Denoising, objective_of
from growlang_runtime.diffusion.reading import FORMS, SCHEDULES
from growlang_runtime.diffusion.schedulers import CLASSES

ENCODERS = 3
"""Frozen text encoders that a pipeline has room for."""
ALONE = "export the weights alone with --to safetensors"


def drawing_of(net: Net, objective: Denoising, said: Sample, semantics: int) -> dict[str, Any]:
    """The values by name, in JSON. Raises GrowlangError for what a pipeline has no words for."""
    objective.sampled_at(said.sampler.steps)  # refuses more steps than there are levels
    if said.sampler.call not in CLASSES:
        raise GrowlangError(
            f"the sampler `{said.sampler.call}` of a package cannot be exported",
            help=f"give another one with --sampler: {', '.join(CLASSES)}; or {ALONE}",
        )
    return {
        "dims": [*net.image.dims],
        "inputs": [i.name for i in net.inputs],
        "predict": _predicted(objective.declared),
        "schedule": _schedule(objective),
        "form": _form(objective.form),
        "learns_variance": objective.learns_variance,
        "reference": objective.reference,
        "of": objective.of,
        "gain": objective.gain,
        "latent": None if net.latent is None else net.latent.to_json(),
        "joints": [[*joint] for joint in joints(net)],
        "semantics": semantics,
        "conditions": _conditions(net),
        "sample": {
            "steps": said.sampler.steps,
            "guidance": said.guidance,
            "interval": said.guidance_interval,
            "rescale": said.guidance_rescale,
            "detail_scale": said.detail_scale,
            "detail_temperature": said.detail_temperature,
            "numbers": said.given_numbers,
            "eta": said.sampler.arguments().get("eta", 0.0),
        },
    }


def denoising_of(net: Net, settings: Settings) -> Denoising:
    """The objective of trained weights. Raises GrowlangError for one of a package."""
    if net.predicts:
        raise GrowlangError(
            f"the model predicts `{net.predicts}`, and a folder of diffusers has one that denoises",
            help="write a folder that transformers loads, --to hf, or --to safetensors",
        )
    objective = objective_of(settings.objective, net)
    if type(objective) is not Denoising:
        raise _unknown("objective", settings.objective.call)
    return objective


def _predicted(declared: Diffusion | Flow | EDM) -> str:
    return "F" if isinstance(declared, EDM) else declared.predict


def _form(form: Form) -> dict[str, Any]:
    kind = next(name for name, of in FORMS.items() if type(form) is of)
    return {"kind": kind, **asdict(form)}  # type: ignore[call-overload]


def _schedule(objective: Denoising) -> dict[str, Any]:
    """The schedule by the name and the arguments that a pipeline makes it of."""
    schedule, declared = objective.schedule, getattr(objective.declared, "schedule", None)
    if isinstance(declared, LinearBeta | CosineBeta) and type(schedule) is Discrete:
        return {"kind": declared.call, **declared.arguments()}
    kind = next((n for n in ("cosine", "line", "powers") if type(schedule) is SCHEDULES[n]), None)
    if kind is None:
        raise _unknown("noise schedule", declared.call if declared else type(schedule).__name__)
    return {"kind": kind, **asdict(schedule)}  # type: ignore[call-overload]


def encoders_of(net: Net) -> dict[str, FrozenEncoder]:
    """The frozen text encoders by their component: "", "_2", "_3".

    Raises GrowlangError for more than a pipeline has room for.
    """
    found = declared_conditions(net.encoders).values()
    frozen = [c for c in found if isinstance(c, FrozenEncoder)]
    if len(frozen) > ENCODERS:
        raise GrowlangError(
            f"the model reads {len(frozen)} text encoders, but a pipeline has room for {ENCODERS}",
            help=ALONE,
        )
    return {f"_{n}" if n > 1 else "": encoder for n, encoder in enumerate(frozen, 1)}


def _conditions(net: Net) -> dict[str, dict[str, Any]]:
    shapes = {i.name: i.shape.dims for i in net.inputs if i.condition}
    components = iter(encoders_of(net))
    found: dict[str, dict[str, Any]] = {}
    for name, condition in declared_conditions(net.encoders).items():
        if isinstance(condition, Words):
            (tokens,) = shapes[f"{name}.ids"]
            said: dict[str, Any] = {"vocabulary": condition.vocabulary, "tokens": tokens}
        elif isinstance(condition, Classes):
            said = {"n": condition.n, "names": condition.names or []}
        elif isinstance(condition, Number):
            usual = condition.usual(*net.pixels.dims[1:])
            said = {"fields": [*condition.fields], "usual": usual and [*usual]}
            said["null"] = condition.null
        elif isinstance(condition, FrozenEncoder):
            tokens, width = shapes[f"{name}.embedding"]
            said = {"tokens": tokens, "width": width, "component": next(components)}
        else:
            raise _unknown("condition", condition.call)
        found[name] = {"op": condition.call, **said}
    return found


def _unknown(kind: str, call: str) -> GrowlangError:
    return GrowlangError(
        f"the {kind} `{call}` of a package cannot be exported to a pipeline", help=ALONE
    )
