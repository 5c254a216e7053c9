"""The language reference, from the declarations of ops and settings."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from growlang.net import Scope, grid, tokens
from growlang.net.axes import Axis, Role, Space
from growlang.ops import CHANGES, CONDITIONS, OPS, TIME, Op
from growlang.rules import RULES
from growlang.signatures.signature import Conditions, Signature
from growlang.signatures.tables import CallOf, Table
from growlang.spec import automatic
from growlang.spec.averages import AVERAGES
from growlang.spec.data import DATA, TRANSFORMS, Source
from growlang.spec.levels import LEVELS
from growlang.spec.metrics import METRICS
from growlang.spec.model import INPUTS
from growlang.spec.objectives import OBJECTIVES, WEIGHTS
from growlang.spec.optimizers import OPTIMIZERS
from growlang.spec.rates import LENGTHS, LR_SCHEDULES
from growlang.spec.recipe import MOMENTS, Evaluate, Sample, Settings
from growlang.spec.samplers import SAMPLERS
from growlang.spec.schedules import SCHEDULES
from growlang.spec.words import SAID

TYPES = {
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    str: "string",
    Source: "a name of `data`, or a source",
}
COMPUTED = {"transform": "`[resize(image.pixels), crop(image.pixels)]`"}
"""Defaults that depend on the spec."""
WIDTH = 4
"""Every width of the ops whose tensors are shown."""
PLACES = (Role.KERNEL, Role.POSITION)
AXES = """\
A second table shows the tensors that an op has in a model with `time` and a condition `text`, and
their axes (for `factor = 2`). An axis is made of parts (`+`); each has a role and the spaces that
it runs through, the outermost first (`*`). `x` are the channels of the input, `out` those of the
result where it has others. To permute a space in all of its tensors, and in what the op reads and
gives, does not change what the op computes. Biases are left out: each has the first axis of its
weight. Weight decay applies to the weights of linear maps and convolutions, and not to biases,
norms and tables.
"""
LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def ops_page() -> str:
    """What can be called in a model: in pipes, options, inputs, conditions and rules of growth."""
    return "\n".join(
        [
            "# Ops\n",
            "Every argument may be given by position, in the order below, or by name.\n",
            AXES,
            *_calls("In a pipe", OPS),
            *_calls("In a stage's options", CHANGES),
            *_calls("Inputs", {k: v for inputs in INPUTS.values() for k, v in inputs.items()}),
            *_calls("Conditions", CONDITIONS),
            *_calls("Time", TIME),
            *_calls("Rules of growth", RULES),
        ]
    )


def training_page() -> str:
    """The settings of recipes, sampling and evaluation, and what they call."""
    return "\n".join(
        [
            "# Training, sampling and evaluation\n",
            *_section("train", "Settings of a recipe. A phase may change some of them.", Settings),
            *_others(),
            *_automatic(),
            *_section("sample", "How images are sampled.", Sample),
            *_section("evaluate", "What is measured.", Evaluate),
            *_calls("Data", DATA),
            *_calls("Transforms", TRANSFORMS),
            *_calls("Objectives", OBJECTIVES),
            *_calls("Noise schedules", SCHEDULES),
            *_calls("Noise levels", LEVELS),
            *_calls("Weights of the loss", WEIGHTS),
            *_calls("Optimizers", OPTIMIZERS),
            *_calls("Learning rates over the steps", LR_SCHEDULES),
            *_calls("Lengths of a warm-up", LENGTHS),
            *_calls("Averages", AVERAGES),
            *_calls("Moments", MOMENTS),
            *_calls("Samplers", SAMPLERS),
            *_calls("Metrics", METRICS),
        ]
    )


def _section(name: str, about: str, model: type[BaseModel]) -> list[str]:
    return [f"## {name}\n", f"{about}\n", *_table(model)]


def _others() -> Iterable[str]:
    """What only a recipe or only a phase sets."""
    yield "`lr` and `rewarm` stand in phases, the others in recipes. Of these only `validate` and "
    yield "`holdout` are inherited; a recipe that sets one of them inherits neither.\n"
    yield from ["| name | meaning |", "|---|---|"]
    yield from (f"| `{name}` | {about} |" for name, about in SAID.items())
    yield ""


def _automatic() -> Iterable[str]:
    """What `auto` stands for, by the steps of a run."""
    yield "## auto\n"
    yield (
        "`ema`, `warmup` and `lr_schedule` may be `auto`: chosen from the number of steps, with "
        "`for epochs(N)` at the start of the run. `compile` and `train` print what was chosen; the "
        "plan stores it, so a resumed run goes on with the same numbers.\n"
    )
    yield from ["| setting | what is chosen | why |", "|---|---|---|"]
    yield (
        f"| `ema` | averages over {automatic.AVERAGED:.0%} of the steps of the recipe, at most "
        f"{automatic.MOST_AVERAGED:,} | the best averages span about a tenth of the run at a "
        "constant rate (arXiv 2312.02696), and less where the rate falls, which averages too |"
    )
    yield (
        f"| `warmup` | {automatic.WARMED:.0%} of the steps, at most {automatic.MOST_WARMED:,} | "
        "Adam needs 2 / (1 - beta2) steps until its second moments are reliable (arXiv 1910.04209) "
        "|"
    )
    yield (
        "| `lr_schedule` | `wsd`: constant, and linear to zero over the last "
        f"{automatic.FALL:.0%}, at most {automatic.LONGEST_FALL:,} steps | as good as "
        "a cosine (arXiv 2405.18392), and phases that begin late have the whole rate |"
    )
    yield ""
    yield from ["| steps | `ema` | `warmup` | `lr_schedule` |", "|---:|---|---|---|"]
    for steps in (400, 1_000, 3_000, 10_000, 30_000, 100_000, 500_000, 2_000_000):
        fall = automatic.lr_schedule(steps).decay
        yield (
            f"| {steps:,} | {automatic.ema(steps):g} | {automatic.warmup(steps):,} | "
            f"`wsd(decay = {fall:g})` |"
        )
    yield ""
    yield (
        "`warmup` and `lr_schedule` are chosen for the steps that they span: those of the recipe, "
        "or of a phase that sets one of the two. What a spec leaves out is not `auto`: it has the "
        "default of the table above.\n"
    )


def _calls(title: str, calls: Mapping[str, type[Signature]]) -> Iterable[str]:
    yield f"## {title}\n"
    for name, signature in calls.items():
        required = [n for n, i in _fields(signature).items() if i.is_required()]
        yield f"### {name}\n"
        yield f"`{name}({', '.join(required)})`\n"
        yield inspect.cleandoc(signature.__doc__ or "") + "\n"
        if source := getattr(signature, "source", ""):
            yield f"Source: {source}\n"
        yield from _table(signature)
        if issubclass(signature, Op):
            yield from _tensors(signature)


def _tensors(kind: type[Op]) -> Iterable[str]:
    """The tensors of an op and their axes, in a model with time and a condition `text`."""
    values: dict[str, Any] = {
        name: {"factor": 2}.get(name, WIDTH)
        for name, info in kind.model_fields.items()
        if info.is_required() and info.annotation is int
    }
    values |= dict.fromkeys(kind.beside, WIDTH)
    if "attend" in kind.model_fields:
        values["attend"] = ["self", "text"]
    if "label" in kind.model_fields:
        values["label"] = "kind"
    if (given := kind.model_fields.get("from_")) and given.is_required():
        values["from"] = "width"
    if kind.model_fields.keys() & {"id"}:
        return
    text, targets = {"text": tokens(WIDTH, WIDTH)}, {"kind": WIDTH}
    scope = Scope(WIDTH, text, vocabulary=WIDTH, targets=targets)
    x = tokens(WIDTH, WIDTH) if kind.input_kind in ("tokens", "ids") else grid(2 * WIDTH, 8, 8)
    if (axes := kind.model_validate(values).axes(x, scope)) and axes.layers:
        yield from ["| tensor | axes |", "|---|---|"]
        for layer in axes.layers:
            yield f"| `{layer.weight.name}` | {', '.join(map(_axis, layer.weight.axes))} |"
        yield ""


def _axis(axis: Axis) -> str:
    """`query heads * head + key heads * head`."""
    return " + ".join(
        " ".join([role, *([_factors(factors)] if role not in PLACES else [])])
        for factors, role in axis
    )


def _factors(factors: Iterable[Space | int]) -> str:
    return f"`{' * '.join(f.name if isinstance(f, Space) else str(f) for f in factors)}`"


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _table(model: type[BaseModel]) -> list[str]:
    if not model.model_fields:
        return ["It takes no arguments.\n"]
    rows = []
    for name, info in _fields(model).items():
        default = COMPUTED.get(name) or _default(info)
        rows.append(f"| `{name}` | {_type(info)} | {default} | {info.description or ''} |")
    return ["| name | type | default | meaning |", "|---|---|---|---|", *rows, ""]


def _type(info: FieldInfo) -> str:
    calls = _table_of(info.metadata)
    shown = _called(calls) if calls else _kind(info.annotation)
    limits = _limits(info.metadata)
    if any(isinstance(m, Conditions) for m in info.metadata):
        shown = "list of `self` and names of conditions"
    return f"{shown}{limits}".replace("|", "\\|")


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(f"`{a}`" for a in arguments)
    if origin is Annotated and (calls := _table_of(annotation.__metadata__)):
        return _called(calls)
    if origin is Annotated:
        extra = [m for a in annotation.__metadata__ for m in getattr(a, "metadata", [a])]
        return _kind(arguments[0]) + _limits(extra)
    if origin in (Union, UnionType):
        return " or ".join(_kind(a) for a in arguments if a is not NoneType)
    if origin is list:
        inner = _kind(arguments[0])
        return inner if inner == TYPES[Source] else f"list of {inner}"
    if origin is dict:
        return f"`[name = ...]` of {_kind(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Signature):
        return f"`{annotation.call}(...)`"
    return TYPES[annotation]


def _table_of(metadata: Iterable[Any]) -> Table[Signature] | None:
    """The table of what may be called there, where packages can add to it."""
    tables = (m.table for m in metadata if isinstance(m, CallOf))
    return next((table for table in tables if table.group), None)


def _called(calls: Table[Signature]) -> str:
    return " or ".join(f"`{name}(...)`" for name in calls)


def _limits(metadata: Iterable[Any]) -> str:
    found = [
        f"{words} {getattr(item, key):g}"
        for item in metadata
        for key, words in LIMITS.items()
        if getattr(item, key, None) is not None
    ]
    return f", {', '.join(found)}" if found else ""


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    return "" if value is None else f"`{_written(value)}`"


def _written(value: Any) -> str:
    """A value as the language writes it."""
    if isinstance(value, Signature):
        given = {n: getattr(value, n) for n in value.model_fields_set}
        return f"{value.call}({', '.join(f'{n} = {_written(v)}' for n, v in given.items())})"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
