"""Modules of the ops on tokens. Values are (B, length, width); masks (B, length), True = valid."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growlang.net import Shape
from growlang.ops import Scope, attention, heads
from growlang.ops.activations import activation
from growlang.ops.attention import Attending
from growlang.ops.attention_cost import PLAIN_TOKENS
from growlang.ops.modulation import is_affine, is_normed, modulated, of_branch, used
from growlang.torch_backend.layers import Device, LayerNorm, Linear, RMSNorm
from growlang.torch_backend.registration import builds
from growlang.torch_backend.rotary import Turn, rotate


def attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, causal: bool = False
) -> Tensor:
    """softmax(q k^T / sqrt(head)) v over (B, heads, length, head); `mask` is (B, length of k).

    Of fewer keys and values each serves as many heads of queries, one after the other.
    On CPU the backward of the fused kernel is slow: short sequences go through plain matmuls.
    """
    allowed = None if mask is None else mask[:, None, None, :]
    if (shared := q.shape[1] // k.shape[1]) > 1:
        k, v = k.repeat_interleave(shared, dim=1), v.repeat_interleave(shared, dim=1)
    if q.device.type != "cpu" or max(q.shape[2], k.shape[2]) > PLAIN_TOKENS:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, is_causal=causal)
    scores = (q / sqrt(q.shape[-1])) @ k.transpose(-1, -2)
    if causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).tril()
    if allowed is not None:
        scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    wide = torch.promote_types(scores.dtype, torch.float32)
    return scores.softmax(dim=-1, dtype=wide).to(v.dtype) @ v


def _norm(op: Attending, scope: Scope, device: Device) -> nn.Module:
    if op.norm == "rms":
        return RMSNorm(op.width, eps=scope.eps, device=device)
    bias = heads.has_bias(op, "norm")
    return LayerNorm(op.width, eps=scope.eps, bias=bias, device=device)


class Branch(nn.Module):
    """The frame of a sublayer: x + gate * dropout(branch(norm(x) * (1 + scale) + shift)).

    (shift, scale, gate) are a linear map of SiLU(time), as in DiT (arXiv 2212.09748, adaLN-Zero),
    of the sublayer's own or of the block; without time there is no gate, and the norm is affine.
    """

    def __init__(self, op: Attending, branch: str, scope: Scope, device: Device) -> None:
        super().__init__()
        self.width, self.kind, self.dropout = op.width, op.norm, op.dropout
        self.eps = scope.eps
        self.modulation = None
        if scope.time and op.modulation == "branch":
            self.modulation = Linear(scope.time, 3 * op.width, device=device)
        self.is_normed = is_normed(op, branch)
        affine = self.is_normed and is_affine(op, scope)
        self.norm = _norm(op, scope, device) if affine else None

    def branch(self, x: Tensor, *others: Tensor) -> Tensor:
        """What the sublayer computes; `others` are a condition's tokens and mask."""
        raise NotImplementedError

    def normalised(self, x: Tensor) -> Tensor:
        """The norm, if there is one, with a scale of its own where it has one."""
        if not self.is_normed:
            return x
        if self.norm is not None:
            affine: Tensor = self.norm(x)
            return affine
        if self.kind == "layer":
            return F.layer_norm(x, (self.width,), eps=self.eps)
        rms: Tensor = F.rms_norm(x, (self.width,), eps=self.eps)
        return rms

    def forward(self, x: Tensor, time: Tensor | None, *others: Tensor) -> Tensor:
        """(B, length, width) -> the same.

        `time` is the embedding or, where one map modulates the block, what it gives the sublayer.
        """
        h = self.normalised(x)
        if time is None:
            return x + F.dropout(self.branch(h, *others), self.dropout, self.training)
        rows: Tensor = time if self.modulation is None else self.modulation(F.silu(time))
        shift, scale, gate = rows[:, None, :].chunk(3, dim=-1)
        h = self.branch(h * (1 + scale) + shift, *others)
        return x + gate * F.dropout(h, self.dropout, self.training)


