"""The op that embeds the noise level, and what is added to it."""

from typing import Annotated, Literal

from pydantic import Field

from growlang.net import Scope, Shape, vector
from growlang.net.axes import Axes, Axis, Layer, Role, Space, Symmetry, axis, reads, writes
from growlang.ops.base import Op, OpError, unknown_condition
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import linear, plain
from growlang.signatures.canonical import Later
from growlang.signatures.signature import Conditions, argument

Level = Literal["log_snr", "t", "one_minus_t", "step"]
PERIOD = 10_000.0
"""The longest wave, in radians, of what is no log-SNR, where `max_period` does not say it."""


class Fourier(Op):
    """Embedding of the noise level: sines and cosines of the log-SNR, linear, SiLU, linear.

    The width / 2 frequencies rise geometrically from 2 pi / 64 to 2 pi per nat, as the random
    ones of arXiv 2006.10739 do in the mean. With `max_period` P, or of what is no log-SNR, the n
    frequencies are P^(-i / n), or with `spacing = closed` P^(-i / (n - 1)) (arXiv 2006.11239).

    `of = t` is the time of the noise schedule, and of a flow t of (1 - t) x + t eps; `one_minus_t`
    counts it from noise to images (JiT, arXiv 2511.13720), and `step` numbers the levels of
    `linear_beta` from 0 (DDPM, DiT).

    `add` names conditions that are added to the result: of several tokens as their `pool` says.
    One of the same width is added as it is, as DiT adds a label (arXiv 2212.09748); one of another
    goes through a linear map, which begins at zero.
    """

    call = "fourier"
    called_as = "time"
    source = "arXiv 2006.10739, arXiv 2107.00630, arXiv 2006.11239, arXiv 2212.09748"
    input_kind = "any"
    width: int = argument("channels of the embedding; even, unless `features` is given", ge=2)
    embed: Literal["reference", "raw"] = argument(
        "log-SNR that is embedded: that of the base resolution, or the actual one", "reference"
    )
    features: Annotated[Annotated[int, Field(ge=2)] | None, Later()] = argument(
        "sines and cosines, together; even; by default as many as the width", None
    )
    of: Annotated[Level, Later()] = argument("what of the noise level is embedded", "log_snr")
    order: Annotated[Literal["sin_cos", "cos_sin"], Later()] = argument(
        "whether the sines of all frequencies come first, or the cosines", "sin_cos"
    )
    spacing: Annotated[Literal["open", "closed"], Later()] = argument(
        "whether the last frequency comes before 1 / `max_period`, or is it", "open"
    )
    max_period: Annotated[Annotated[float, Field(gt=1)] | None, Later()] = argument(
        "period of the slowest wave over that of the fastest; by default 10000, and of log-SNRs "
        "frequencies of their own",
        None,
    )
    scale: Annotated[Annotated[float, Field(gt=0)], Later()] = argument(
        "what is embedded is multiplied by it", 1.0
    )
    mlp: Annotated[bool, Later()] = argument(
        "whether the two linear maps follow; else the waves are the embedding", True
    )
    add: Annotated[list[str], Conditions(itself=False), Later()] = argument(
        "conditions that are added to the embedding", list
    )

    @property
    def branches(self) -> dict[str, str | None]:
        """`add.NAME` for each name."""
        return {f"add.{name}": name for name in self.add}

    @property
    def period(self) -> float | None:
        """The longest wave, in radians; None for the frequencies of log-SNRs."""
        return PERIOD if self.max_period is None and self.of != "log_snr" else self.max_period

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width,)."""
        waves = "width" if self.features is None else "features"
        if (count := self.features or self.width) % 2:
            raise OpError(
                f"`{waves}` must be even, not {count}: sines and cosines come in pairs",
                argument=waves,
            )
        if not self.mlp and (self.features or self.width) != self.width:
            raise OpError(
                f"without the linear maps {self.features} waves do not give {self.width} channels",
                argument="features",
                help="remove `features`",
            )
        if self.of != "log_snr" and self.embed == "raw":
            raise OpError(
                f"`embed = raw` is of log-SNRs, and `of = {self.of}` embeds none",
                argument="embed",
                help="remove `embed` or `of`",
            )
        if self.spacing == "closed" and self.period is None:
            raise OpError(
                "`spacing = closed` needs `max_period`: the frequencies of log-SNRs are their own",
                argument="spacing",
                help="add `max_period = 10_000`, or remove `spacing`",
            )
        if self.spacing == "closed" and (self.features or self.width) < 4:
            raise OpError("`spacing = closed` needs two frequencies", argument="spacing")
        self._require_known(scope)
        return vector(self.width)

    def _require_known(self, scope: Scope) -> None:
        for name in self.add:
            if name not in scope.conditions:
                known = ", ".join(scope.conditions)
                help = f"its conditions: {known}" if known else "remove it from `add`"
                raise unknown_condition("add", name, scope, help)
            if self.add.count(name) > 1:
                raise OpError(f"`add` lists `{name}` twice", argument="add")

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`linear1` and `linear2`, if any; the waves of all frequencies of one kind come first.

        Of a condition of another width `add.NAME.proj`, and of one with `pool = attention`
        `add.NAME.score`.
        """
        frequencies = Space("frequencies", self.frequencies(x, scope), Symmetry.FIXED)
        hidden, out = Space("hidden", self.width), plain("out", self.width)
        inputs, layers = list[Axis](), list[Layer]()
        if self.mlp:
            layers.append(linear("linear1", writes(hidden), reads(2, frequencies)))
            layers.append(linear("linear2", writes(out), reads(hidden), place="last"))
        else:
            out = Space("out", self.width, Symmetry.FIXED)
        for name in self.add:
            own, branch = scope.conditions[name].width, f"add.{name}"
            channels = plain(f"condition.{name}", own) if own != self.width else out
            inputs += [reads(channels), ()]
            if is_attentive(name, scope):
                rows = axis(Role.POSITION, 1)
                score = linear(f"{branch}.score", rows, reads(channels), bias=False, branch=branch)
                layers.append(score)
            if own != self.width:
                rows, columns = writes(out), reads(channels)
                map_ = linear(
                    f"{branch}.proj", rows, columns, init="zeros", branch=branch, place="last"
                )
                layers.append(map_)
        return Axes(((), *inputs), writes(out), tuple(layers))

    def flops(self, x: Shape, scope: Scope) -> int:
        """The linear maps."""
        own = self.mlp * self.width * (2 * self.frequencies(x, scope) + self.width)
        for shape, attentive in self._added(scope):
            own += shape.width * self.width if shape.width != self.width else 0
            own += shape.size if attentive else 0
        return 2 * own

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The inputs of the linear maps and of the SiLU; what is pooled by attention."""
        own = self.mlp * (2 * self.frequencies(x, scope) + 2 * self.width)
        for shape, attentive in self._added(scope):
            own += shape.width if shape.width != self.width else 0
            own += shape.size + 2 * shape.positions if attentive else 0
        return own

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The inputs of the linear maps and of the SiLU."""
        result = widths.maps if self.mlp else FP32
        return Kept(0, widths.maps * self.saved_activations(x, scope), result)

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Frequencies of the sines and cosines, where the width decides them."""
        if self.features is not None or not self.mlp:
            return {}
        return {"frequencies": scope.number("frequencies", self.width // 2)}

    def reads(self, scope: Scope) -> tuple[str, ...]:
        """The conditions that are added."""
        return tuple(self.add)

    def frequencies(self, x: Shape, scope: Scope) -> int:
        """How many frequencies there are."""
        if self.features is not None or not self.mlp:
            return (self.features or self.width) // 2
        return self.numbers(x, scope)["frequencies"]

    def _added(self, scope: Scope) -> list[tuple[Shape, bool]]:
        """The shape of each condition that is added, and whether attention pools it."""
        return [(scope.conditions[name], is_attentive(name, scope)) for name in self.add]


def is_attentive(name: str, scope: Scope) -> bool:
    """Whether attention pools a condition."""
    return scope.pools.get(name) == "attention"
