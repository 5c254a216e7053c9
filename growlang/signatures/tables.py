"""Tables of what can be called in one place: what growlang has, and what installed packages add."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BeforeValidator, ValidationInfo

from growlang.diagnostics import GrowlangError
from growlang.signatures import installed
from growlang.signatures.signature import Signature

S = TypeVar("S", bound=Signature, covariant=True)


class Table(Mapping[str, type[S]], Generic[S]):
    """Signatures of one kind by the name of their call: a mapping of those that growlang has.

    `find` and `names` know also what packages declare in the entry-point group `group`: subclasses
    of `base`, under names that neither the table nor `taken` has.
    """

    def __init__(
        self,
        base: type[S],
        signatures: Iterable[type[S]],
        *,
        group: str = "",
        taken: Collection[str] = (),
    ) -> None:
        self.base, self.group, self.taken = base, group, taken
        self._built_in = {s.call: s for s in signatures}

    def __getitem__(self, name: str) -> type[S]:
        return self._built_in[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._built_in)

    def __len__(self) -> int:
        return len(self._built_in)

    def find(self, name: str) -> type[S] | None:
        """The signature of that name, built in or installed; None where there is none.

        Raises GrowlangError if two packages declare the name, or one whose class cannot be
        imported, is no `base`, has no `runtime` where its kind has one, or has the name of
        something else that is built in.
        """
        if name in self or not (self.group and name.isidentifier()):
            return self.get(name)
        entry = installed.entry_of(self.group, name)
        if entry is None:
            return None
        if name in self.taken:
            installed.refuse(entry, "growlang itself has something of that name")
        found, base = installed.load(entry), self.base
        if not (isinstance(found, type) and issubclass(found, base) and _call(found) == name):
            wanted = f"{base.__module__}.{base.__name__}"
            installed.refuse(entry, f'it must be a subclass of {wanted} with call = "{name}"')
        if "runtime" in base.__class_vars__ and ":" not in getattr(found, "runtime", ""):
            installed.refuse(entry, 'it must have runtime = "package.module:attribute"')
        return found

    def names(self) -> list[str]:
        """The names of the built-in and then those of the installed ones."""
        found = installed.names(self.group) if self.group else []
        return [*self, *(n for n in found if n not in self and n not in self.taken)]

    def require(self, name: str) -> type[S]:
        """As `find`. Raises GrowlangError where there is none."""
        found = self.find(name)
        if found is None:
            raise missing(self.base.__name__.lower(), name)
        return found

    def elsewhere(self, name: str) -> str:
        """What a message adds about a name that a package may have; empty where none may."""
        open = self.group and name.isidentifier()
        return f"install the package that has `{name}`" if open else ""


def _call(kind: type[Signature]) -> str | None:
    return getattr(kind, "call", None)


def missing(kind: str, name: str) -> GrowlangError:
    """The error about a plan or a net that needs a package which is not here."""
    return GrowlangError(f"unknown {kind} `{name}`", help="install the package that it comes from")


def table(*signatures: type[Signature]) -> Table[Signature]:
    """Built-in signatures by the name of their call, to which packages cannot add."""
    return Table(Signature, signatures)


class CallOf:
    """Marks a field whose value is a call of one of `table`'s signatures."""

    def __init__(self, table: Table[Signature]) -> None:
        self.table = table


def read_call(table: Table[Signature], words: Collection[str] = ()) -> BeforeValidator:
    """Validator that reads `{name: {argument: value}}` or a bare name as a signature.

    Of the `words` a bare name stays a word. In JSON, a name that nothing has raises GrowlangError:
    a package is not installed.
    """

    def read(value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str) and value not in words and (found := table.find(value)):
            return found()
        if isinstance(value, dict) and len(value) == 1:
            name, arguments = next(iter(value.items()))
            called = table.require if table.group and info.mode == "json" else table.find
            if found := called(str(name)):
                return found.model_validate(arguments)
        return value

    return BeforeValidator(read)
