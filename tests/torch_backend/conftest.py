"""A small U-Net with words, time, one stage and a core, written node by node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from growlang.diagnostics import Span
from growlang.net import Component, Input, Net, Node, Shape, Tensor, grid
from growlang.ops import Scope, op_of

TEXT = Shape("ids", (5,))
INPUTS = (
    Input("image", "image", grid(3, 16, 16)),
    Input("log_snr", "log_snr", Shape("vector", ())),
    Input("text.ids", "ids", TEXT, "text"),
    Input("text.mask", "mask", TEXT, "text"),
)
BLOCK = {"width": 24, "heads": 3, "attend": ["self", "text"]}
ROWS: tuple[tuple[str, str, dict[str, Any], tuple[str, ...]], ...] = (
    ("text", "words", {"width": 12, "tokens": 5, "vocabulary": 50}, ("text.ids",)),
    ("time", "fourier", {"width": 16}, ("log_snr",)),
    ("stem.patch.0", "patch", {"factor": 2, "width": 8}, ("image",)),
    ("stage.8.encode.residual.0", "residual", {"width": 8}, ("stem.patch.0", "time")),
    ("stage.8.encode.down", "down", {"width": 24}, ("stage.8.encode.residual.0",)),
    ("core.tokens", "tokens", {}, ("stage.8.encode.down",)),
    ("core", "position", {"kind": "learned"}, ("core.tokens",)),
    ("core.transformer.0", "transformer", BLOCK, ("core", "time", "text", "text.mask")),
    (
        "core.transformer.1",
        "transformer",
        BLOCK,
        ("core.transformer.0", "time", "text", "text.mask"),
    ),
    ("core.grid", "grid", {"height": 4, "width": 4}, ("core.transformer.1",)),
    ("stage.8.decode.up", "up", {"width": 8}, ("core.grid",)),
    (
        "stage.8.decode.concat.0",
        "concat",
        {"skip": 8},
        ("stage.8.decode.up", "stage.8.encode.residual.0"),
    ),
    ("stage.8.decode.residual.0", "residual", {"width": 8}, ("stage.8.decode.concat.0", "time")),
    ("head.unpatch.0", "unpatch", {"factor": 2}, ("stage.8.decode.residual.0",)),
)


def small_net(position: dict[str, Any] | None = None) -> Net:
    """The U-Net as a Net; `position` replaces the arguments of its position embedding."""
    shapes = {i.name: i.shape for i in INPUTS}
    nodes: list[Node] = []
    for row, (path, op_name, args, inputs) in enumerate(ROWS, start=10):
        if op_name == "position" and position:
            args = position
        op = op_of(op_name).model_validate(args)
        x, scope = shapes[inputs[0]], Scope(16 if "time" in inputs else None, {}, 3)
        if "text" in inputs:
            scope = Scope(16, {"text": shapes["text"]}, 3)
        shapes[path] = op.output(x, scope)
        tensors = tuple(
            Tensor(f"{path}.{t.name}", t.shape, t.init, t.decay) for t in op.tensors(x, scope)
        )
        span = Span("specs/small.grow", row, 3, row, 20)
        nodes.append(
            Node(
                path,
                path.split(".")[0],
                op_name,
                op.arguments(),
                inputs,
                shapes[path],
                tensors,
                op.flops(x, scope),
                op.saved_activations(x, scope),
                span,
                scope,
            )
        )
    components = (Component("core", shapes["core"]),)
    return Net("small", INPUTS, tuple(nodes), components, nodes[-1].path)


@pytest.fixture(scope="session")
def net() -> Net:
    """The small U-Net."""
    return small_net()


@pytest.fixture(scope="session")
def net_with_position() -> Callable[[dict[str, Any]], Net]:
    """The small U-Net with other arguments of its position embedding."""
    return small_net
