"""What an op says that it keeps on a GPU, against what autograd keeps there (tests/gpu.py)."""

from __future__ import annotations

import pytest
import torch
from gpu import kept
from test_modules import WITH_TENSORS, drawn, inputs, some_calls
from torch import Tensor, nn

from growlang.net import Scope, Shape
from growlang.ops import Op
from growlang.ops.kept import FP32, Widths

OF_IMAGES = tuple(name for name in WITH_TENSORS if name not in ("embed", "unembed"))
"""Models of tokens are not trained."""
CALLS, BATCH = 10, 3


def given(op: Op, x: Shape, scope: Scope, width: int, maps: int) -> list[Tensor]:
    """Inputs whose first has numbers of `width` bytes, and a gradient."""
    first, *rest = inputs(op, x, scope, batch=BATCH, device="cpu")
    if not first.is_floating_point() or x.kind == "vector":
        return [first, *rest]
    dtype = torch.float32 if width == FP32 else torch.bfloat16
    if maps != FP32 and getattr(op, "modulation", "") == "shared":
        rest[0] = rest[0].bfloat16()  # what a map gives
    return [first.to(dtype).requires_grad_(), *rest]


def kept_by(module: nn.Module, values: list[Tensor], *, bf16: bool) -> tuple[Tensor, int]:
    """The result of a module, and the bytes of its activations."""
    results: list[Tensor] = []

    def compute() -> Tensor:
        results.append(module(*values))
        return results[0]

    activations, _ = kept(compute, module.parameters(), bf16=bf16)
    return results[0], activations


@pytest.mark.parametrize("widths", [Widths(4, 4), Widths(4, 2), Widths(2, 2)], ids=str)
@pytest.mark.parametrize("learns", [True, False], ids=["learns", "frozen"])
@pytest.mark.parametrize("name", OF_IMAGES)
def test_an_op_keeps_what_autograd_keeps(name: str, learns: bool, widths: Widths) -> None:
    """Within 8 %, and a few small vectors."""
    for op, x, scope in some_calls(name)[:CALLS]:
        module = drawn(op, x, scope, fresh=False).train().requires_grad_(learns)
        values = given(op, x, scope, widths.x, widths.maps)
        if not learns and not values[0].requires_grad:
            continue
        if learns:
            values = [v.requires_grad_(v.is_floating_point() and v.dim() > 1) for v in values]
        if not any(v.requires_grad for v in (*values, *module.parameters())):
            continue  # waves, of which nothing is learned
        result, found = kept_by(module, values, bf16=widths.maps != FP32)
        said = op.kept(x, scope, widths)
        size = said.always + (said.learning if learns else 0)
        assert size == pytest.approx(found / BATCH, rel=0.08, abs=150), op
        assert said.result == result.element_size(), op
