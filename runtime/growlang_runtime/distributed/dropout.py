"""Dropout whose masks are those of the whole batch, whatever process an image is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from growlang_runtime.distributed.ranks import Ranks


class Masks(NamedTuple):
    """Where the images of a pass are in the batch of a step."""

    seed: int
    batch: int
    first: int


_MASKS: ContextVar[Masks | None] = ContextVar("_MASKS", default=None)
"""Those of the pass that is under way."""


class _Dropping(TorchFunctionMode):
    """Computes dropout as one process does on the CPU that passes the whole batch at once."""

    def __init__(self, masks: Masks) -> None:
        super().__init__()
        self.masks = masks

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        if func is functional.dropout:
            return self._dropped(*args, **given)
        return func(*args, **given)

    def _dropped(
        self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        if not training or not 0 < p < 1 or len(x) > self.masks.batch - self.masks.first:
            return functional.dropout(x, p, training, inplace)
        kept = torch.empty((self.masks.batch, *x.shape[1:]), dtype=x.dtype, device=x.device)
        kept.bernoulli_(1 - p).div_(1 - p)
        return x * kept[self.masks.first : self.masks.first + len(x)]


@contextmanager
def dropping(ranks: Ranks, masks: Masks) -> Iterator[None]:
    """Let several processes drop what one would in the same images; alone it draws as ever.

    Each process draws the masks of the whole batch, and takes those of its own images.
    """
    if ranks.size == 1:
        yield
        return
    torch.manual_seed(masks.seed)
    before = _MASKS.set(masks)
    try:
        with cast(Any, _Dropping(masks)):
            yield
    finally:
        _MASKS.reset(before)


def again() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """In what a block is computed, and computed again in the backward pass: it drops the same.

    For `torch.utils.checkpoint`: PyTorch runs the backward pass outside of modes of functions.
    """
    masks = _MASKS.get()
    return nullcontext(), nullcontext() if masks is None else cast(Any, _Dropping(masks))
