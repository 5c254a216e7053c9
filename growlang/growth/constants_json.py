"""The constants of an expansion as JSON: a list that begins with its kind. Stdlib only."""

from __future__ import annotations

from typing import Any

from growlang.growth.constants import (
    Constant,
    Draw,
    Eye,
    Fill,
    Mean,
    Noise,
    Resample,
    SinCos,
    Source,
)


def named(value: Constant | Source | Resample) -> list[Any]:
    """The kind, then the fields in order."""
    *fields, kind = value
    return [kind, *(list(f) if isinstance(f, tuple) else f for f in fields)]


def constant_from_json(data: object) -> Constant:
    """The constant that `named` gave. Raises ValueError if it is none."""
    match data:
        case ["fill", int(start), int(n), int(value) | float(value)]:
            return Fill(start, n, float(value))
        case ["draw", int(axis), int(start), int(n)]:
            return Draw(axis, start, n)
        case ["mean", int(axis), int(start), int(n), int(old), int(of), int(f) | float(f)]:
            return Mean(axis, start, n, old, of, float(f))
        case ["noise", int(axis), int(std) | float(std)]:
            return Noise(axis, float(std))
    raise ValueError(f"not a constant of an expansion: {data!r}")


def source_from_json(data: object) -> Source:
    """The computed value that `named` gave. Raises ValueError if it is none."""
    match data:
        case ["eye", int(n)]:
            return Eye(n)
        case ["sincos", int(length), int(width), int() | None as height, int() | None as columns]:
            return SinCos(length, width, height, columns)
    raise ValueError(f"not a computed value: {data!r}")


def resample_from_json(data: object) -> Resample:
    """The interpolation that `named` gave. Raises ValueError if it is none."""
    match data:
        case [
            "resample",
            ("nearest" | "bilinear" | "bicubic" | "flexi") as how,
            int(axis),
            [int(a), int(b)],
            [int(c), int(d)],
            bool(fused),
            int(outer),
        ]:
            return Resample(how, axis, (a, b), (c, d), fused, outer)
    raise ValueError(f"not an interpolation: {data!r}")
