"""The MLP of a transformer: its maps, and what they cost; gated or not."""

from growlang.net import Shape
from growlang.net.axes import Layer, Space, normalised, reads, writes
from growlang.ops.activations import Activation, Relu
from growlang.ops.layers import linear


def maps(act: Activation, stream: Space, hidden: Space, init: str) -> tuple[Layer, ...]:
    """`mlp.up` (hidden, width), `mlp.down` (width, hidden); gated, `mlp.gate` before both.

    Gate and up write the same hidden channels, so they grow together; `init` is that of `down`.
    """
    x, names = normalised(stream), ("mlp.gate", "mlp.up") if act.is_gated else ("mlp.up",)
    into = [linear(name, writes(hidden), x, branch="mlp") for name in names]
    out = linear("mlp.down", writes(stream), reads(hidden), init=init, branch="mlp", place="last")
    return (*into, out)


def flops(act: Activation, x: Shape, hidden: int) -> int:
    """Two maps, of a gated MLP three."""
    return 2 * (2 + act.is_gated) * x.size * hidden


def between(act: Activation) -> int:
    """Values kept of each hidden channel beside the input of `down`.

    That of the activation; gated, also what it gives and what that is multiplied by. Of a ReLU its
    result says as much.
    """
    return 3 if act.is_gated else 0 if isinstance(act, Relu) else 1
