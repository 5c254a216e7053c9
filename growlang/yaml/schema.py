"""The JSON Schema of the YAML syntax, from the signatures; for editors.

Valid as draft-07 and as 2020-12. It is wider than the language where only the compiler can tell:
every value may also be an expression, and an element of a pipe may be a user's block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from growlang.ops import DOWN, OPS, UP
from growlang.signatures.signature import Nothing, Signature
from growlang.spec.model import BINDINGS, CONDITIONS, INPUTS, Position, Skips
from growlang.spec.recipe import (
    DATA,
    OBJECTIVES,
    OPTIMIZERS,
    SAMPLERS,
    SCHEDULES,
    TRANSFORMS,
    WEIGHTS,
    Evaluate,
    Sample,
    Settings,
)

Json = dict[str, Any]
TABLES: tuple[Mapping[str, type[Signature]], ...] = (
    *INPUTS.values(), OPS, CONDITIONS, BINDINGS["time"], DATA, TRANSFORMS,
    OBJECTIVES, SCHEDULES, WEIGHTS, OPTIMIZERS, SAMPLERS,
)  # fmt: skip
EXPRESSION: Json = {"type": "string", "pattern": "^=", "description": "an expression: `= width`"}
NAME = "^[a-z_][a-z0-9_]*$"
_STEP = r"[a-z_][a-z0-9_]*(\[(\*|[0-9][0-9_]*[kMB]?(\.\.[0-9][0-9_]*[kMB]?)?)\])?"
_PLACE = rf"{_STEP}(\.{_STEP})*"
PLACE = f"^{_PLACE}$"
SELECTION = rf"^{_PLACE}(\s+except\s+{_PLACE}(\s*,\s*{_PLACE})*)?$"
EXAMPLES: Json = {
    "base": 64,
    "batch": 256,
    "factor": 4,
    "from": "caption",
    "heads": 16,
    "height": 64,
    "id": "google/t5-v1_1-xxl",
    "label": "cls",
    "length": 1024,
    "n": 1000,
    "objective": {"diffusion": {"predict": "v"}},
    "optimizer": {"adamw": {"lr": 0.0001}},
    "prompts": "prompts.txt",
    "sampler": {"ddim": {"steps": 256}},
    "schedule": {"cosine": {"base": 64}},
    "shift": -1.5,
    "size": 64,
    "transform": [{"resize": {"size": 64}}],
    "vocabulary": 50257,
    "urls": "cc12m/{00000..01242}.tar",
    "weight": "v",
    "width": 1024,
}
"""Examples of what has no default."""


def schema() -> Json:
    """The JSON Schema of edition 1."""
    calls = {name: signature for table in TABLES for name, signature in table.items()}
    definitions = {f"call.{name}": _signature(s) for name, s in sorted(calls.items())}
    top: Json = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Grow, edition 1",
        **_object(
            "A spec of a neural network that grows.",
            {
                "grow": _about("edition of the language", 1, {"const": 1}),
                "imports": _about(
                    "files whose blocks and params are used",
                    [{"file": "lib/blocks.grow", "as": "lib"}],
                    _list(_ref("import")),
                ),
                "params": _about("names for values", {"width": 1024}, _table(_ref("value"))),
                "blocks": _about(
                    "ops made of ops",
                    {"twice": {"parameters": {"width": None}, "pipe": ["identity"]}},
                    _table(_ref("block")),
                ),
                "model": _about("what the model is", {"name": "core_64"}, _ref("model")),
                "data": _about(
                    "sources of images",
                    {"cc12m": {"webdataset": {"urls": "cc12m.tar"}}},
                    _table(_ref("source")),
                ),
                "train": _about(
                    "recipes; the first is the default",
                    [{"recipe": "main", "phases": [{"name": "all", "for": 1000}]}],
                    _list(_ref("recipe")),
                ),
                "sample": _about("how images are sampled", {"guidance": 4.0}, _ref("sample")),
                "evaluate": _about("what is measured", {"count": 30000}, _ref("evaluate")),
            },
            ["grow"],
        ),
        "definitions": {**definitions, **_parts()},
    }
    return top


# --- signatures ----------------------------------------------------------------------------------


def _signature(signature: type[Signature]) -> Json:
    """The arguments of a call; null where it is called without any."""
    properties, required = _fields(signature)
    found = _object((signature.__doc__ or "").strip(), properties, required)
    return found if required else {**found, "type": ["object", "null"]}


def _fields(model: type[BaseModel]) -> tuple[Json, list[str]]:
    """The fields of a signature or section, each open to expressions, and those required."""
    whole = model.model_json_schema(by_alias=True)
    names = {f"#/$defs/{s.__name__}": name for table in TABLES for name, s in table.items()}
    without = {
        info.alias or name
        for name, info in model.model_fields.items()
        if any(isinstance(m, Nothing) for m in info.metadata)
    }
    properties = {}
    for name, info in whole.get("properties", {}).items():
        options = [*_options(info, names), EXPRESSION]
        options += [{"type": "null"}] * (name in without)
        example = EXAMPLES.get(name, info.get("default"))
        properties[name] = _about(info["description"], example, {"anyOf": options})
    return properties, whole.get("required", [])


def _options(info: Json, names: Mapping[str, str]) -> list[Json]:
    """What a field may be, as schemas without pydantic's titles and references."""
    if "anyOf" in info:
        return [option for inner in info["anyOf"] for option in _options(inner, names)]
    if "$ref" in info:
        if info["$ref"] not in names:
            return []
        name = names[info["$ref"]]
        call = {"type": "object", "properties": {name: _ref(f"call.{name}")}, "required": [name]}
        return [{**call, "additionalProperties": False}, {"const": name}]
    kept = {
        key: value
        for key, value in info.items()
        if key not in ("title", "description", "default", "items", "additionalProperties")
    }
    match info.get("type"):
        case "null":
            return []
        case "array":
            inner = [*_options(info.get("items", {}), names), EXPRESSION]
            return [{**kept, "items": {"anyOf": inner}}]
        case "object":
            values = [*_options(info["additionalProperties"], names), EXPRESSION]
            return [{**kept, "additionalProperties": {"anyOf": values}}]
        case _:
            return [kept]


