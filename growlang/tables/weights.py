"""Weights of one net that were trained apart, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from growlang.net import Net
from growlang.plans.weights_apart import TensorDifference, by_component
from growlang.tables.parts import table_of

APART = "|b - a| / |a|"


def print_weights(
    a: Net,
    b: Net,
    tensors: Sequence[TensorDifference],
    remark: str,
    out: Console,
    *,
    verbose: bool = False,
) -> None:
    """How far the weights of two trainings of one net are apart.

    A line a component or, if `verbose`, a line a tensor.
    """
    same = not any(t.differs for t in tensors)
    end = "and so are the weights" if same else "the weights are not"
    out.print(f"The nets of [bold]{a.name}[/] and [bold]{b.name}[/] are equal, {end}.\n")
    if remark:
        out.print(f"{remark}\n", markup=False)
    out.print(_tensors(tensors) if verbose else _components(tensors))


def _components(tensors: Sequence[TensorDifference]) -> Table:
    rows = table_of("<component", "tensors", "differing", APART, "largest", "<in")
    for w in by_component(tensors):
        numbers = f"{w.tensors:,}", f"{w.differing:,}", f"{w.relative:.3g}", f"{w.largest:.3g}"
        rows.add_row(w.component, *numbers, w.tensor)
    return rows


def _tensors(tensors: Sequence[TensorDifference]) -> Table:
    rows = table_of("<tensor", "<equal", APART, "largest")
    for t in tensors:
        equal = "no" if t.differs else "yes"
        rows.add_row(t.tensor, equal, f"{t.relative:.3g}", f"{t.largest:.3g}")
    return rows
