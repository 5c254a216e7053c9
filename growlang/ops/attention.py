"""Ops on tokens: attention and the transformer block."""

from typing import Annotated, Any, ClassVar, Literal

from growlang.net import Scope, Shape
from growlang.net.axes import Axes, Axis, Layer, Space, normalised, reads, writes
from growlang.ops import heads, mlp
from growlang.ops.activations import Hidden, activation
from growlang.ops.base import Eps, Op, OpError, unknown_condition
from growlang.ops.heads import Biases, HeadWidth, Joint, KeyHeads, heads_width, keys_width
from growlang.ops.kept import FP32, Kept, Widths
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
    is_affine,
    is_normed,
    modulated,
    of_branch,
    require_time,
    used,
)
from growlang.signatures.signature import Conditions, argument

PLAIN_TOKENS = 256
"""Longest sequence for which attention is matmul, softmax, matmul on CPU, where that is faster."""

KV_HEADS = "heads of keys and values, which divide the heads; by default as many"
JOINT = "conditions whose keys and values self-attention has beside its own, each by a linear map"
BIAS = "whether maps and norms have a bias, or the parts that do: `[qkv, out, mlp, norm]`"


class Attention(Op):
    """Attention sublayers, one per name in `attend`: x + gate * attention(modulated norm(x)).

    Shift, scale and gate come from the time embedding and start at zero (adaLN-Zero, DiT,
    arXiv 2212.09748). Without one the norm has a scale (and shift), and the output projection
    starts at zero. Queries and keys are RMS-normalised per head (arXiv 2302.05442).
    """

    call = "attention"
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
    def branches(self) -> dict[str, str | None]:
        """`attend.NAME` for each name."""
        return {f"attend.{name}": name for name in self.attend}

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        return _checked(self, x, scope)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """Those of `attend.NAME` for each name."""
        scope = used(self, scope)
        stream = token_wise("x", self.width, self.norm)
        return Axes(_inputs(self, stream, scope), writes(stream), _attention(self, stream, scope))

    def flops(self, x: Shape, scope: Scope) -> int:
        """Projections, scores and weighted sums of each sublayer, and their modulation."""
        scope = used(self, scope)
        return _attention_flops(self, x, scope)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The sum over the sublayers; see `_attention_saved`."""
        scope = used(self, scope)
        return _attention_saved(self, x, scope)

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The sum over the sublayers; see `_attention_kept`."""
        scope = used(self, scope)
        return _attention_kept(self, x, scope, widths)

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Channels of a head that positions rotate."""
        return _rotated(self, scope)

    def reads(self, scope: Scope) -> tuple[str, ...]:
        """The time embedding, if there is one, and the conditions attended to."""
        return _reads(self, scope)


class Transformer(Op):
    """Transformer block: the sublayers of `attention`, then an MLP in the same frame.

    A fresh block is the identity: its gates, or without time its last projections, are zero.
    """

    call = "transformer"
    listed = 4
    source = "arXiv 1706.03762, arXiv 2212.09748, arXiv 2302.05442"
    input_kind = "tokens"
    is_residual = True
    training_arguments = frozenset(("dropout",))
    carried = frozenset((heads.ROTATED,))
    sublayer_arguments = frozenset(("unmodulated", "unnormed"))
    gone: ClassVar[dict[str, Any]] = {"rope": False}
    moved: ClassVar[dict[str, str]] = {
        "rope": "remove it; positions are the core's: `core @ 16 (position = rope)`"
    }
    width: int = argument("channels; the same as the input's", ge=1)
    heads: int = argument("attention heads; divides the width, unless `head_width` is given", ge=1)
    attend: Annotated[list[str], Conditions()] = argument(
        "what each sublayer attends to, in order: `self` or a condition", ["self"], min_length=1
    )
    mlp: Hidden = argument(
        "hidden channels of the MLP, in widths; with its activation `swiglu(8 / 3)`, else GELU", 4.0
    )
    norm: Literal["layer", "rms"] = argument("LayerNorm or RMSNorm before each sublayer", "layer")
    causal: bool = argument("causal mask: self-attention sees earlier tokens only", False)
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
    def branches(self) -> dict[str, str | None]:
        """`attend.NAME` for each name, and `mlp`."""
        return {**{f"attend.{name}": name for name in self.attend}, "mlp": None}

    def output(self, x: Shape, scope: Scope) -> Shape:
        """As the input."""
        if self.causal and "self" not in self.attend:
            raise OpError("`causal = true` needs `self` in `attend`", argument="causal")
        return _checked(self, x, scope)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """Those of `attend.NAME` for each name, then `mlp`."""
        scope = used(self, scope)
        stream = token_wise("x", self.width, self.norm)
        hidden = Space("mlp.hidden", self.numbers(x, scope)["mlp.hidden"])
        init = "linear" if scope.time else "zeros"
        layers = (
            *_attention(self, stream, scope),
            *entry(self, "mlp", stream, scope),
            *mlp.maps(activation(self.mlp), stream, hidden, heads.has_bias(self, "mlp"), init),
        )
        return Axes(_inputs(self, stream, scope), writes(stream), layers)

    def flops(self, x: Shape, scope: Scope) -> int:
        """Those of the attention sublayers, and the maps of the MLP with their modulation."""
        scope = used(self, scope)
        hidden = self.numbers(x, scope)["mlp.hidden"]
        maps = mlp.flops(activation(self.mlp), x, hidden)
        return _attention_flops(self, x, scope) + maps + _modulation_flops(self, "mlp", scope)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """Those of the attention sublayers; of the MLP the inputs of its maps and activation."""
        scope = used(self, scope)
        hidden = x.positions * self.numbers(x, scope)["mlp.hidden"]
        inner = x.size + (mlp.between(activation(self.mlp)) + 1) * hidden
        return _attention_saved(self, x, scope) + _entry_saved(self, "mlp", x, scope) + inner

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """Those of the attention sublayers; of the MLP the inputs of its maps and activation."""
        scope = used(self, scope)
        attention, entry = _attention_kept(self, x, scope, widths), _entry_kept(self, "mlp", x)
        hidden = widths.maps * x.positions * self.numbers(x, scope)["mlp.hidden"]
        between = mlp.between(activation(self.mlp))
        always = attention.always + entry + max(between, 1) * hidden
        learning = _branch_learning(self, "mlp", x, scope, widths) + widths.maps * x.size
        learning += hidden if between else 0
        return Kept(always, attention.learning + learning, attention.result)

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """Hidden channels of the MLP, and channels of a head that positions rotate."""
        hidden = scope.number("mlp.hidden", activation(self.mlp).hidden(self.width))
        return {"mlp.hidden": hidden, **_rotated(self, scope)}

    def reads(self, scope: Scope) -> tuple[str, ...]:
        """The time embedding, if there is one, and the conditions attended to."""
        return _reads(self, scope)


Attending = Attention | Transformer


def _checked(op: Attending, x: Shape, scope: Scope) -> Shape:
    if op.width != x.width:
        raise OpError(
            f"`{op.call}` keeps its width, but has `width = {op.width}` and an input of {x.width}",
            argument="width",
            code="G205",
            help=f"write `width = {x.width}`, or put `linear({op.width})` before it",
        )
    heads.checked(op, scope)
    require_time(op, scope)
    _require_joint(op, scope)
    for name in op.attend:
        if name != "self" and name not in scope.conditions:
            known = ", ".join(["self", *scope.conditions])
            raise unknown_condition("attend", name, scope, f"attend to: {known}")
        if op.attend.count(name) > 1:
            raise OpError(f"`attend` lists `{name}` twice", argument="attend")
    return x


def _require_joint(op: Attending, scope: Scope) -> None:
    """Raise OpError where `joint` names no condition, or there is no self-attention to join."""
    for name in op.joint:
        if name not in scope.conditions:
            known = ", ".join(scope.conditions)
            raise OpError(
                f"`joint` lists `{name}`, which is not a condition of the model",
                argument="joint",
                code="G208",
                help=f"its conditions: {known}" if known else "remove it",
            )
        if op.joint.count(name) > 1:
            raise OpError(f"`joint` lists `{name}` twice", argument="joint")
    if op.joint and "self" not in op.attend:
        raise OpError(
            "`joint` is of self-attention, and `attend` does not list `self`",
            argument="joint",
            help=f"write `attend = [self, {', '.join(op.attend)}]`, or remove it",
        )
    if op.joint and isinstance(op, Transformer) and op.causal:
        raise OpError(
            "`joint` and `causal = true` exclude each other: conditions have no place in the order",
            argument="causal",
            help=f"remove it, or attend to it apart: `attend = [self, {op.joint[0]}]`",
        )


def _rotated(op: Attending, scope: Scope) -> dict[str, int]:
    """By its name the number of channels of a head that positions rotate, where they do."""
    channels = heads.rotated(op, scope)
    return {heads.ROTATED: channels} if channels else {}


def _reads(op: Attending, scope: Scope) -> tuple[str, ...]:
    time = ("time",) if scope.time is not None and op.modulation != "none" else ()
    return (*time, *(name for name in op.attend if name != "self"), *op.joint)


def _inputs(op: Attending, stream: Space, scope: Scope) -> tuple[Axis, ...]:
    """The axes of what the module is called with; a condition's mask has no channels."""
    axes = [reads(stream)]
    if scope.time is not None:
        axes.append(given(op, stream, scope.time))
    for name in (*op.attend, *op.joint):
        if name != "self":
            axes += [reads(_condition(name, scope)), ()]
    return tuple(axes)