# --- the structure around them -------------------------------------------------------------------


def _parts() -> Json:
    """The definitions that are not calls."""
    settings, _ = _fields(Settings)
    settings["data"] = _about("the data source, by name", "cc12m", _ref("source"))
    sample, _ = _fields(Sample)
    evaluate, _ = _fields(Evaluate)
    return {
        "value": {
            "description": "a number, a boolean, a string, a list, or an expression after `=`",
            "type": ["number", "string", "boolean", "array", "object"],
        },
        "number": {"anyOf": [{"type": "number"}, EXPRESSION]},
        "count": {"anyOf": [{"type": "integer", "minimum": 1}, EXPRESSION]},
        "positive": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, EXPRESSION]},
        "source": {
            "anyOf": [
                {"type": "string"},
                _calls(DATA, {"mix": _table(_ref("number"))}),
            ]
        },
        "import": _object(
            "A file whose blocks and params are used as `NAME.block`.",
            {
                "file": _about("path, relative to this file", "lib/blocks.grow", _string()),
                "as": _about("name of the library here", "lib", _string(pattern=NAME)),
            },
            ["file", "as"],
        ),
        "block": _object(
            "An op made of ops.",
            {
                "parameters": _about(
                    "names, with defaults; null where there is none",
                    {"width": None, "depth": 2},
                    {"type": "object"},
                ),
                "pipe": _about("what it is made of", ["identity"], _ref("pipe")),
            },
            ["pipe"],
        ),
        "pipe": {"type": "array", "minItems": 1, "items": _ref("element")},
        "element": {"anyOf": [_string("an op or block without arguments"), _element()]},
        "selectors": _list(
            _string("a place, such as `stage[256]`, or `all except head`", SELECTION)
        ),
        "slot": {"anyOf": [_ref("pipe"), _slot({}, ["pipe"])]},
        "core": {"anyOf": [_ref("pipe"), _slot(_core(), ["pipe"])]},
        "stage": _stage(),
        "grows": _object(
            "The parent.",
            {
                "file": _about("path, relative to this file", "core_64.grow", _string()),
                "params": _about(
                    "values for the parent's params", {"width": 512}, _table(_ref("value"))
                ),
            },
            ["file"],
        ),
        "model": _model(),
        "phase": _phase(settings),
        "recipe": _recipe(settings),
        "sample": _object("How images are sampled from the trained model.", sample, []),
        "evaluate": _object("What is measured on generated images.", evaluate, []),
    }


