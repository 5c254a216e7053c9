"""What a file declares and what it uses: every word of the tree that names something."""

from __future__ import annotations

from typing import NamedTuple

from growlang.diagnostics import Span


class Declaration(NamedTuple):
    """A name and its place.

    `kind` is param, import, block, parameter, model, input, condition, slot, data, recipe or phase;
    of a slot the name is that of its component, such as `stage` or `core`. `owner` is the block of
    a parameter.
    """

    kind: str
    name: str
    span: Span
    owner: str = ""


class Use(NamedTuple):
    """A word that names something, and its place.

    `kind` says where its declaration is looked for: value (a param, or the parameter of the block
    `owner`), import, block, parameter (of the block `owner`), given (a param of the parent), data,
    condition, component, kept (a component of the parent), recipe (of the parent), input, or any,
    in what does not parse. The others are declared by the language: op (a rule of growth has the
    `owner` by), argument (of the op `owner`), setting, choice and field. `name` is dotted where the
    word stands behind others.
    """

    kind: str
    name: str
    span: Span
    owner: str = ""


class Names(NamedTuple):
    """The names of one file, in the order of the text."""

    declared: tuple[Declaration, ...]
    used: tuple[Use, ...]

    def all(self) -> list[Declaration | Use]:
        """Uses, then declarations."""
        return [*self.used, *self.declared]
