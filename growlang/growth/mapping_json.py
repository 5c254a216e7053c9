"""A mapping as JSON, and from the JSON of today and of version 0.1. Stdlib only."""

from __future__ import annotations

from typing import Any

from growlang.growth.axis_map import (
    Factors,
    axis_from_json,
    axis_to_json,
    factors_from_json,
    factors_to_json,
)
from growlang.growth.constants_json import (
    constant_from_json,
    named,
    resample_from_json,
    source_from_json,
)
from growlang.growth.mapping import Entry, Mapping
from growlang.growth.space_json import space_from_json
from growlang.growth.transforms import (
    Compute,
    Copy,
    Drop,
    Expand,
    Initialise,
    Like,
    Move,
    Retain,
    Stages,
    Transform,
)
from growlang.growth.verdict import Verdict
from growlang.growth.wording import Reason
from growlang.net import ComponentName


def to_json(mapping: Mapping) -> list[dict[str, Any]] | dict[str, Any]:
    """The entries in order, with verdicts and spaces where components grow.

    Defaults are left out.
    """
    entries = [_entry_json(entry) for entry in mapping]
    if not mapping.verdicts:
        return entries
    verdicts = [list(verdict) for verdict in mapping.verdicts]
    spaces = [space.as_json() for space in mapping.spaces]
    return {"entries": entries, "verdicts": verdicts, "spaces": spaces}


def from_json(data: object) -> Mapping:
    """The mapping that `to_json` gave, or version 0.1. Raises ValueError if it is none."""
    match data:
        case list() | tuple():
            return Mapping(tuple(map(_entry, data)))
        case {"entries": [*entries], "verdicts": [*verdicts], "spaces": [*spaces]}:
            said = tuple(map(_verdict, verdicts)), tuple(map(space_from_json, spaces))
            return Mapping(tuple(map(_entry, entries)), *said)
    raise ValueError("a mapping is a list of entries")


def _entry_json(entry: Entry) -> dict[str, Any]:
    reason = {key: text for key, text in entry.reason._asdict().items() if text}
    return {
        "name": entry.name,
        "shape": list(entry.shape),
        "transform": transform_to_json(entry.transform),
        **({"replaces": True} if entry.replaces else {}),
        "reason": reason,
    }


def _entry(data: object) -> Entry:
    match data:
        case {
            "name": str(name),
            "shape": [*shape],
            "transform": transform,
            "reason": {"what": str(what), **place},
            **more,
        } if all(isinstance(side, int) for side in shape):
            reason = Reason(what, str(place.get("detail", "")), str(place.get("place", "")))
            replaces = more.get("replaces", False) is True
            return Entry(name, transform_from_json(transform), reason, tuple(shape), replaces)
        case [*row]:
            return _row(dict(zip(ROW, row, strict=False)))
        case dict() if "rule" in data:
            return _row(data)
    raise ValueError(f"not an entry of a mapping: {data!r}")


def _verdict(data: object) -> Verdict:
    match data:
        case [str(place), ("exact" | "exact to eps" | "inexact") as level, str(reason)]:
            return Verdict(ComponentName(place), level, reason)
    raise ValueError(f"not a verdict of a mapping: {data!r}")


# --- transforms ----------------------------------------------------------------------------------


def transform_to_json(transform: Transform) -> dict[str, Any]:
    """A `kind`, and what the transform says."""
    match transform:
        case Copy():
            return {"kind": "copy"}
        case Move(source):
            return {"kind": "move", "source": source}
        case Retain(source):
            return {"kind": "retain", "source": source}
        case Expand():
            return _expand_json(transform)
        case Stages(source, steps):
            return {"kind": "stages", "source": source, "steps": [*map(_expand_json, steps)]}
        case Compute(value, dims, weight, then):
            return {
                "kind": "compute",
                "value": named(value),
                "dims": [axis_to_json(axis) for axis in dims],
                "weight": [factors_to_json(factors) for factors in weight],
                **({"then": [*map(_expand_json, then)]} if then else {}),
            }
        case Initialise(init):
            return {"kind": "initialise", "init": init}
        case Like(source):
            return {"kind": "like", "source": source}
        case Drop():
            return {"kind": "drop"}


