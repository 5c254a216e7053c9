"""Ops of other packages, by the entry points that they declare.

A package names its ops in the group `growlang.ops` (`name = "package.ops:Class"`) and the builders
of their modules in `growlang.modules` (`name = "package.modules:Class"`), which only training
imports. Entry points are looked for when a name is met that growlang does not know: looking costs
as much as checking a small spec.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from growlang.diagnostics import GrowlangError
from growlang.ops.base import Op

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

OPS_GROUP = "growlang.ops"
MODULES_GROUP = "growlang.modules"


def names() -> list[str]:
    """The names of the installed ops."""
    return sorted({entry.name for entry in _entries(OPS_GROUP)})


@cache
def find(name: str) -> type[Op] | None:
    """The installed op of that name; None where no package declares it.

    Raises GrowlangError if two packages do, or if what is declared cannot be imported or is no op.
    """
    entry = _entry(OPS_GROUP, name)
    if entry is None:
        return None
    op = _loaded(entry)
    if not (isinstance(op, type) and issubclass(op, Op) and getattr(op, "call", None) == name):
        _refuse(entry, f'it must be a subclass of growlang.ops.Op with call = "{name}"')
    return op


@cache
def find_module(name: str) -> Any:
    """The builder of an installed op's module: (op, shape of its input, scope, device).

    Raises GrowlangError if no package declares one, or if it cannot be imported.
    """
    entry = _entry(MODULES_GROUP, name)
    if entry is None:
        raise GrowlangError(
            f"no installed package has a module for the op `{name}`",
            help=f"declare it: an entry point `{name}` in the group `{MODULES_GROUP}`",
        )
    return _loaded(entry)


@cache
def _entries(group: str) -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points

    return tuple(entry_points(group=group))


def _entry(group: str, name: str) -> EntryPoint | None:
    found = [entry for entry in _entries(group) if entry.name == name]
    if len({entry.value for entry in found}) > 1:
        packages = " and ".join(f"{_package(e)} ({e.value})" for e in found)
        raise GrowlangError(f"two packages declare `{name}` in `{group}`: {packages}")
    return found[0] if found else None


def _loaded(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        _refuse(entry, f"{type(error).__name__}: {error}", error)


def _refuse(entry: EntryPoint, reason: str, cause: Exception | None = None) -> NoReturn:
    raise GrowlangError(
        f"cannot use `{entry.name}` of {_package(entry)} ({entry.value}): {reason}",
        help=f"fix or uninstall {_package(entry)}",
    ) from cause


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unknown package"
