"""Ops on tokens: attention and the transformer block."""

from typing import Annotated, Any, ClassVar, Literal

from growlang.net import Scope, Shape
from growlang.net.axes import Axes, Axis, Layer, Space, normalised, reads, writes
from growlang.ops import heads, mlp
from growlang.ops.activations import Hidden, activation
from growlang.ops.attention_cost import (
    attention_flops,
    attention_kept,
    attention_saved,
    branch_learning,
    entry_kept,
    entry_saved,
    modulation_flops,
)
from growlang.ops.base import Eps, Op, OpError, unknown_condition
from growlang.ops.heads import Biases, HeadWidth, Joint, KeyHeads
from growlang.ops.kept import Kept, Widths
from growlang.ops.layers import plain, token_wise
from growlang.ops.modulation import (
    AFFINE,
    MODULATION,
    UNMODULATED,
    UNNORMED,
    Affine,
    Modulation,
    Sublayers,
    entry,
    given,
    is_normed,
    of_branch,
    require_time,
    used,
)
from growlang.signatures.signature import Conditions, argument

KV_HEADS = "heads of keys and values, which divide the heads; by default as many"
JOINT = "conditions whose keys and values self-attention has beside its own, each by a linear map"
BIAS = "whether maps and norms have a bias, or the parts that do: `[qkv, out, mlp, norm]`"


class Attending(Op):
    """Base of the ops whose sublayers attend to their input, or to conditions."""

    listed = 4
    source = "arXiv 1706.03762, arXiv 2212.09748, arXiv 2302.05442"
    input_kind = "tokens"
    is_residual = True
    training_arguments = frozenset(("dropout",))
    carried = frozenset((heads.ROTATED,))
    sublayer_arguments = frozenset(("unmodulated", "unnormed"))
    width: int = argument("channels; the same as the input's", ge=1)
    heads: int = argument("attention heads; divides the width, unless `head_width` is given", ge=1)
    attend: Annotated[list[str], Conditions()] = argument(
        "what each sublayer attends to, in order: `self` or a condition", ["self"], min_length=1
    )
    norm: Literal["layer", "rms"] = argument("LayerNorm or RMSNorm before each sublayer", "layer")
    qk_norm: bool = argument("whether queries and keys are normalised", True)
    dropout: float = argument("dropout probability in each branch", 0.0, ge=0, lt=1)
    head_width: HeadWidth = argument("channels of a head; by default width / heads", None)
    eps: Eps = argument("added to the variance by its norms; by default 1e-6", None)
    kv_heads: KeyHeads = argument(KV_HEADS, None)
    bias: Biases = argument(BIAS, True)
    modulation: Modulation = argument(MODULATION, "branch")
    affine: Affine = argument(AFFINE, None)
    unmodulated: Sublayers = argument(UNMODULATED, list)
    unnormed: Sublayers = argument(UNNORMED, list)
    joint: Joint = argument(JOINT, list)

    @property
    def is_rotated(self) -> bool:
        """Where it attends to itself."""
        return "self" in self.attend

    @property
    def is_causal(self) -> bool:
        """Whether self-attention sees earlier tokens only."""
        return False

    @property
    def branches(self) -> dict[str, str | None]:
        """`attend.NAME` for each name."""
        return {f"attend.{name}": name for name in self.attend}

    @property
    def joined(self) -> dict[str, str]:
        """`attend.self.joint.NAME` for each name."""
        return {f"attend.self.joint.{name}": name for name in self.joint}

    @property
    def naming_arguments(self) -> frozenset[str]:
        """Those of all ops, and `joint`."""
        return super().naming_arguments | {"joint"}

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        if self.width != x.width:
            raise OpError(
                f"`{self.call}` keeps its width, but has `width = {self.width}` and an input of "
                f"{x.width}",
                argument="width",
                code="G205",
                help=f"write `width = {x.width}`, or put `linear({self.width})` before it",
            )
        heads.checked(self, scope)
        require_time(self, scope)
        _require_joint(self, scope)
        for name in self.attend:
            if name != "self" and name not in scope.conditions:
                known = ", ".join(["self", *scope.conditions])
                raise unknown_condition("attend", name, scope, f"attend to: {known}")
            if self.attend.count(name) > 1:
                raise OpError(f"`attend` lists `{name}` twice", argument="attend")
        return x

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """Those of `attend.NAME` for each name."""
        scope = used(self, scope)
        stream = token_wise("x", self.width, self.norm)
        return Axes(_inputs(self, stream, scope), writes(stream), _sublayers(self, stream, scope))

    def flops(self, x: Shape, scope: Scope) -> int:
        """Projections, scores and weighted sums of each sublayer, and their modulation."""
        return attention_flops(self, x, used(self, scope))

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The sum over the sublayers; see `attention_saved`."""
        return attention_saved(self, x, used(self, scope))

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The sum over the sublayers; see `attention_kept`."""
        return attention_kept(self, x, used(self, scope), widths)

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Channels of a head that positions rotate, where they do."""
        channels = heads.rotated(self, scope)
        return {heads.ROTATED: channels} if channels else {}

    def reads(self, scope: Scope) -> tuple[str, ...]:
        """The time embedding, if there is one, and the conditions attended to."""
        time = ("time",) if scope.time is not None and self.modulation != "none" else ()
        return (*time, *(name for name in self.attend if name != "self"), *self.joint)


class Attention(Attending):
    """Attention sublayers, one per name in `attend`: x + gate * attention(modulated norm(x)).

    Shift, scale and gate come from the time embedding and start at zero (adaLN-Zero, DiT,
    arXiv 2212.09748). Without one the norm has a scale (and shift), and the output projection
    starts at zero. Queries and keys are RMS-normalised per head (arXiv 2302.05442).
    """

    call = "attention"


class Transformer(Attending):
    """Transformer block: the sublayers of `attention`, then an MLP in the same frame.

    A fresh block is the identity: its gates, or without time its last projections, are zero.
    """

    call = "transformer"
    gone: ClassVar[dict[str, Any]] = {"rope": False}
    moved: ClassVar[dict[str, str]] = {
        "rope": "remove it; positions are the core's: `core @ 16 (position = rope)`"
    }
    behind: ClassVar[dict[str, str]] = {"mlp": "attend", "causal": "norm"}
    mlp: Hidden = argument(
        "hidden channels of the MLP, in widths; with its activation `swiglu(8 / 3)`, else GELU", 4.0
    )
    causal: bool = argument("causal mask: self-attention sees earlier tokens only", False)

    @property
    def is_causal(self) -> bool:
        """As `causal` says."""
        return self.causal

    @property
    def branches(self) -> dict[str, str | None]:
        """`attend.NAME` for each name, and `mlp`."""
        return {**super().branches, "mlp": None}

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        if self.causal and "self" not in self.attend:
            raise OpError("`causal = true` needs `self` in `attend`", argument="causal")
        return super().output(x, scope)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """Those of `attend.NAME` for each name, then `mlp`."""
        scope = used(self, scope)
        stream = token_wise("x", self.width, self.norm)
        hidden = Space("mlp.hidden", self.numbers(x, scope)["mlp.hidden"])
        init = "linear" if scope.time else "zeros"
        layers = (
            *_sublayers(self, stream, scope),
            *entry(self, "mlp", stream, scope),
            *mlp.maps(activation(self.mlp), stream, hidden, heads.has_bias(self, "mlp"), init),
        )
        return Axes(_inputs(self, stream, scope), writes(stream), layers)

    def flops(self, x: Shape, scope: Scope) -> int:
        """Those of the attention sublayers, and the maps of the MLP with their modulation."""
        scope = used(self, scope)
        hidden = self.numbers(x, scope)["mlp.hidden"]
        maps = mlp.flops(activation(self.mlp), x, hidden)
        return attention_flops(self, x, scope) + maps + modulation_flops(self, "mlp", scope)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """Those of the attention sublayers; of the MLP the inputs of its maps and activation."""
        scope = used(self, scope)
        hidden = x.positions * self.numbers(x, scope)["mlp.hidden"]
        inner = x.size + (mlp.between(activation(self.mlp)) + 1) * hidden
        return attention_saved(self, x, scope) + entry_saved(self, "mlp", x, scope) + inner

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """Those of the attention sublayers; of the MLP the inputs of its maps and activation."""
        scope = used(self, scope)
        attention, entry = attention_kept(self, x, scope, widths), entry_kept(self, "mlp", x)
        hidden = widths.maps * x.positions * self.numbers(x, scope)["mlp.hidden"]
        between = mlp.between(activation(self.mlp))
        always = attention.always + entry + max(between, 1) * hidden
        learning = branch_learning(self, "mlp", x, scope, widths) + widths.maps * x.size
        learning += hidden if between else 0
        return Kept(always, attention.learning + learning, attention.result)

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Hidden channels of the MLP, and channels of a head that positions rotate."""
        hidden = scope.number("mlp.hidden", activation(self.mlp).hidden(self.width))
        return {"mlp.hidden": hidden, **super().numbers(x, scope)}


