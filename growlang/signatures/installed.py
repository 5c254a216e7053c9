"""What installed packages declare as entry points: `name = "package.module:attribute"` in a group.

Entry points are looked for when a name is met that growlang does not know: looking costs as much as
checking a small spec.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from growlang.diagnostics import GrowlangError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def names(group: str) -> list[str]:
    """The names that packages declare in a group."""
    return sorted({entry.name for entry in entries(group)})


@cache
def entries(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group=group))


def entry_of(group: str, name: str) -> EntryPoint | None:
    """The entry point of that name; None where no package declares it.

    Raises GrowlangError if two packages do.
    """
    found = [entry for entry in entries(group) if entry.name == name]
    if len({entry.value for entry in found}) > 1:
        packages = " and ".join(f"{_package(e)} ({e.value})" for e in found)
        raise GrowlangError(f"two packages declare `{name}` in `{group}`: {packages}")
    return found[0] if found else None


@cache
def load(entry: EntryPoint) -> Any:
    """What an entry point names. Raises GrowlangError if it cannot be imported."""
    try:
        return entry.load()
    except Exception as error:
        refuse(entry, f"{type(error).__name__}: {error}", error)


def refuse(entry: EntryPoint, reason: str, cause: Exception | None = None) -> NoReturn:
    """Raise GrowlangError about a package that is not what it says."""
    raise GrowlangError(
        f"cannot use `{entry.name}` of {_package(entry)} ({entry.value}): {reason}",
        help=f"fix or uninstall {_package(entry)}",
    ) from cause


def attribute(path: str, user: str) -> Any:
    """What `package.module:attribute` names, which `user` needs.

    Raises GrowlangError if it cannot be imported.
    """
    module, _, name = path.partition(":")
    package = module.partition(".")[0]
    try:
        found = import_module(module)
    except Exception as error:
        raise GrowlangError(
            f"cannot use `{user}`: {path} cannot be imported ({type(error).__name__}: {error})",
            help=f"fix or reinstall the package {package}",
        ) from error
    if not hasattr(found, name):
        raise GrowlangError(
            f"cannot use `{user}`: {module} defines no `{name}`, which its `runtime` names",
            help=f"define it there, or fix or reinstall the package {package}",
        )
    return getattr(found, name)


def declaring(modules: Iterable[str]) -> str | None:
    """The package of the first of these modules whose package declares anything to growlang."""
    from importlib.metadata import entry_points

    groups = [group for group in entry_points().groups if group.startswith("growlang.")]
    found = [entry for group in groups for entry in entries(group)]
    packages = {entry.module.partition(".")[0]: _package(entry) for entry in found}
    tops = (module.partition(".")[0] for module in modules)
    return next((packages[top] for top in tops if top in packages), None)


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unknown package"
