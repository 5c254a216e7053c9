"""The heads of attention: their spaces, the maps that they need, and what is rotated of them."""

from collections.abc import Mapping
from math import prod
from typing import Annotated, Literal, NamedTuple, Protocol

from pydantic import Field

from growlang.net import Scope
from growlang.net.axes import Axis, Layer, Role, Space, Symmetry, axis, reads, writes
from growlang.ops.base import OpError
from growlang.ops.layers import linear, norm, plain, token_wise
from growlang.signatures.canonical import Later
from growlang.signatures.signature import Conditions

HeadWidth = Annotated[Annotated[int, Field(ge=1)] | None, Later()]
KeyHeads = Annotated[Annotated[int, Field(ge=1)] | None, Later()]
Joint = Annotated[list[str], Conditions(itself=False), Later()]
Part = Literal["qkv", "out", "mlp", "norm"]
Biases = Annotated[bool | list[Part], Later()]
ROTATED = "attend.self.rotated"
"""The number of the channels of a head that positions rotate."""


class WithHeads(Protocol):
    """What of an op says what its heads are."""

    @property
    def width(self) -> int:
        """Channels of the stream."""

    @property
    def heads(self) -> int:
        """Heads of queries."""

    @property
    def head_width(self) -> int | None:
        """Channels of a head, where they are said."""

    @property
    def kv_heads(self) -> int | None:
        """Heads of keys and values, where they are said."""

    @property
    def qk_norm(self) -> bool:
        """Whether queries and keys are normalised."""

    @property
    def bias(self) -> bool | list[Part]:
        """Which maps and norms have one."""

    @property
    def attend(self) -> list[str]:
        """What each sublayer attends to."""


def head_width(op: WithHeads) -> int:
    """Channels of a head."""
    return op.head_width or op.width // op.heads


def heads_width(op: WithHeads) -> int:
    """Channels of all heads together, which `out` maps to the width."""
    return op.heads * head_width(op)


def key_heads(op: WithHeads) -> int:
    """Heads of keys and values."""
    return op.kv_heads or op.heads


def keys_width(op: WithHeads) -> int:
    """Channels of all keys together, and of all values."""
    return key_heads(op) * head_width(op)


def has_bias(op: WithHeads, part: Part) -> bool:
    """Whether maps or norms of a part have one."""
    return part in op.bias if isinstance(op.bias, list) else op.bias


def checked(op: WithHeads, scope: Scope) -> None:
    """Raise OpError if the heads do not divide what they have to."""
    if op.head_width is None and op.width % op.heads:
        divisors = ", ".join(str(n) for n in range(1, 129) if op.width % n == 0)
        raise OpError(
            f"{op.heads} heads do not divide width {op.width}",
            argument="heads",
            code="G207",
            help=f"choose one of {divisors}, or a width that {op.heads} divides; or say how many "
            f"channels a head has: `head_width = {max(1, op.width // op.heads)}`",
        )
    if op.kv_heads and op.heads % op.kv_heads:
        divisors = ", ".join(str(n) for n in range(1, op.heads + 1) if op.heads % n == 0)
        raise OpError(
            f"{op.kv_heads} heads of keys and values do not divide {op.heads} heads",
            argument="kv_heads",
            code="G207",
            help=f"choose one of {divisors}: each serves equally many heads of queries",
        )
    rope = scope.rope
    if rope and "self" in op.attend and rotated(op, scope) % (2 * len(rope.sides)):
        each = "pairs" if len(rope.sides) == 1 else "pairs for rows and as many for columns"
        raise OpError(
            f"`position = rope` rotates channels in {each}, and a head has {head_width(op)}",
            argument="head_width" if op.head_width else "heads",
            help=f"choose heads of a multiple of {2 * len(rope.sides)} channels",
        )


def rotated(op: WithHeads, scope: Scope) -> int:
    """Channels of a head of self-attention that `rope` rotates: all, but where it has grown."""
    return scope.number(ROTATED, head_width(op)) if scope.rope and "self" in op.attend else 0


class Heads(NamedTuple):
    """The spaces of the heads of a sublayer."""

    keys: Space
    """Heads of keys and values."""
    group: tuple[Space, ...]
    """The heads of queries that one of them serves, where `kv_heads` says how many there are."""
    head: Space
    """Channels of a head."""

    @property
    def queries(self) -> tuple[Space, ...]:
        """The factors of queries, and of what is put together."""
        return (self.keys, *self.group, self.head)


def spaces(op: WithHeads, branch: str, is_rotated: bool) -> Heads:
    """The heads of a sublayer, and the channels of each, the same for queries, keys and values.

    Without QK-norm a factor of a query's channel and its inverse of the key's leave the scores;
    channels that positions rotate have a meaning each.
    """
    of_keys, width = key_heads(op), head_width(op)
    heads, head = Space(f"{branch}.heads", of_keys), plain(f"{branch}.head", width)
    if op.qk_norm:
        head = token_wise(f"{branch}.head", width, "rms")
    elif not is_rotated:
        heads = plain(f"{branch}.heads", of_keys)
    if is_rotated:
        head = head._replace(symmetry=Symmetry.FIXED)
    if op.kv_heads is None:
        return Heads(heads, (), head)
    return Heads(heads, (Space(f"{branch}.group", op.heads // of_keys),), head)


def maps(
    op: WithHeads,
    name: str,
    stream: Space,
    x: Axis,
    other: Axis | None,
    joint: Mapping[str, Axis],
    is_rotated: bool,
    init: str,
) -> tuple[Layer, ...]:
    """`qkv` of x, or `q` and `kv` of another value; `q_norm`, `k_norm`; `out`, begun as `init`.

    Behind `qkv` come `joint.NAME`, whose keys and values of conditions join those of x.

    Queries are (heads of keys, heads that share one, channels), keys and values (heads, channels).
    """
    branch = f"attend.{name}"
    heads = spaces(op, branch, is_rotated)
    query = axis(Role.QUERY, *heads.queries)
    key, value = (axis(r, heads.keys, heads.head) for r in (Role.KEY, Role.VALUE))
    bias, layers = has_bias(op, "qkv"), list[Layer]()
    if other is None:
        rows = query + key + value
        layers.append(linear(f"{branch}.qkv", rows, x, bias=bias, branch=branch))
    else:
        layers.append(linear(f"{branch}.q", query, x, bias=bias, branch=branch))
        layers.append(linear(f"{branch}.kv", key + value, other, bias=bias, branch=branch))
    for name_, tokens in joint.items():
        place = f"{branch}.joint.{name_}"
        layers.append(linear(place, key + value, tokens, bias=bias, branch=branch))
    if op.qk_norm:
        for place, role in (("q_norm", Role.QUERY_NORM), ("k_norm", Role.KEY_NORM)):
            layers.append(
                norm(f"{branch}.{place}", heads.head, role=role, shift=False, branch=branch)
            )
    out = linear(
        f"{branch}.out",
        writes(stream),
        reads(*heads.queries),
        init=init,
        bias=has_bias(op, "out"),
        branch=branch,
        place="last",
    )
    return (*layers, out)


def count(factors: tuple[Space | int, ...]) -> int:
    """How many heads there are of queries whose factors these are, the channels of a head last."""
    return prod(f.size if isinstance(f, Space) else f for f in factors[:-1])