def _joined(op: Attending, name: str, scope: Scope) -> tuple[Shape, ...]:
    """The shapes of what is joined to a sublayer's keys and values."""
    return tuple([scope.conditions[n] for n in op.joint]) if name == "self" else ()


def _condition(name: str, scope: Scope) -> Space:
    return plain(f"condition.{name}", scope.conditions[name].width)


def _attention(op: Attending, stream: Space, scope: Scope) -> tuple[Layer, ...]:
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


def _modulation_flops(op: Attending, branch: str, scope: Scope) -> int:
    if op.modulation == "shared":
        return 0
    return 2 * 3 * op.width * (of_branch(op, branch, scope).time or 0)


def _attention_flops(op: Attending, x: Shape, scope: Scope) -> int:
    """Scores and sums count every pair of tokens; causal attention computes the masked ones too."""
    total, inner, queries = 0, heads_width(op), x.positions
    for name in op.attend:
        other = x if name == "self" else scope.conditions[name]
        joined = _joined(op, name, scope)
        keys = other.positions + sum(one.positions for one in joined)
        read = other.size + sum(one.size for one in joined)
        projections = 2 * queries * op.width * inner + 2 * read * keys_width(op)
        total += 2 * (projections + 2 * queries * keys * inner)
        total += _modulation_flops(op, f"attend.{name}", scope)
    return total