class Heads(Branch):
    """Base of the two kinds of attention: QK-norm, heads and the output projection.

    `inner` are the channels of all heads together.
    """

    def __init__(self, op: Attending, branch: str, scope: Scope, device: Device) -> None:
        super().__init__(op, branch, scope, device)
        self.rotated = heads.rotated(op, scope)
        self.head, self.heads, self.of_keys = heads.head_width(op), op.heads, heads.key_heads(op)
        self.q_norm = RMSNorm(self.head, eps=scope.eps, device=device) if op.qk_norm else None
        self.k_norm = RMSNorm(self.head, eps=scope.eps, device=device) if op.qk_norm else None
        self.inner = heads.heads_width(op)
        bias = heads.has_bias(op, "out")
        self.out = Linear(self.inner, op.width, bias=bias, device=device)

    def split(self, x: Tensor, *counts: int) -> tuple[Tensor, ...]:
        """(B, length, all heads * head) -> of each number of heads (B, heads, length, head)."""
        parts = torch.split(x, [count * self.head for count in counts], dim=-1)
        return tuple([p.reshape(*p.shape[:2], -1, self.head).transpose(1, 2) for p in parts])

    def attended(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None = None,
        causal: bool = False,
        rope: Turn | None = None,
        joint: tuple[tuple[Tensor, Tensor], ...] = (),
    ) -> Tensor:
        """Attention over the heads, put together and projected: (B, length, width).

        `joint` are keys and values that join those that positions turn; `mask` is of all.
        """
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        if rope is not None:
            q, k = rotate(q, k, rope, self.rotated)
        if joint:
            keys = [key if self.k_norm is None else self.k_norm(key) for key, _ in joint]
            k, v = torch.cat([k, *keys], 2), torch.cat([v, *[value for _, value in joint]], 2)
        merged = attend(q, k, v, mask, causal).transpose(1, 2).flatten(2)
        projected: Tensor = self.out(merged)
        return projected


class SelfAttention(Heads):
    """Attention of tokens to each other, or with `causal` to earlier ones and themselves."""

    def __init__(self, op: Attending, scope: Scope, device: Device) -> None:
        super().__init__(op, "attend.self", scope, device)
        self.causal = op.is_causal
        rope = scope.rope
        self.rope: Turn | None = (rope.theta, rope.sides, rope.skipped) if rope else None
        rows, bias = self.inner + 2 * heads.keys_width(op), heads.has_bias(op, "qkv")
        self.qkv = Linear(op.width, rows, bias=bias, device=device)
        self.names = tuple(op.joint)
        if op.joint:
            keys, widths = (
                2 * heads.keys_width(op),
                {n: scope.conditions[n].width for n in op.joint},
            )
            maps = {n: Linear(width, keys, bias=bias, device=device) for n, width in widths.items()}
            self.joint = nn.ModuleDict(maps)

    def branch(self, x: Tensor, *others: Tensor | None) -> Tensor:
        """(B, length, width), and tokens and mask of each condition that joins -> the same."""
        q, k, v = self.split(self.qkv(x), self.heads, self.of_keys, self.of_keys)
        joint: list[tuple[Tensor, Tensor]] = []  # which torch.compile traces
        masks: list[Tensor | None] = []
        for at, name in enumerate(self.names):
            tokens, mask = others[2 * at : 2 * at + 2]
            key, value = self.split(self.joint[name](tokens), self.of_keys, self.of_keys)
            joint.append((key, value))
            masks.append(mask)
        allowed = joined_mask(x, joint, masks)
        return self.attended(q, k, v, allowed, self.causal, self.rope, tuple(joint))


def joined_mask(
    x: Tensor, joint: Sequence[tuple[Tensor, Tensor]], masks: Sequence[Tensor | None]
) -> Tensor | None:
    """Which keys are valid, (B, all of them), those of x first; None where all are."""
    if all(mask is None for mask in masks):
        return None
    parts = [torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)]
    for (key, _), mask in zip(joint, masks, strict=True):
        whole = torch.ones(len(x), key.shape[2], dtype=torch.bool, device=x.device)
        parts.append(whole if mask is None else mask)
    return torch.cat(parts, dim=1)


class CrossAttention(Heads):
    """Attention of tokens to the tokens of a condition."""

    def __init__(self, op: Attending, name: str, scope: Scope, device: Device) -> None:
        super().__init__(op, f"attend.{name}", scope, device)
        bias, condition = heads.has_bias(op, "qkv"), scope.conditions[name].width
        self.q = Linear(op.width, self.inner, bias=bias, device=device)
        self.kv = Linear(condition, 2 * heads.keys_width(op), bias=bias, device=device)

    def branch(self, x: Tensor, *others: Tensor) -> Tensor:
        """(B, length, width), (B, other, width'), (B, other) -> (B, length, width)."""
        condition, mask = others
        (q,) = self.split(self.q(x), self.heads)
        k, v = self.split(self.kv(condition), self.of_keys, self.of_keys)
        return self.attended(q, k, v, mask)


