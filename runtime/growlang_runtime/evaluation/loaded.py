"""Networks that are loaded once, until they are dropped."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")

_clear: list[Callable[[], None]] = []


def loaded_once(load: Callable[P, T]) -> Callable[P, T]:
    """Load for the same arguments once, until `drop_loaded`."""
    kept = cache(load)
    _clear.append(kept.cache_clear)
    return cast(Callable[P, T], kept)


def drop_loaded() -> None:
    """Forget all that was loaded: its memory is free again once no one uses it."""
    for clear in _clear:
        clear()