def _element() -> Json:
    """An element of a pipe; names that are no op are the user's blocks."""
    own = {
        "group": _about("a pipe, repeated as one", ["identity"], _ref("pipe")),
        "call": _about("a call as an expression", "= lib.twice(8)", EXPRESSION),
        "repeat": _about("how often", 3, _ref("count")),
    }
    ops = {name: _ref(f"call.{name}") for name in OPS}
    return {
        "type": "object",
        "properties": {**ops, **own},
        "additionalProperties": {"type": ["object", "null"]},
        "minProperties": 1,
        "maxProperties": 2,
    }


def _slot(options: Json, required: list[str]) -> Json:
    pipe = _about("ops, in order", ["identity"], _ref("pipe"))
    return _object("A slot with its options.", {**options, "pipe": pipe}, required)


def _core() -> Json:
    return {
        "at": _about("height of the grid, in positions", 16, _ref("count")),
        "position": _about("positional embedding", "learned", _words(Position)),
    }


def _stage() -> Json:
    sides = {
        side: _about(f"ops of the {side} side", ["identity"], _ref("pipe"))
        for side in ("encode", "decode")
    }
    options = {
        "at": _about("height of the grid, in positions", 64, _ref("count")),
        "down": _about("change to the next coarser place", "down", {"enum": list(DOWN)}),
        "up": _about("change back from it", "up", {"enum": list(UP)}),
        **sides,
    }
    either = [{"required": ["pipe"]}, {"required": ["encode", "decode"]}]
    return {**_slot(options, ["at"]), "anyOf": either}


def _model() -> Json:
    pair = _object(
        "Tensors under another name.",
        {
            "from": _about("place in the parent", "stage[32]", _string(pattern=PLACE)),
            "to": _about("place here", "stage[64]", _string(pattern=PLACE)),
        },
        ["from", "to"],
    )
    rule = _object(
        "Tensors that are transformed.",
        {
            "select": _about("places", "core", _string()),
            "by": _about("rules", ["resize"], _list(_string())),
        },
        ["select", "by"],
    )
    place = _string(pattern=PLACE)
    places = {**_list(place), "minItems": 1}
    init = _object(
        "How new tensors are initialised.",
        {
            "select": _about("a place, or several", "head", {"anyOf": [place, places]}),
            "value": _about("zero, identity, default or `like PLACE`", "zero", _string()),
        },
        ["select", "value"],
    )
    conditions = _table(_calls(CONDITIONS))
    conditions["properties"] = {"time": _calls(BINDINGS["time"])}
    return _object(
        "One model.",
        {
            "name": _about("name of the model", "core_64", _string(pattern=NAME)),
            "grows": _about("the parent", {"file": "core_64.grow"}, _ref("grows")),
            "keep": _about("kept from the parent unchanged", ["core", "text"], _ref("selectors")),
            "drop": _about("dropped on purpose", ["stem", "head"], _ref("selectors")),
            "moved": _about("renamed", [{"from": "stage[32]", "to": "stage[64]"}], _list(pair)),
            "grow": _about("transformed", [{"select": "core", "by": ["resize"]}], _list(rule)),
            "init": _about("initialised", [{"select": "head", "value": "zero"}], _list(init)),
            "image": _about("the input", {"image": {"size": 64}}, _calls(INPUTS["image"])),
            "tokens": _about(
                "the input of a model of tokens, instead of an image",
                {"tokens": {"vocabulary": 50257, "length": 1024}},
                _calls(INPUTS["tokens"]),
            ),
            "conditions": _about(
                "what an image is conditioned on", {"time": {"fourier": {"width": 64}}}, conditions
            ),
            "skips": _about("how encode and decode sides are joined", "block", _words(Skips)),
            "stem": _about("from the image to the next place", ["identity"], _ref("slot")),
            "stages": _about(
                "sides at falling resolutions",
                [{"at": 64, "pipe": ["identity"]}],
                _list(_ref("stage")),
            ),
            "core": _about(
                "the core, at the lowest resolution", {"at": 16, "pipe": ["identity"]}, _ref("core")
            ),
            "head": _about("back to the image", ["identity"], _ref("slot")),
        },
        ["name"],
    )


