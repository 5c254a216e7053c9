"""What surrounds an op of a net, and what it keeps of numbers that its width would decide."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from growlang.net import names
from growlang.net.shape import Shape

EPS = 1e-6
"""Added to the variance by the normalisations of a net that is built now."""


class Rope(NamedTuple):
    """Rotary positions (arXiv 2104.09864): pairs of channels are turned by position * frequency.

    Frequencies are theta^(-2i / d) of the d channels that each axis of the positions has.
    """

    theta: float
    sides: tuple[int, ...]
    """Rows and columns of the grid that the tokens come from, or their number alone."""
    skipped: int = 0
    """Tokens before them that are not turned."""


class Scope(NamedTuple):
    """What an op is built in, besides its arguments and the shape of its input."""

    time: int | None = None
    """Width of the time embedding; None where the model has none."""
    conditions: Mapping[str, Shape] = MappingProxyType({})
    """Shape (length, width) of the tokens of each condition."""
    channels: int = 3
    """Channels of the image; 0 in a model of tokens."""
    vocabulary: int | None = None
    """Tokens that a model of tokens knows; None in an image model."""
    eps: float = EPS
    """Added to the variance by the normalisations."""
    numbers: Mapping[str, int] = MappingProxyType({})
    """What the op keeps of `Op.numbers`, such as {"norm1.groups": 16} after its width has grown."""
    rope: Rope | None = None
    """How the queries and keys of its self-attention are rotated."""

    pools: Mapping[str, str] = MappingProxyType({})
    """How conditions that are added to the time become one vector, where not by their mean."""
    targets: Mapping[str, int] = MappingProxyType({})
    """The number of classes of each label that the model predicts."""

    def __hash__(self) -> int:
        named = (self.conditions, self.numbers, self.pools, self.targets)
        tables = [frozenset(of.items()) for of in named]
        return hash((self.time, self.channels, self.vocabulary, self.eps, self.rope, *tables))

    def number(self, name: str, decided: int) -> int:
        """The number that is kept under a name, or else the one that the op's width decides."""
        return self.numbers.get(name, decided)

    def to_json(self, eps: float) -> dict[str, Any]:
        """JSON of the scope in a net with this eps, without what it has at the default."""
        conditions = {name: list(shape.dims) for name, shape in self.conditions.items()}
        said = self._asdict() | {"conditions": conditions, "numbers": dict(self.numbers)}
        said |= {"pools": dict(self.pools), "targets": dict(self.targets)}
        if self.rope is not None:
            said["rope"] = {**self.rope._asdict(), "sides": list(self.rope.sides)}
        defaults = Scope._field_defaults | {"eps": eps}
        return {key: value for key, value in said.items() if value != defaults[key]}

    @staticmethod
    def from_json(data: Mapping[str, Any], eps: float) -> "Scope":
        """The scope that `to_json` described. Raises ValueError if a condition has no name."""
        conditions = {
            names.name(name): names.shape("tokens", dims)
            for name, dims in data.get("conditions", {}).items()
        }
        pools = {names.name(name): names.name(how) for name, how in data.get("pools", {}).items()}
        rope = data.get("rope")
        turned = Rope(**{**rope, "sides": tuple(rope["sides"])}) if rope else None
        targets = {names.name(name): int(n) for name, n in data.get("targets", {}).items()}
        told = {"conditions": conditions, "pools": pools, "rope": turned, "targets": targets}
        return Scope(**{"eps": eps, **data, **told})