def _require_joint(op: Attending, scope: Scope) -> None:
    """Raise OpError where `joint` names no condition, or there is no self-attention to join."""
    for name in op.joint:
        if name not in scope.conditions:
            known = ", ".join(scope.conditions)
            help = f"its conditions: {known}" if known else "remove it"
            raise unknown_condition("joint", name, scope, help)
        if op.joint.count(name) > 1:
            raise OpError(f"`joint` lists `{name}` twice", argument="joint")
    if op.joint and "self" not in op.attend:
        raise OpError(
            "`joint` is of self-attention, and `attend` does not list `self`",
            argument="joint",
            help=f"write `attend = [self, {', '.join(op.attend)}]`, or remove it",
        )
    if op.joint and op.is_causal:
        raise OpError(
            "`joint` and `causal = true` exclude each other: conditions have no place in the order",
            argument="causal",
            help="remove it, or attend apart: "
            f"`attend = [{', '.join(dict.fromkeys([*op.attend, *op.joint]))}]` without `joint`",
        )


def _inputs(op: Attending, stream: Space, scope: Scope) -> tuple[Axis, ...]:
    """The axes of what the module is called with; a condition's mask has no channels."""
    axes = [reads(stream)]
    if scope.time is not None:
        axes.append(given(op, stream, scope.time))
    for name in (*op.attend, *op.joint):
        if name != "self":
            axes += [reads(_condition(name, scope)), ()]
    return tuple(axes)


def _condition(name: str, scope: Scope) -> Space:
    return plain(f"condition.{name}", scope.conditions[name].width)


def _sublayers(op: Attending, stream: Space, scope: Scope) -> tuple[Layer, ...]:
    layers = list[Layer]()
    for name in op.attend:
        is_self, branch = name == "self", f"attend.{name}"
        layers += entry(op, branch, stream, scope)
        x = normalised(stream) if is_normed(op, branch) else reads(stream)
        other = None if is_self else reads(_condition(name, scope))
        rotates = is_self and scope.rope is not None
        init = "zeros" if of_branch(op, branch, scope).time is None else "linear"
        joint = {n: reads(_condition(n, scope)) for n in op.joint} if is_self else {}
        layers += heads.maps(op, name, stream, x, other, joint, rotates, init)
    return tuple(layers)
