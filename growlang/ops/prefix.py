"""Tokens in front of those of a core, and their removal behind it; the compiler places both."""

from typing import Annotated

from growlang.net import Scope, Shape, tokens
from growlang.net.axes import Axes, Axis, Layer, Role, Space, axis, reads, writes
from growlang.ops.base import Op, OpError, unknown_condition
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import linear, passed_on, plain, table
from growlang.signatures.signature import Conditions, argument

TIME = "time"
LEARNED = "learned"
"""The word for a token that is nothing but its position."""
CLASS_TOKEN = "class_token"
"""The word for a learned token beside its position."""
OWN = (CLASS_TOKEN, LEARNED)
"""The words for tokens that nothing else makes."""


class Prepend(Op):
    """Tokens in front of a sequence: of conditions, of the time embedding, or learned ones.

    Each has a learned position, one row of a table. A condition gives all its tokens, those of
    padding too (U-ViT, arXiv 2209.12152), the time embedding one. `class_token` is a learned one
    (ViT, arXiv 2010.11929), and `learned` one that is its position alone. What has another width
    than the sequence goes through a linear map. With `times` the tokens are repeated, all of them
    in their order (the tokens in context of JiT, arXiv 2511.13720).
    """

    call = "prepend"
    called_as = "internal"
    source = "arXiv 2010.11929, arXiv 2209.12152, arXiv 2511.13720"
    input_kind = "tokens"
    is_join = True
    prepend: Annotated[list[str], Conditions(itself=False)] = argument(
        "conditions, `time`, `class_token` or `learned`, in the order of their tokens", min_length=1
    )
    times: int = argument("how many times they stand there, one after the other", 1, ge=1)

    @property
    def branches(self) -> dict[str, str | None]:
        """`proj.NAME` for each name."""
        return {f"proj.{name}": name for name in self.prepend}

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(tokens in front + length, width)."""
        for name in self.prepend:
            if self.prepend.count(name) > 1:
                raise OpError(f"`prepend` lists `{name}` twice", argument="prepend")
            if name == TIME and scope.time is None:
                raise OpError(
                    "`prepend` lists `time`, which the model does not have",
                    argument="prepend",
                    code="G208",
                    help="bind `time = fourier(width)` in the model, or remove it",
                )
            if name not in (*scope.conditions, TIME, *OWN):
                known = [*scope.conditions, *([] if scope.time is None else [TIME]), *OWN]
                help = f"put in front: {', '.join(known)}"
                raise unknown_condition("prepend", name, scope, help)
        return tokens(self.count(scope) + x.positions, x.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`position` (tokens in front, width), `class_token` (1, width), and of another width
        `proj.NAME`.
        """
        stream, inputs, layers = plain("x", x.width), list[Axis](), list[Layer]()
        length = axis(Role.POSITION, self.count(scope))
        layers.append(table("position", length, writes(stream), "position"))
        if _is_own(CLASS_TOKEN, self.prepend, scope):
            one = axis(Role.POSITION, 1)
            layers.append(table(CLASS_TOKEN, one, writes(stream), "position"))
        for name, own in self._given(scope):
            local = TIME if name == TIME else f"condition.{name}"
            channels = stream if own.width == x.width else plain(local, own.width)
            if name == TIME and own.width != x.width:
                channels = Space(TIME, own.width)
            inputs += [reads(channels), *([] if name == TIME else [()])]
            if own.width != x.width:
                branch = f"proj.{name}"
                layers.append(
                    linear(branch, writes(stream), reads(channels), branch=branch, place="last")
                )
        return Axes((reads(stream), *inputs), writes(stream), tuple(layers))

    def flops(self, x: Shape, scope: Scope) -> int:
        """The linear maps."""
        return 2 * x.width * self.saved_activations(x, scope)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The inputs of the linear maps."""
        return sum(own.size for _, own in self._given(scope) if own.width != x.width)

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The inputs of the linear maps; the table makes the result fp32, as it is itself."""
        return Kept(0, widths.maps * self.saved_activations(x, scope), FP32)

    def reads(self, scope: Scope) -> tuple[str, ...]:
        """What stands in front, but for learned tokens."""
        return tuple(name for name in self.prepend if not _is_own(name, self.prepend, scope))

    def count(self, scope: Scope) -> int:
        """How many tokens stand in front."""
        own = {name: shape.positions for name, shape in self._given(scope)}
        return self.times * sum(own.get(name, 1) for name in self.prepend)

    def _given(self, scope: Scope) -> list[tuple[str, Shape]]:
        """What is read, each with the shape of its tokens."""
        shapes = {**scope.conditions, TIME: tokens(1, scope.time or 1)}
        return [(name, shapes[name]) for name in self.reads(scope) if name in shapes]


class Unprepend(Op):
    """A sequence without the tokens in front of it."""

    call = "unprepend"
    called_as = "internal"
    source = "arXiv 2209.12152"
    input_kind = "tokens"
    is_layout = True
    has_tensors = False
    count: int = argument("tokens that are removed", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """The rest of the tokens."""
        return tokens(x.positions - self.count, x.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """The same channels."""
        return passed_on(x)


def _is_own(name: str, listed: list[str], scope: Scope) -> bool:
    """Whether a word for a learned token is listed; a condition of that name comes first."""
    return name in OWN and name in listed and name not in scope.conditions
