"""Signatures: the declaration of everything that can be called in the language.

A signature's fields are the arguments of the call, in positional order, with types, ranges,
defaults and one-line descriptions. Checks, help and reference pages come from this declaration.
"""

from typing import Any, ClassVar

from pydantic import (
    ConfigDict,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from growlang.signatures.canonical import HASH, Part, canonical, in_hash


class Signature(Part):
    """Base of all signatures. Instances hold literals only and are immutable."""

    model_config = ConfigDict(strict=True, populate_by_name=True)

    call: ClassVar[str]
    """The name by which the language calls it."""
    listed: ClassVar[int] = 100
    """Where lists have it: by this number, then by its file and its place there."""
    moved: ClassVar[dict[str, str]] = {}
    """Arguments that earlier versions had, each with what to write now."""
    instead: ClassVar[dict[str, str]] = {}
    """Required arguments that may be left out where another says as much, which is named here."""
    beside: ClassVar[tuple[str, ...]] = ()
    """Arguments with a default that come by position where those of `instead` are left out."""

    behind: ClassVar[dict[str, str]] = {}
    """Arguments that stand among those of the base class, each behind the one named here."""

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Put the arguments of the class in their places among those of its base."""
        super().__pydantic_init_subclass__(**options)
        fields = cls.model_fields
        names = [name for name in fields if name not in cls.behind]
        for name, before in cls.behind.items():
            names.insert(names.index(before) + 1, name)
        if cls.behind:
            ordered = {name: fields[name] for name in names}
            fields.clear()
            fields.update(ordered)

    def __hash__(self) -> int:
        return hash((type(self), repr(self.__dict__)))  # lists have no hash of their own

    @model_serializer(mode="wrap")
    def as_json(
        self, fields: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """The call as `{name: {argument: value}}`."""
        said = fields(self)
        return {self.call: in_hash(self, said) if info.context is HASH else said}

    def arguments(self) -> dict[str, Any]:
        """The arguments as JSON values, defaults included, in the form that is hashed."""
        return dict(canonical(self)[self.call])


def argument(description: str, default: Any = ..., **limits: Any) -> Any:
    """An argument of a signature: its description, default and limits (`ge`, `gt`, `le`, ...).

    A callable default is called when an instance needs it.
    """
    if callable(default):
        return Field(default_factory=default, description=description, **limits)
    return Field(default, description=description, **limits)


class Nothing:
    """Marks a field of which `none`, in YAML null, says that there is nothing."""


class Conditions:
    """Marks a field of names of conditions, such as `attend`; with `itself`, of `self` too."""

    def __init__(self, itself: bool = True) -> None:
        self.itself = itself
