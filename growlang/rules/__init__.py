"""The rules by which `grow SELECTOR by RULE` makes tensors of a parent's, one file each."""

from __future__ import annotations

from collections.abc import Iterable

from growlang.rules.base import Rule
from growlang.signatures.discovery import defined
from growlang.signatures.tables import Table

_DEFINED = defined(__name__, __path__, Rule)

RULES = Table(Rule, [rule for rule in _DEFINED if rule.called_as == "by"])
"""Callable behind `by`."""
TRANSITIONS = Table(Rule, [rule for rule in _DEFINED if rule.called_as == "transition"])
"""Callable as a recipe's `transition`, whose default is `discard`."""


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """The rules of one component as they are applied: by their `order`."""
    return sorted(rules, key=lambda rule: rule.order)


__all__ = ["RULES", "TRANSITIONS", "Rule", "in_order"]
