"""What the files of a package define: a class is found where it stands, and listed nowhere."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TypeVar

from growlang.signatures.signature import Signature

S = TypeVar("S", bound=Signature)


def defined(package: str, path: Iterable[str], base: type[S]) -> list[type[S]]:
    """The signatures that the modules of a package define: by `listed`, module and place in it."""
    found = [kind for module in _modules(package, path) for kind in _own(module, base)]
    return sorted(found, key=lambda kind: kind.listed)


def _modules(package: str, path: Iterable[str]) -> Iterator[str]:
    yield from sorted(f"{package}.{module.name}" for module in pkgutil.iter_modules(path))


def _own(module: str, base: type[S]) -> Iterator[type[S]]:
    for value in vars(import_module(module)).values():
        own = isinstance(value, type) and value.__module__ == module and "call" in vars(value)
        if own and issubclass(value, base):
            yield value