def _entry_saved(op: Attending, branch: str, x: Shape, scope: Scope) -> int:
    """Kept by a sublayer's norm, modulation, gate and dropout."""
    scope, total = of_branch(op, branch, scope), x.size if op.dropout else 0
    if is_normed(op, branch):
        total += x.size + x.positions * (2 if op.norm == "layer" else 1)
        fused = op.norm == "rms" and is_affine(op, scope)  # in plain PyTorch two steps
        total += x.size if fused else 0
    if scope.time is None:
        return total
    time = {"branch": scope.time, "block": scope.time // len(modulated(op))}
    return total + 2 * x.size + 4 * op.width + time.get(op.modulation, 0)


def _attention_saved(op: Attending, x: Shape, scope: Scope) -> int:
    """Inputs of the projections; queries, keys, values, before and after QK-norm; probabilities.

    Probabilities are kept by plain attention, which on CPU serves up to `PLAIN_TOKENS` tokens; the
    fused kernel keeps its output and one scalar per row instead. Where it serves short sequences
    too, as on CUDA, and where RMSNorm is fused, the count is an upper bound.
    """
    total = 0 if op.modulation == "shared" else scope.time or 0
    inner, queries = heads_width(op), x.positions
    for name in op.attend:
        other = x if name == "self" else scope.conditions[name]
        joined = _joined(op, name, scope)
        keys = other.positions + sum(one.positions for one in joined)
        total += sum(one.size for one in joined)
        plain = max(queries, keys) <= PLAIN_TOKENS
        total += _entry_saved(op, f"attend.{name}", x, scope) + x.size + queries * inner
        total += 0 if name == "self" else other.size
        of_keys = keys * keys_width(op)
        total += queries * inner + 2 * of_keys
        total += 2 * (keys * inner - of_keys)
        turned = name == "self" and scope.rope is not None and not (op.qk_norm or plain)
        total += queries * inner + of_keys if turned else 0
        total += op.heads * queries * keys if plain else op.heads * queries + queries * inner
        if op.qk_norm:
            normalised, values = 2 * (queries * inner + of_keys), of_keys if plain else 0
            total += normalised + values + queries * op.heads + keys * heads.key_heads(op)
    return total


def _entry_kept(op: Attending, branch: str, x: Shape) -> int:
    """Kept by a sublayer's norm, in fp32, and by its dropout, a byte for each number."""
    statistics = x.positions * (2 if op.norm == "layer" else 1)
    normed = FP32 * (x.size + statistics) if is_normed(op, branch) else 0
    return normed + (x.size if op.dropout else 0)


def _branch_learning(op: Attending, branch: str, x: Shape, scope: Scope, widths: Widths) -> int:
    """Kept for the gradients of shift, scale and gate: what is scaled and what is let through."""
    scope = of_branch(op, branch, scope)
    if scope.time is None:
        return 0
    vectors = 2 * widths.maps * 2 * op.width
    vectors += (FP32 + widths.maps) * scope.time * (op.modulation != "shared")
    return FP32 * x.size + widths.maps * x.size + vectors


def _attention_kept(op: Attending, x: Shape, scope: Scope, widths: Widths) -> Kept:
    """As `_attention_saved`, of the fused kernel for any length.

    Queries, keys and values are views of one result, which is kept as a whole; QK-norm keeps its
    input in fp32, and attention the normalised ones.
    """
    always = learning = 0
    inner, maps = heads_width(op), widths.maps
    for name in op.attend:
        if name == "self" and op.joint:
            joined = _joined_kept(op, x, scope, widths)
            always, learning = always + joined.always, learning + joined.learning
            continue
        other = x if name == "self" else scope.conditions[name]
        queries, of_keys = x.positions * inner, other.positions * keys_width(op)
        both, turned = queries + of_keys, name == "self" and scope.rope is not None
        repeated = 2 * other.positions * inner if inner > keys_width(op) else 0
        if op.qk_norm:
            cast = 0 if maps == FP32 else FP32 * both
            unused = 0 if maps == FP32 or name == "self" else maps * queries
            unused = maps * (both + of_keys) if repeated and maps != FP32 else unused
            norms = x.positions * op.heads + other.positions * heads.key_heads(op)
            again = queries + repeated if repeated else both
            projected = maps * (both + of_keys + again) + cast - unused + FP32 * norms
        elif repeated:
            projected = maps * (queries + repeated)
            projected += maps * 2 * of_keys if name == "self" and not turned else 0
        else:
            projected = maps * (both + of_keys + (both if turned else 0))
        attended = maps * x.positions * inner + FP32 * op.heads * x.positions
        always += _entry_kept(op, f"attend.{name}", x) + projected + attended
        learning += _branch_learning(op, f"attend.{name}", x, scope, widths) + maps * x.size
        learning += 0 if name == "self" else maps * other.size
    return Kept(always, learning, max(widths.x, maps))


def _joined_kept(op: Attending, x: Shape, scope: Scope, widths: Widths) -> Kept:
    """Of self-attention with keys and values that conditions give, which are copied behind its own.

    The result of `qkv` is kept where queries are a view of it, or their norm reads it in fp32.
    """
    inner, maps, joined = heads_width(op), widths.maps, _joined(op, "self", scope)
    queries, own = x.positions * inner, x.positions * keys_width(op)
    count = sum(one.positions for one in joined)
    theirs = count * keys_width(op)
    shared = inner > keys_width(op)
    attended = (x.positions + count) * inner if shared else own + theirs
    copied, learning = maps * 2 * attended, maps * sum(one.size for one in joined)
    if op.qk_norm:
        keys = heads.key_heads(op)
        copied += maps * queries + FP32 * x.positions * (op.heads + keys)
        copied += FP32 * (queries + 2 * own) if maps == FP32 else FP32 * (queries + own)
        learning += FP32 * ((2 if maps == FP32 else 1) * theirs + count * keys)
    else:
        copied += maps * (queries if scope.rope else queries + 2 * own)
    result = maps * queries + FP32 * op.heads * x.positions
    always = _entry_kept(op, "attend.self", x) + copied + result
    learning += _branch_learning(op, "attend.self", x, scope, widths) + maps * x.size
    return Kept(always, learning, maps)
