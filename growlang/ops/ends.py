"""Ops at the ends of a net, on patches."""

from typing import Annotated, Literal

from pydantic import Field

from growlang.diagnostics.literals import literal
from growlang.net import Scope, Shape, grid
from growlang.net.axes import (
    Axes,
    Axis,
    Layer,
    Parameter,
    Role,
    Space,
    axis,
    normalised,
    reads,
    writes,
)
from growlang.ops.base import Eps, Op, OpError
from growlang.ops.convolution import divided, group_count, require_odd
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import grouped, linear, norm, plain, token_wise
from growlang.signatures.canonical import Later
from growlang.signatures.signature import argument


class Patch(Op):
    """Patches of `factor` x `factor` pixels, each mapped linearly (ViT, arXiv 2010.11929).

    With `hidden` two maps in series, the first without a bias (JiT, arXiv 2511.13720): a
    bottleneck, where it is narrower than the pixels of a patch.
    """

    call = "patch"
    listed = 1
    source = "arXiv 2010.11929, arXiv 2511.13720"
    input_kind = "grid"
    resized = "patches"
    factor: int = argument("side of a patch, in pixels", ge=1)
    width: int = argument("channels of the output", ge=1)
    hidden: Annotated[Annotated[int, Field(ge=1)] | None, Later()] = argument(
        "channels of a bottleneck between two maps; one map without it", None
    )
    bias: Annotated[bool, Later()] = argument("whether the last map has a bias", True)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(width, height / factor, width / factor)."""
        return divided(x, self.factor).with_width(self.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`proj.weight` (width, input channels, factor, factor) and `proj.bias`.

        With `hidden` `hidden.weight` (hidden, input channels, factor, factor), then `proj.weight`
        (width, hidden, 1, 1).
        """
        pixels, out, sides = plain("x", x.width), plain("out", self.width), (self.factor,) * 2
        if self.hidden is None:
            proj = linear("proj", writes(out), reads(pixels), *sides, bias=self.bias, place="last")
            return Axes((reads(pixels),), writes(out), (proj,))
        inner = plain("hidden", self.hidden)
        first = linear("hidden", writes(inner), reads(pixels), *sides, bias=False)
        proj = linear("proj", writes(out), reads(inner), 1, 1, bias=self.bias, place="last")
        return Axes((reads(pixels),), writes(out), (first, proj))

    def flops(self, x: Shape, scope: Scope) -> int:
        """Every pixel enters one product with the first weight, every patch one with the second."""
        if self.hidden is None:
            return 2 * x.size * self.width
        return 2 * self.hidden * (x.size + x.positions // self.factor**2 * self.width)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The inputs of the convolutions."""
        return x.size + (self.hidden or 0) * (x.positions // self.factor**2)

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The inputs of the convolutions, which are kept even where they do not learn."""
        return Kept(widths.maps * self.saved_activations(x, scope), 0, widths.maps)


class Unpatch(Op):
    """Back to pixels: norm, SiLU, zero-initialised convolution, pixel shuffle.

    Channel c f^2 + i f + j of the convolution becomes row i, column j of a patch of the image's
    channel c: the order in which `patch` reads it (arXiv 1609.05158). With `modulate` the time
    embedding scales and shifts what the norm gives, which then has no scale of its own unless
    `affine` asks for one (the last layer of DiT, arXiv 2212.09748). With `modulate = table` both
    are the embedding itself, as wide as the input, with a row of a table added (PixArt-alpha, arXiv
    2310.00426).
    """

    call = "unpatch"
    listed = 1
    source = "arXiv 1609.05158, arXiv 2212.09748"
    input_kind = "grid"
    resized = "pixels"
    factor: int = argument("side of a patch, in pixels", ge=1)
    norm: Annotated[Literal["group", "layer", "rms", "none"], Later()] = argument(
        "GroupNorm, or LayerNorm or RMSNorm of each pixel's channels, or nothing", "group"
    )
    act: Annotated[Literal["silu", "none"], Later()] = argument(
        "activation behind the norm", "silu"
    )
    modulate: Annotated[bool | Literal["table"], Later()] = argument(
        "whether the time embedding scales and shifts what the norm gives: through a linear map, "
        "or itself with a `table` added",
        False,
    )
    affine: Annotated[bool | None, Later()] = argument(
        "whether the norm has a scale of its own; by default where nothing modulates it", None
    )
    kernel: Annotated[int, Field(ge=1), Later()] = argument(
        "kernel size of the convolution, in positions of its input; odd", 1
    )
    channels: Annotated[Annotated[int, Field(ge=1)] | None, Later()] = argument(
        "channels of the result; by default those of the image, twice them for a learned variance",
        None,
    )
    eps: Eps = argument("added to the variance by its norm; by default 1e-6", None)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(channels, height * factor, width * factor)."""
        require_odd(self.kernel)
        if self.norm == "none" and (self.modulate or self.affine):
            asked = "modulate" if self.modulate else "affine"
            value = literal(getattr(self, asked))
            raise OpError(
                f"`{asked} = {value}` scales what a norm gives, and there is none",
                argument=asked,
                help="write `norm = layer`",
            )
        if self.affine is False and not self.modulate and self.norm != "none":
            raise OpError(
                "`affine = false` leaves the norm without a scale, and nothing modulates it",
                argument="affine",
                help="remove it, or add `modulate = true`",
            )
        if self.modulate and scope.time is None:
            raise OpError(
                f"`modulate = {literal(self.modulate)}` needs the time embedding, which the model "
                "does not have",
                argument="modulate",
                help="remove it, or bind `time = fourier(width)` in the model",
            )
        if self.modulate == "table":
            self._require_as_wide(x, scope)
        _, height, width = x.dims
        return grid(self._channels(scope), height * self.factor, width * self.factor)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`modulation norm proj`, the last (channels * factor^2, input channels, kernel...)."""
        stream, inputs, layers = self._stream(x, scope), list[Axis](), list[Layer]()
        if self.modulate:
            rows = axis(Role.SHIFT, stream) + axis(Role.SCALE, stream)
            if self.modulate == "table":
                inputs.append(reads(stream))
                own = Parameter("table", (rows, axis(Role.POSITION, 1)), "zeros")
                layers.append(Layer("table", "table", own, branch="norm"))
            else:
                inputs.append(reads(Space("time", scope.time or 0)))
                layers.append(linear("modulation", rows, inputs[0], init="zeros", branch="norm"))
        if self.is_affine:
            layers.append(norm("norm", stream, shift=self.norm != "rms", branch="norm"))
        out = plain("out", self._channels(scope))
        filters, sides = writes(out, self.factor, self.factor), (self.kernel, self.kernel)
        columns = reads(stream) if self.norm == "none" else normalised(stream)
        layers.append(linear("proj", filters, columns, *sides, init="zeros", place="last"))
        return Axes((reads(stream), *inputs), writes(out), tuple(layers))

    @property
    def is_affine(self) -> bool:
        """Whether the norm has a scale of its own and, but for an RMSNorm, a shift."""
        return self.norm != "none" and (not self.modulate or bool(self.affine))

    def _require_as_wide(self, x: Shape, scope: Scope) -> None:
        """Raise OpError where the time embedding cannot be added to what the norm gives."""
        if self.norm != "layer" or self.affine:
            raise OpError(
                "`modulate = table` is of a LayerNorm without a scale of its own",
                argument="modulate",
                help="write `norm = layer` without `affine`, or `modulate = true`",
            )
        if scope.time != x.width:
            raise OpError(
                f"`modulate = table` adds the time embedding of width {scope.time} to the "
                f"{x.width} channels of its input",
                argument="modulate",
                code="G205",
                help=f"write `time = fourier({x.width})`, or `modulate = true`",
            )

    def _channels(self, scope: Scope) -> int:
        return self.channels or scope.channels

    def _stream(self, x: Shape, scope: Scope) -> Space:
        if self.norm == "group":
            return grouped("x", x.width, self.numbers(x, scope)["norm.groups"])
        if self.norm == "none":
            return plain("x", x.width) if self.act == "none" else Space("x", x.width)
        return token_wise("x", x.width, self.norm)

    def flops(self, x: Shape, scope: Scope) -> int:
        """One convolution of the coarse pixels, and the projection of the time embedding."""
        modulation = 4 * x.width * (scope.time or 0) if self.modulate is True else 0
        return 2 * x.size * self._channels(scope) * (self.factor * self.kernel) ** 2 + modulation

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The inputs of the norm, of the scaling, of the SiLU and of the convolution."""
        vectors = 2 * (scope.time or 0) * (self.modulate is True) + x.width * bool(self.modulate)
        inner = (self.norm != "none") + bool(self.modulate) + (self.act != "none")
        fused = self.norm == "rms" and self.is_affine  # which plain PyTorch computes in two steps
        return (1 + inner + fused) * x.size + self._statistics(x, scope) + vectors

    def _statistics(self, x: Shape, scope: Scope) -> int:
        """Mean and deviation of each group or pixel, of an RMSNorm one number."""
        of = {"group": 2 * self.numbers(x, scope).get("norm.groups", 0)}
        of |= {"layer": 2 * x.positions, "rms": x.positions, "none": 0}
        return of[self.norm]

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The inputs of the norm, of the SiLU and of the convolution; of the scaling to learn."""
        maps = widths.maps
        inner = widths.x if self.norm == "none" else FP32
        always = maps * x.size + FP32 * self._statistics(x, scope)
        always += (self.norm != "none") * FP32 * x.size + (self.act != "none") * inner * x.size
        learning = 0
        if self.modulate:
            time = (scope.time or 0) * (self.modulate is True)
            learning = FP32 * x.size + (FP32 + maps) * time
            always += FP32 * x.width
        return Kept(always, learning, maps)

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Groups of the norm, if it is a GroupNorm."""
        if self.norm != "group":
            return {}
        return {"norm.groups": scope.number("norm.groups", group_count(x.width))}

    def reads(self, scope: Scope) -> tuple[str, ...]:
        """The time embedding, if it modulates."""
        return ("time",) if self.modulate and scope.time is not None else ()
