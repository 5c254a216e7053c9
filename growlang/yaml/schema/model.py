"""A model in the JSON Schema."""

from __future__ import annotations

from inspect import cleandoc

from growlang.ops import OPS
from growlang.ops.generations import Detail, Upsample
from growlang.rules import RULES, Rule
from growlang.spec.model import POSITIONS, CoreSkips, Skips
from growlang.yaml.schema.calls import CALLS, call_of, key
from growlang.yaml.schema.pieces import (
    EXPRESSION,
    NAME,
    PLACE,
    SELECTION,
    Json,
    a_list,
    a_string,
    a_table,
    about,
    an_object,
    one_of,
    reference,
)


def definitions() -> Json:
    """The model, its parts and its blocks."""
    return {
        "import": an_object(
            "A file whose blocks and params are used as `NAME.block`.",
            {
                "file": about("path, relative to this file", "lib/blocks.grow", a_string()),
                "as": about("name of the library here", "lib", a_string(pattern=NAME)),
            },
            ["file", "as"],
        ),
        "block": an_object(
            "An op made of ops.",
            {
                "parameters": about(
                    "names, with defaults; null where there is none",
                    {"width": None, "depth": 2},
                    {"type": "object"},
                ),
                "pipe": about("what it is made of", ["identity"], reference("pipe")),
            },
            ["pipe"],
        ),
        "pipe": {"type": "array", "minItems": 1, "items": reference("element")},
        "element": {"anyOf": [a_string("an op or block without arguments"), _element()]},
        "selectors": a_list(
            a_string("a place, such as `stage[256]`, or `all except head`", SELECTION)
        ),
        "slot": {"anyOf": [reference("pipe"), _slot({}, ["pipe"])]},
        "core": {"anyOf": [reference("pipe"), _slot(_core(), ["pipe"])]},
        "stage": _stage(),
        "grows": an_object(
            "The parent.",
            {
                "file": about("path, relative to this file", "core_64.grow", a_string()),
                "params": about(
                    "values for the parent's params", {"width": 512}, a_table(reference("value"))
                ),
            },
            ["file"],
        ),
        "model": _model(),
    }


def _element() -> Json:
    """An element of a pipe; names that are no op are the user's blocks."""
    own = {
        "group": about("a pipe, repeated as one", ["identity"], reference("pipe")),
        "call": about("a call as an expression", "= lib.twice(8)", EXPRESSION),
        "repeat": about("how often", 3, reference("count")),
    }
    ops = {name: reference(key("op", name)) for name in OPS}
    return {
        "type": "object",
        "properties": {**ops, **own},
        "additionalProperties": {"type": ["object", "null"]},
        "minProperties": 1,
        "maxProperties": 2,
    }


def _slot(options: Json, required: list[str]) -> Json:
    pipe = about("ops, in order", ["identity"], reference("pipe"))
    return an_object("A slot with its options.", {**options, "pipe": pipe}, required)


def _position() -> Json:
    """Positions by a word, or a call, which a bare name is too."""
    return {"anyOf": [{"enum": [*POSITIONS]}, call_of("position")]}


def _core() -> Json:
    return {
        "at": about("height of the grid, in positions", 16, reference("count")),
        "position": about("positional embedding", "learned", _position()),
        "skips": about("skips from the first blocks to the last", "long", one_of(CoreSkips)),
        **_prepend(),
    }


