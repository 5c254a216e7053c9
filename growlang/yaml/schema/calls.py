"""The definitions of calls in a JSON Schema, by kind and name: `call.schedule.cosine`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from growlang.ops import OPS
from growlang.ops.activations import ACTIVATIONS
from growlang.signatures.signature import Nothing, Signature
from growlang.spec.averages import AVERAGES
from growlang.spec.changes import DOWNS, UPS
from growlang.spec.data import DATA, TRANSFORMS
from growlang.spec.levels import LEVELS
from growlang.spec.metrics import METRICS
from growlang.spec.model import BINDINGS, CONDITIONS, INPUTS
from growlang.spec.objectives import OBJECTIVES, WEIGHTS
from growlang.spec.optimizers import OPTIMIZERS
from growlang.spec.positions import ROTATED
from growlang.spec.rates import LENGTHS, LR_SCHEDULES
from growlang.spec.recipe import MOMENTS
from growlang.spec.samplers import SAMPLERS
from growlang.spec.schedules import SCHEDULES
from growlang.yaml.schema.pieces import EXPRESSION, Json, about, an_object, reference

CALLS: Mapping[str, Mapping[str, type[Signature]]] = {
    **INPUTS,
    "op": OPS,
    "activation": ACTIVATIONS,
    "position": ROTATED,
    "down": DOWNS,
    "up": UPS,
    "condition": CONDITIONS,
    "time": BINDINGS["time"],
    "data": DATA,
    "transform": TRANSFORMS,
    "objective": OBJECTIVES,
    "schedule": SCHEDULES,
    "weight": WEIGHTS,
    "levels": LEVELS,
    "optimizer": OPTIMIZERS,
    "lr_schedule": LR_SCHEDULES,
    "warmup": LENGTHS,
    "average": AVERAGES,
    "moments": MOMENTS,
    "sampler": SAMPLERS,
    "metric": METRICS,
}
"""What can be called, by its kind: a name may recur among kinds."""

EXAMPLES: Json = {
    "affine": True,
    "axes": 2,
    "base": 64,
    "batch": 256,
    "channels": 3,
    "eps": 0.00001,
    "count": 5,
    "every": 5000,
    "factor": 4,
    "features": 256,
    "from": "caption",
    "head_width": 64,
    "heads": 16,
    "height": 64,
    "hidden": 128,
    "id": "google/t5-v1_1-xxl",
    "kv_heads": 4,
    "label": "cls",
    "length": 1024,
    "levels": {"logit_normal": {"mean": 0.0, "std": 1.0}},
    "limit": 5.0,
    "max_period": 10000.0,
    "metrics": ["fid"],
    "n": 1000,
    "name": "Salesforce/wikitext",
    "names": ["circle", "square"],
    "numbers": {"score": 6.5},
    "objective": {"diffusion": {"predict": "v"}},
    "optimizer": {"adamw": {"lr": 0.0001}},
    "path": "images",
    "prompts": "prompts.txt",
    "questions": "questions.jsonl",
    "rest": {"adamw": {"lr": 0.0003}},
    "sampler": {"ddim": {"steps": 256}},
    "scales": [1, 2, 4],
    "schedule": {"cosine": {"base": 64}},
    "shift": -1.5,
    "sigma_rel": 0.05,
    "size": 64,
    "top_k": 40,
    "transform": [{"resize": {"size": 64}}],
    "vocabulary": 50257,
    "urls": "cc12m/{00000..01242}.tar",
    "vae": "stabilityai/sd-vae-ft-ema",
    "weight": "v",
    "width": 1024,
}
"""Better examples than the default, or the least that an argument may be."""


def definitions() -> Json:
    """The arguments of each call, by the key that `key` gives."""
    return {
        key(kind, name): _arguments(signature)
        for kind, table in CALLS.items()
        for name, signature in sorted(table.items())
    }


def key(kind: str, name: str) -> str:
    """The key of a call's definition, such as `call.schedule.cosine`."""
    return f"call.{kind}.{name}"


def call_of(kind: str, more: Json | None = None) -> Json:
    """One call of a kind; `more` are other properties."""
    properties = {name: reference(key(kind, name)) for name in CALLS[kind]} | (more or {})
    one = {"minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    return {"type": "object", "properties": properties, **one}


def _arguments(signature: type[Signature]) -> Json:
    """The arguments of a call; null where it is called without any."""
    properties, required = fields(signature)
    always = [name for name in required if name not in signature.instead]
    found = an_object((signature.__doc__ or "").strip(), properties, always)
    if signature.instead:  # draft-07 has no shorter way to say "this one or that one"
        found["allOf"] = [
            {"anyOf": [{"required": [name]}, {"required": [other]}]}
            for name, other in signature.instead.items()
        ]
    return found if required else {**found, "type": ["object", "null"]}


def fields(model: type[BaseModel]) -> tuple[Json, list[str]]:
    """The fields of a signature or section, each open to expressions, and those required."""
    whole = model.model_json_schema(by_alias=True)
    without = {
        info.alias or name
        for name, info in model.model_fields.items()
        if any(isinstance(m, Nothing) for m in info.metadata)
    }
    properties = {}
    for name, info in whole.get("properties", {}).items():
        options = [*_options(info), EXPRESSION]
        options += [{"type": "null"}] * (name in without)
        example = EXAMPLES[name] if name in EXAMPLES else _example(info)
        properties[name] = about(info["description"], example, {"anyOf": options})
    return properties, whole.get("required", [])


@cache
def _places() -> Mapping[str, list[tuple[str, str]]]:
    """Kind and name of each call by pydantic's reference to its class, or to that of its kind."""
    found: dict[str, list[tuple[str, str]]] = {}
    for kind, table in CALLS.items():
        for name, signature in table.items():
            found[f"#/$defs/{signature.__name__}"] = [(kind, name)]
            if base := getattr(table, "base", None):
                found.setdefault(f"#/$defs/{base.__name__}", []).append((kind, name))
    return found


def _call(kind: str, name: str) -> list[Json]:
    """A call of one name, and the bare name."""
    properties = {name: reference(key(kind, name))}
    call = {"type": "object", "properties": properties, "required": [name]}
    return [{**call, "additionalProperties": False}, {"const": name}]


def _example(info: Json) -> Any:
    """The default of a field, or a value that its type and limits admit."""
    if "default" in info:
        return info["default"]
    least = info.get("minimum", info.get("exclusiveMinimum", 0) + 1)
    of_type = {"integer": least, "number": least, "boolean": True, "array": []}
    return of_type.get(info.get("type", ""), "name")


def _options(info: Json) -> list[Json]:
    """What a field may be, as schemas without pydantic's titles and references."""
    if "anyOf" in info:
        return [option for inner in info["anyOf"] for option in _options(inner)]
    if "$ref" in info:
        places = _places().get(info["$ref"], [])
        return [option for place in places for option in _call(*place)]
    kept = {
        key: value
        for key, value in info.items()
        if key not in ("title", "description", "default", "items", "additionalProperties")
    }
    match info.get("type"):
        case "null":
            return []
        case "array":
            inner = [*_options(info.get("items", {})), EXPRESSION]
            return [{**kept, "items": {"anyOf": inner}}]
        case "object":
            values = [*_options(info["additionalProperties"]), EXPRESSION]
            return [{**kept, "additionalProperties": {"anyOf": values}}]
        case _:
            return [kept]