def transform_from_json(data: object) -> Transform:
    """The transform that `transform_to_json` gave. Raises ValueError if it is none."""
    match data:
        case {"kind": "copy"}:
            return Copy()
        case {"kind": "move", "source": str(source)}:
            return Move(source)
        case {"kind": "retain", "source": str(source)}:
            return Retain(source)
        case {"kind": "expand"}:
            return _expand(data)
        case {"kind": "stages", "source": str(source), "steps": [*steps]}:
            return Stages(source, tuple(map(_expand, steps)))
        case {"kind": "compute", "value": value, "dims": [*dims], "weight": w, **more}:
            maps = tuple(map(axis_from_json, dims))
            then = tuple(map(_expand, _list(more.get("then", []))))
            return Compute(source_from_json(value), maps, _factors(w), then)
        case {"kind": "initialise", "init": str(init)}:
            return Initialise(init)
        case {"kind": "like", "source": str(source)}:
            return Like(source)
        case {"kind": "drop"}:
            return Drop()
    raise ValueError(f"not a transform of a tensor: {data!r}")


def _expand_json(transform: Expand) -> dict[str, Any]:
    """Of what an expansion need not have, what it has."""
    source, dims, weight, moment, constants, second, resample, init, _ = transform
    return {
        "kind": "expand",
        "source": source,
        "dims": [axis_to_json(axis) for axis in dims],
        "weight": [factors_to_json(factors) for factors in weight],
        "moment": None if moment is None else [factors_to_json(factors) for factors in moment],
        **({"constants": [*map(named, constants)]} if constants else {}),
        **({} if second is None else {"second": [factors_to_json(factors) for factors in second]}),
        **({"resample": [*map(named, resample)]} if resample else {}),
        **({"init": init} if init else {}),
    }


def _expand(data: object) -> Expand:
    match data:
        case {"source": str(s), "dims": [*dims], "weight": w, "moment": m, **more}:
            second = more.get("second")
            return Expand(
                s,
                tuple(map(axis_from_json, dims)),
                _factors(w),
                None if m is None else _factors(m),
                tuple(map(constant_from_json, _list(more.get("constants", [])))),
                None if second is None else _factors(second),
                tuple(map(resample_from_json, _list(more.get("resample", [])))),
                str(more.get("init", "")),
            )
    raise ValueError(f"not the transform of an expansion: {data!r}")


def _list(data: object) -> list[object]:
    if isinstance(data, list):
        return data
    raise ValueError(f"not a list: {data!r}")


def _factors(data: object) -> tuple[Factors, ...]:
    match data:
        case [*axes]:
            return tuple(map(factors_from_json, axes))
    raise ValueError(f"not the factors of axes: {data!r}")


# --- version 0.1 ---------------------------------------------------------------------------------

ROW = ("name", "category", "source", "rule", "reason", "shape", "like")
"""The fields of an entry of 0.1, which was a row of them or an object."""


def _row(data: dict[str, Any]) -> Entry:
    """The entry that version 0.1 stored, which said in words how a tensor begins."""
    match data:
        case {
            "name": str(name),
            "category": str(category),
            "rule": str(rule),
            "reason": str(reason),
            "shape": [*shape],
        } if all(isinstance(side, int) for side in shape):
            transform = _said(category, rule, data.get("source"))
            replaces = category == "reinitialised"
            return Entry(name, transform, _reason(reason), tuple(shape), replaces)
    raise ValueError(f"not an entry of a mapping: {data!r}")


def _said(category: str, rule: str, source: object) -> Transform:
    match category, rule.split(" "), source:
        case "copied", _, _:
            return Copy()
        case "moved", _, str(source):
            return Move(source)
        case "initialised" | "reinitialised", ["init", "like", source], None:
            return Like(source)
        case "initialised" | "reinitialised", ["init", init], None:
            return Initialise(init)
        case "dropped", _, _:
            return Drop()
    raise ValueError(f"no tensor is {category} by `{rule}` from {source!r}")


def _reason(text: str) -> Reason:
    what, _, place = text.partition(": ")
    what, like, source = what.partition(" like ")
    return Reason(what, f"like {source}" if like else "", place)