def _prepend() -> Json:
    """What is in front of the core's tokens."""
    names = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    of = "conditions, `time`, `class_token` or `learned`, whose tokens are in front of the core's"
    at = "before which op on tokens they come, counted from 0"
    whole = {"anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION]}
    return {
        "prepend": about(of, ["label"], names),
        "prepend_times": about("how many times these tokens are", 32, reference("count")),
        "prepend_at": about(at, 4, whole),
    }


def _change(side: str) -> Json:
    """A change of resolution: its name, or a call."""
    return {"anyOf": [{"enum": list(CALLS[side])}, call_of(side)]}


def _stage() -> Json:
    sides = {
        side: about(f"ops of the {side} side", ["identity"], reference("pipe"))
        for side in ("encode", "decode")
    }
    options = {
        "at": about("height of the grid, in positions", 64, reference("count")),
        "down": about("change to the next coarser place", "down", _change("down")),
        "up": about("change back from it", "up", _change("up")),
        **sides,
    }
    either = [{"required": ["pipe"]}, {"required": ["encode", "decode"]}]
    return {**_slot(options, ["at"]), "anyOf": either}


def _model() -> Json:
    """The `model` of a spec."""
    conditions = a_table(call_of("condition"))
    conditions["properties"] = {"time": call_of("time")}
    properties = {
        "name": about("name of the model", "core_64", a_string(pattern=NAME)),
        **_growth(),
        "image": about("the input", {"image": {"size": 64}}, call_of("image")),
        "tokens": about(
            "the input of a model of tokens, instead of an image",
            {"tokens": {"vocabulary": 50257, "length": 1024}},
            call_of("tokens"),
        ),
        "conditions": about(
            "what an image is conditioned on", {"time": {"fourier": {"width": 64}}}, conditions
        ),
        "skips": about("how encode and decode sides are joined", "block", one_of(Skips)),
        "detail": about("what the ends add to those that are retained", "high", one_of(Detail)),
        "upsample": about("how the smaller image is enlarged", "bicubic", one_of(Upsample)),
        "stem": about("from the image to the next place", ["identity"], reference("slot")),
        "stages": about(
            "sides at falling resolutions",
            [{"at": 64, "pipe": ["identity"]}],
            a_list(reference("stage")),
        ),
        "core": about(
            "the core, at the lowest resolution",
            {"at": 16, "pipe": ["identity"]},
            reference("core"),
        ),
        "head": about("back to the image", ["identity"], reference("slot")),
    }
    return an_object("One model.", properties, ["name"])


def _rule() -> Json:
    """A rule of growth as the language writes it, with what is said of each."""
    return {
        "anyOf": [
            a_string(f"{cleandoc(rule.__doc__ or '')}\n\n{_said(rule)}", rf"^\s*{name}\b")
            for name, rule in RULES.items()
        ]
    }


def _said(rule: type[Rule]) -> str:
    """The arguments of a rule, a line each."""
    named = ((info.alias or name, info) for name, info in rule.model_fields.items())
    return "\n".join(f"{name}: {info.description}" for name, info in named)


def _growth() -> Json:
    """What a model says of its parent."""
    place = a_string(pattern=PLACE)
    places = {**a_list(place), "minItems": 1}
    pair = an_object(
        "Tensors under another name.",
        {
            "from": about("place in the parent", "stage[32]", place),
            "to": about("place here", "stage[64]", place),
        },
        ["from", "to"],
    )
    rule = an_object(
        "Tensors that are transformed.",
        {
            "select": about("places", "core", a_string()),
            "by": about("rules", ["widen(exact)", "resize"], {**a_list(_rule()), "minItems": 1}),
        },
        ["select", "by"],
    )
    init = an_object(
        "How new tensors are initialised.",
        {
            "select": about("a place, or several", "head", {"anyOf": [place, places]}),
            "value": about("zero, identity, default or `like PLACE`", "zero", a_string()),
        },
        ["select", "value"],
    )
    return {
        "grows": about("the parent", {"file": "core_64.grow"}, reference("grows")),
        "keep": about("kept from the parent unchanged", ["core", "text"], reference("selectors")),
        "drop": about("dropped on purpose", ["stem", "head"], reference("selectors")),
        "retain": about(
            "the path to smaller images, which stays", ["stem", "head"], reference("selectors")
        ),
        "moved": about("renamed", [{"from": "stage[32]", "to": "stage[64]"}], a_list(pair)),
        "grow": about("transformed", [{"select": "core", "by": ["resize"]}], a_list(rule)),
        "init": about("initialised", [{"select": "head", "value": "zero"}], a_list(init)),
    }
