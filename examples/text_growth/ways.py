"""The ways to the same net at the same compute, and how many steps each part of them gets."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import growlang

SPECS = Path(__file__).parent / "specs"
DEPTH, WIDTH, HEADS = 6, 96, 4
"""Of the net that all ways end with."""
FALL = 0.2
"""Share of the steps of the net from scratch over which the learning rate falls."""


class Way(StrEnum):
    """How the net comes to be."""

    scratch = "scratch"
    stack = "stack"
    interleave = "interleave"
    late_one = "late_one"
    late_zero = "late_zero"
    wide_exact = "wide_exact"
    wide_copy = "wide_copy"


SHARES = {
    Way.stack: 0.3,
    Way.interleave: 0.3,
    Way.late_one: 0.2,
    Way.late_zero: 0.05,
    Way.wide_exact: 0.3,
    Way.wide_copy: 0.3,
}
"""The share of all compute that goes to what a way grows from.

One block costs a fifth of a step of six, none almost nothing: these sources are late, in steps.
"""


class Steps(NamedTuple):
    """How long a way trains what it grows from, and what it grows into."""

    source: int
    grown: int


def spec_of(way: Way, seed: int, total: int) -> growlang.Checked:
    """The spec of a way whose compute is that of `total` steps of the net from scratch."""
    if way is Way.scratch:
        sizes = {"depth": DEPTH, "width": WIDTH, "heads": HEADS, "steps": total, "seed": seed}
        schedule = {"train.lr_schedule": f"wsd({FALL})"}
        return growlang.load(SPECS / "source.grow", {**sizes, **schedule})
    steps = steps_of(way, total)
    given: Mapping[str, float] = {
        "source_steps": steps.source,
        "steps": steps.grown,
        "decay": round(min(1.0, FALL * total / steps.grown), 4),
        "seed": seed,
    }
    return growlang.load(SPECS / f"{way}.grow", dict(given))


def steps_of(way: Way, total: int) -> Steps:
    """Steps whose operations are those of `total` steps of the net from scratch."""
    if way is Way.scratch:
        return Steps(0, total)
    grown = growlang.load(SPECS / f"{way}.grow")
    assert grown.parent is not None
    source, target = operations(grown.parent), operations(grown)
    share = SHARES[way]
    return Steps(round(share * total * target / source), round((1 - share) * total))


def operations(spec: growlang.Checked) -> int:
    """Floating-point operations of one sequence through a net, forward."""
    return sum(cost.flops for cost in growlang.compile(spec).costs)
