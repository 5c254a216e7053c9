"""How far weights of one net are apart, by tensor and by component."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class TensorDifference(NamedTuple):
    """How far two tensors of a name are apart."""

    component: str
    tensor: str
    differs: bool
    """Whether they are not equal bit for bit."""
    norm: float
    """The sum of the squares of a's entries."""
    apart: float
    """The sum of the squares of the differences."""
    largest: float
    """The largest difference of two entries."""

    @property
    def relative(self) -> float:
        """|b - a| / |a|, by the Euclidean norm."""
        return _relative(self.apart, self.norm)


class WeightDifference(NamedTuple):
    """How far the tensors of a component are apart."""

    component: str
    tensors: int
    differing: int
    """Tensors that are not equal bit for bit."""
    relative: float
    """|b - a| / |a| over all of them, by the Euclidean norm."""
    largest: float
    """The largest difference of two entries."""
    tensor: str
    """The tensor that it is in; empty where all are equal."""


def by_component(tensors: Iterable[TensorDifference]) -> tuple[WeightDifference, ...]:
    """A row for each component, the largest relative difference first."""
    grouped: dict[str, list[TensorDifference]] = {}
    for tensor in tensors:
        grouped.setdefault(tensor.component, []).append(tensor)
    found = [_together(name, group) for name, group in grouped.items()]
    return tuple(sorted(found, key=lambda row: -row.relative))


def _together(component: str, group: list[TensorDifference]) -> WeightDifference:
    most = max(group, key=lambda t: t.largest)
    relative = _relative(sum(t.apart for t in group), sum(t.norm for t in group))
    differing = sum(t.differs for t in group)
    where = most.tensor if most.largest else ""
    return WeightDifference(component, len(group), differing, relative, most.largest, where)


def _relative(apart: float, norm: float) -> float:
    return (apart / norm) ** 0.5 if norm else float(apart > 0)
