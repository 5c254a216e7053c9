"""What attention and the transformer block cost: operations, and what the backward pass keeps."""

from __future__ import annotations

from typing import Protocol

from growlang.net import Scope, Shape
from growlang.ops import heads
from growlang.ops.heads import heads_width, keys_width
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.modulation import Modulated, is_affine, is_normed, modulated, of_branch

PLAIN_TOKENS = 256
"""Longest sequence for which attention is matmul, softmax, matmul on CPU, where that is faster."""


class Attending(Modulated, Protocol):
    """An op with sublayers of attention."""

    @property
    def dropout(self) -> float:
        """Of what each sublayer adds to the stream."""

    @property
    def joint(self) -> list[str]:
        """Conditions whose keys and values self-attention has too."""


def _joined(op: Attending, name: str, scope: Scope) -> tuple[Shape, ...]:
    """The shapes of what is joined to a sublayer's keys and values."""
    return tuple([scope.conditions[n] for n in op.joint]) if name == "self" else ()


def modulation_flops(op: Attending, branch: str, scope: Scope) -> int:
    """Of the map of the time that modulates a sublayer; one for all blocks is counted once."""
    if op.modulation == "shared":
        return 0
    return 2 * 3 * op.width * (of_branch(op, branch, scope).time or 0)


def attention_flops(op: Attending, x: Shape, scope: Scope) -> int:
    """Scores and sums count every pair of tokens; causal attention computes the masked ones too."""
    total, inner, queries = 0, heads_width(op), x.positions
    for name in op.attend:
        other = x if name == "self" else scope.conditions[name]
        joined = _joined(op, name, scope)
        keys = other.positions + sum(one.positions for one in joined)
        read = other.size + sum(one.size for one in joined)
        projections = 2 * queries * op.width * inner + 2 * read * keys_width(op)
        total += 2 * (projections + 2 * queries * keys * inner)
        total += modulation_flops(op, f"attend.{name}", scope)
    return total


def entry_saved(op: Attending, branch: str, x: Shape, scope: Scope) -> int:
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


def attention_saved(op: Attending, x: Shape, scope: Scope) -> int:
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
        total += entry_saved(op, f"attend.{name}", x, scope) + x.size + queries * inner
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


def entry_kept(op: Attending, branch: str, x: Shape) -> int:
    """Kept by a sublayer's norm, in fp32, and by its dropout, a byte for each number."""
    statistics = x.positions * (2 if op.norm == "layer" else 1)
    normed = FP32 * (x.size + statistics) if is_normed(op, branch) else 0
    return normed + (x.size if op.dropout else 0)


def branch_learning(op: Attending, branch: str, x: Shape, scope: Scope, widths: Widths) -> int:
    """Kept for the gradients of shift, scale and gate: what is scaled and what is let through."""
    scope = of_branch(op, branch, scope)
    if scope.time is None:
        return 0
    vectors = 2 * widths.maps * 2 * op.width
    vectors += (FP32 + widths.maps) * scope.time * (op.modulation != "shared")
    return FP32 * x.size + widths.maps * x.size + vectors


def attention_kept(op: Attending, x: Shape, scope: Scope, widths: Widths) -> Kept:
    """As `attention_saved`, of the fused kernel for any length.

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
        always += entry_kept(op, f"attend.{name}", x) + projected + attended
        learning += branch_learning(op, f"attend.{name}", x, scope, widths) + maps * x.size
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
    always = entry_kept(op, "attend.self", x) + copied + result
    learning += branch_learning(op, "attend.self", x, scope, widths) + maps * x.size
    return Kept(always, learning, maps)