def _phase(settings: Json) -> Json:
    changed = ("data", "batch", "lr_schedule", "warmup", "ema", "transform", "grad_clip")
    unit = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    counts = {
        "images": _about("until so many images were seen", 1000000, _ref("count")),
        "epochs": _about("passes over the data", 2.5, _ref("positive")),
    }
    length = {"anyOf": [_ref("count"), {**unit, "properties": counts}]}
    factors = _table(_ref("number"), PLACE)
    properties = {
        "name": _about("name of the phase", "frozen", _string(pattern=NAME)),
        "for": _about("how long: steps, images or epochs", 500000, length),
        "freeze": _about("what is not trained", ["core", "text"], _ref("selectors")),
        "lr_scale": _about("factors on the learning rate", {"core": 0.1}, factors),
        "lr": _about("learning rate, instead of the optimizer's", 0.0001, _ref("positive")),
        **{name: settings[name] for name in changed},
    }
    return _object("A stretch of training.", properties, ["name", "for"])


def _recipe(settings: Json) -> Json:
    start = _about("`= scratch`, `= parent.ema`, `= parent`, or a path", "= scratch", _string())
    properties = {
        "recipe": _about("name of the recipe; `main` if left out", "main", _string(pattern=NAME)),
        "start": start,
        "moments": _about("of the optimizer, at the start", "reset", {"enum": ["carry", "reset"]}),
        "transition": _about("how the old ends are replaced", "discard", _string()),
        **settings,
        "phases": _about("in order", [{"name": "all", "for": 1000}], _list(_ref("phase"))),
    }
    return _object("A way to train the model.", properties, ["phases"])


# --- pieces --------------------------------------------------------------------------------------


def _ref(name: str) -> Json:
    return {"$ref": f"#/definitions/{name}"}


def _about(description: str, example: Any, inner: Json) -> Json:
    """A schema with words; a reference stands by itself, since draft-07 ignores its neighbours."""
    body = {"allOf": [inner]} if "$ref" in inner else inner
    return {**body, "description": description, "examples": [example]}


def _object(description: str, properties: Json, required: Iterable[str]) -> Json:
    found: Json = {"type": "object", "description": description, "properties": properties}
    if names := list(required):
        found["required"] = names
    return {**found, "additionalProperties": False}


def _table(inner: Json, keys: str = NAME) -> Json:
    return {
        "type": "object",
        "propertyNames": {"pattern": keys},
        "additionalProperties": inner,
    }


def _list(inner: Json) -> Json:
    return {"type": "array", "items": inner}


def _string(description: str = "", pattern: str = "") -> Json:
    said = {"description": description, "pattern": pattern}
    return {"type": "string", **{key: text for key, text in said.items() if text}}


def _words(literal: Any) -> Json:
    return {"enum": list(literal.__args__)}


def _calls(table: Mapping[str, type[Signature]], more: Json | None = None) -> Json:
    """One call of a table's signatures."""
    properties = {name: _ref(f"call.{name}") for name in table} | (more or {})
    one = {"minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    return {"type": "object", "properties": properties, **one}
