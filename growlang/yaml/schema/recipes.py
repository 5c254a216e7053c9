"""A recipe in the JSON Schema."""

from __future__ import annotations

from growlang.spec.recipe import Evaluate, Sample, Settings
from growlang.spec.words import PHASE_SETTINGS, SAID
from growlang.yaml.schema.calls import call_of, fields
from growlang.yaml.schema.pieces import (
    EXPRESSION,
    NAME,
    PLACE,
    Json,
    a_list,
    a_string,
    a_table,
    about,
    an_object,
    reference,
)


def definitions() -> Json:
    """Recipes, their phases and what they read, and how a trained model is sampled."""
    settings, _ = fields(Settings)
    settings["data"] = about("the data source, by name", "cc12m", reference("source"))
    sample, _ = fields(Sample)
    evaluate, _ = fields(Evaluate)
    mixture = {"mix": a_table(reference("number"))}
    return {
        "source": {"anyOf": [{"type": "string"}, call_of("data", more=mixture)]},
        "phase": _phase(settings),
        "recipe": _recipe(settings),
        "sample": an_object("How images are sampled from the trained model.", sample, []),
        "evaluate": an_object("What is measured on generated images.", evaluate, []),
    }


def _phase(settings: Json) -> Json:
    changed = [name for name in PHASE_SETTINGS if name in settings]
    unit = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    counts = {
        "images": about("until so many images were seen", 1000000, reference("count")),
        "epochs": about("passes over the data", 2.5, reference("positive")),
    }
    length = {"anyOf": [reference("count"), {**unit, "properties": counts}]}
    factors = a_table(reference("number"), PLACE)
    steps = {"anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION]}
    properties = {
        "name": about("name of the phase", "frozen", a_string(pattern=NAME)),
        "for": about("how long: steps, images or epochs", 500000, length),
        "freeze": about("what is not trained", ["core", "text"], reference("selectors")),
        "train": about("what is retained and trained", ["core"], reference("selectors")),
        "lr_scale": about("factors on the learning rate", {"core": 0.1}, factors),
        "lr": about(SAID["lr"], 0.0001, reference("positive")),
        "rewarm": about(SAID["rewarm"], 1000, steps),
        **{name: settings[name] for name in changed},
    }
    return an_object("A stretch of training.", properties, ["name", "for"])


def _recipe(settings: Json) -> Json:
    moments = {"anyOf": [{"enum": ["carry", "reset"]}, call_of("moments")]}
    start = about("`= scratch`, `= parent.ema`, `= parent`, or a path", "= scratch", a_string())
    share = {"anyOf": [{"type": "number", "minimum": 0, "exclusiveMaximum": 1}, EXPRESSION]}
    properties = {
        "recipe": about("name of the recipe; `main` if left out", "main", a_string(pattern=NAME)),
        "start": start,
        "moments": about(SAID["moments"], "reset", moments),
        "transition": about(SAID["transition"], "discard", a_string()),
        "validate": about(SAID["validate"], "held_out", reference("source")),
        "holdout": about(SAID["holdout"], 0.02, share),
        **settings,
        "phases": about("in order", [{"name": "all", "for": 1000}], a_list(reference("phase"))),
    }
    return an_object("A way to train the model.", properties, ["phases"])
