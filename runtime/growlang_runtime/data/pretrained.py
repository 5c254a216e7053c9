"""Models and tokenizers of other libraries, from a folder or by an id on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def local_first(read: Callable[..., T], name: str, **given: Any) -> T:
    """What `read` makes of a name; what is here is used without asking the network for a newer one.

    Raises what `read` does, such as OSError, if it is neither here nor there.
    """
    try:
        return read(name, local_files_only=True, **given)
    except OSError:
        if Path(name).is_dir():
            raise
        return read(name, **given)


def first_line(error: Exception) -> str:
    """The first line of what an error says; its type where it says nothing."""
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__