class MLP(Branch):
    """Linear, activation, linear; gated, the activation of a map times another."""

    def __init__(
        self, op: attention.Transformer, hidden: int, scope: Scope, device: Device
    ) -> None:
        super().__init__(op, "mlp", scope, device)
        act = activation(op.mlp)
        self.activation = act.call
        bias = heads.has_bias(op, "mlp")
        self.gate = Linear(op.width, hidden, bias=bias, device=device) if act.is_gated else None
        self.up = Linear(op.width, hidden, bias=bias, device=device)
        self.down = Linear(hidden, op.width, bias=bias, device=device)

    def branch(self, x: Tensor, *others: Tensor) -> Tensor:
        """(B, length, width) -> the same."""
        h = self.act(self.up(x)) if self.gate is None else self.act(self.gate(x)) * self.up(x)
        out: Tensor = self.down(h)
        return out

    def act(self, h: Tensor) -> Tensor:
        """What is computed of the hidden channels, or of the gate."""
        if self.activation == "relu":
            return F.relu(h)
        if self.activation == "swiglu":
            return F.silu(h)
        return F.gelu(h, approximate="tanh" if self.activation == "gelu_tanh" else "none")


@builds("attention")
class Attention(nn.Module):
    """The sublayers of `attend`, in order: (B, length, width) -> the same."""

    def __init__(self, op: Attending, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__()
        scope = used(op, scope)
        self.timed, self.count = scope.time is not None, len(modulated(op))
        self.sublayers = tuple(branch in modulated(op) for branch in op.branches)
        rows, self.modulation = 3 * self.count * op.width, None
        if scope.time and op.modulation == "block":
            self.modulation = Linear(scope.time, rows, device=device)
        self.is_shared = scope.time is not None and op.modulation == "shared"
        if self.is_shared:
            self.table = nn.Parameter(torch.empty(rows, 1, device=device))
        self.attend = nn.ModuleDict()
        for name in op.attend:
            own = of_branch(op, f"attend.{name}", scope)
            self.attend[name] = (
                SelfAttention(op, own, device)
                if name == "self"
                else CrossAttention(op, name, own, device)
            )

    def forward(self, x: Tensor, *reads: Tensor) -> Tensor:
        """Called with x, then time (B, width) if any, then tokens and mask of each condition."""
        return self.attended(x, self.modulations(reads), reads[self.timed :])

    def modulations(self, reads: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
        """What each sublayer is given of the time, in order; None where that modulates nothing."""
        if not self.timed:
            return (None,) * len(self.sublayers)
        parts: tuple[Tensor, ...] = (reads[0],) * self.count
        if self.is_shared:
            rows = (reads[0] + self.table[:, 0]).to(reads[0].dtype)
            parts = rows.chunk(self.count, dim=-1)
        elif self.modulation is not None:
            parts = self.modulation(F.silu(reads[0])).chunk(self.count, dim=-1)
        following = iter(parts)
        return tuple([next(following) if has else None for has in self.sublayers])

    def attended(
        self, x: Tensor, times: tuple[Tensor | None, ...], others: tuple[Tensor, ...]
    ) -> Tensor:
        """The sublayers of `attend`, in order."""
        joint = others[2 * (len(self.attend) - ("self" in self.attend)) :]
        for (name, sublayer), time in zip(self.attend.items(), times, strict=False):
            if name == "self":
                x = sublayer(x, time, *joint)
            else:
                x, others = sublayer(x, time, *others[:2]), others[2:]
        return x


@builds("transformer")
class Transformer(Attention):
    """The sublayers of `attend`, then the MLP."""

    def __init__(self, op: attention.Transformer, x: Shape, scope: Scope, device: Device) -> None:
        super().__init__(op, x, scope, device)
        self.mlp = MLP(op, op.numbers(x, scope)["mlp.hidden"], used(op, scope), device)

    def forward(self, x: Tensor, *reads: Tensor) -> Tensor:
        """As `Attention.forward`."""
        times = self.modulations(reads)
        x = self.attended(x, times, reads[self.timed :])
        out: Tensor = self.mlp(x, times[-1])
        return out
