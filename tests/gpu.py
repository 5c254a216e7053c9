"""What autograd would keep on a GPU, counted on the CPU: kernels and casts are chosen as there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from growlang.torch_backend import attention

MAPS = {"linear", "conv2d", "matmul", "scaled_dot_product_attention"}
NORMS = {"layer_norm", "group_norm", "interpolate"}
"""The functions of `growlang.torch_backend` in the lists of CUDA's autocast
(https://docs.pytorch.org/docs/stable/amp.html): to bf16, and to fp32."""


class FusedRMSNorm(torch.autograd.Function):
    """RMSNorm in fp32 that keeps its input, its weight and a number for each token."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
        """The norm, times the weight."""
        scale = x.float().square().mean(-1, keepdim=True).add(eps).rsqrt()
        ctx.save_for_backward(x, weight, scale)
        normed = x.float() * scale
        return normed if weight is None else normed * weight

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """The gradients of the input and of the weight."""
        x, weight, scale = ctx.saved_tensors
        (given,) = gradients
        normed, scaled = x * scale, given if weight is None else given * weight
        inner = scaled - normed * (scaled * normed).mean(-1, keepdim=True)
        own = None if weight is None else (given * normed).flatten(0, -2).sum(0)
        return inner * scale, own, None


def rms_norm(x: Tensor, shape: object, weight: Tensor | None = None, eps: float = 0.0) -> Tensor:
    """As `torch.nn.functional.rms_norm`."""
    out: Tensor = FusedRMSNorm.apply(x.float(), weight, eps)  # type: ignore[no-untyped-call]
    return out


def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """As `torch.nn.functional.dropout`; keeps a mask of bytes."""
    return torch.native_dropout(x, p, True)[0] if training and p else x


FUSED: dict[str, Callable[..., Tensor]] = {"rms_norm": rms_norm, "dropout": dropout}
"""Functions whose kernels on a GPU keep less."""


class OnGPU(TorchFunctionMode):
    """Functions take, give and keep what they do on a GPU under bf16 autocast, or in fp32.

    `casts` are the bf16 copies of the weights, of which autocast's cache keeps those that learn.
    """

    def __init__(self, bf16: bool, casts: dict[int, Tensor] | None = None) -> None:
        super().__init__()
        self.bf16 = bf16
        self.casts: dict[int, Tensor] = {} if casts is None else casts

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Cast what is given."""
        given, name = dict(kwargs or {}), getattr(func, "__name__", "")
        if name in FUSED:
            return FUSED[name](*args, **given)
        if self.bf16 and name in MAPS | NORMS:
            dtype = torch.bfloat16 if name in MAPS else torch.float32
            args = tuple(self._cast(a, dtype) for a in args)
            given = {key: self._cast(value, dtype) for key, value in given.items()}
        return func(*args, **given)

    def _cast(self, value: Any, dtype: torch.dtype) -> Any:
        if not (isinstance(value, Tensor) and value.is_floating_point()):
            return value
        if value.dtype == dtype:
            return value
        if not isinstance(value, torch.nn.Parameter):
            return value.to(dtype)
        if id(value) not in self.casts or not value.requires_grad:
            self.casts[id(value)] = value.to(dtype)
        return self.casts[id(value)]


class Saved:
    """Bytes that autograd keeps, each storage once; those of `parameters` are left out."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self._parameters = [*parameters]
        self.storages: dict[int, torch.UntypedStorage] = {}

    def pack(self, tensor: Tensor) -> Tensor:
        """Count a tensor."""
        storage = tensor.untyped_storage()
        self.storages[storage.data_ptr()] = storage
        return tensor

    def bytes(self, casts: Iterable[Tensor] = ()) -> tuple[int, int]:
        """Of activations, and of the copies of weights among them."""
        own = {p.untyped_storage().data_ptr() for p in self._parameters}
        copies = {c.untyped_storage().data_ptr(): c for c in casts}
        kept = {at: s.nbytes() for at, s in self.storages.items() if at not in own}
        copied = sum(size for at, size in kept.items() if at in copies)
        return sum(kept.values()) - copied, copied


def kept(
    compute: Callable[[], Tensor], parameters: Iterable[Tensor], *, bf16: bool
) -> tuple[int, int]:
    """Bytes of activations, and of bf16 copies of weights, that a GPU keeps for the backward pass.

    Attention is the fused kernel's, whatever the length.
    """
    saved, mode = Saved(parameters), OnGPU(bf16)
    with ExitStack() as entered, pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "PLAIN_TOKENS", 0)
        entered.enter_context(torch.autograd.graph.saved_tensors_hooks(saved.pack, lambda t: t))
        entered.enter_context(mode)
        out = compute()
    assert out.requires_grad
    return saved.bytes(mode.casts.values())
