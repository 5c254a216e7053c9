"""Which condition of one net is which of another. Stdlib only.

They are told apart by what they are, and by what reads them; a name alone says the least.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from growlang.net import Net
from growlang.ops import op_in

NEW = "+"
"""What a condition that the old net does not have is called begins with."""
WEIGHTS = {"arguments": 0.5, "readers": 0.3, "order": 0.05, "name": 0.15}
"""What the parts of a similarity count; together 1."""


def same_conditions(old: Net, new: Net) -> dict[str, str]:
    """The new net's condition that each of the old one's is.

    The most alike go first. A condition that is smaller in the new net is another one.
    """
    ours, theirs = (_read(net) for net in (old, new))
    edges = []
    for i, (before, mine) in enumerate(old.encoders.items()):
        for j, (after, other) in enumerate(new.encoders.items()):
            if mine["op"] != other["op"] or not _fits(mine, other):
                continue
            found = {
                "arguments": _equal(mine, other),
                "readers": float(ours.get(before) == theirs.get(after)),
                "order": float(i == j),
                "name": float(before == after),
            }
            edges.append((sum(WEIGHTS[k] * v for k, v in found.items()), -i, -j, before, after))
    pairs: dict[str, str] = {}
    for *_, before, after in sorted(edges, reverse=True):
        if before not in pairs and after not in pairs.values():
            pairs[before] = after
    return {name: pairs[name] for name in old.encoders if name in pairs}


def called(pairs: dict[str, str], new: Net) -> dict[str, str]:
    """What the new net's conditions are called in comparisons with the old net's."""
    names = {after: before for before, after in pairs.items()}
    return {name: names.get(name, f"{NEW}{name}") for name in new.encoders}


def _fits(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether no number of a condition is smaller in the new net."""
    return all(
        not isinstance(value, int | float)
        or not isinstance(after := new.get(name), int | float)
        or after >= value
        for name, value in old.items()
    )


def _equal(old: Mapping[str, Any], new: Mapping[str, Any]) -> float:
    """The share of the arguments of a condition that are equal."""
    names = {*old, *new} - {"op"}
    return sum(old.get(n) == new.get(n) for n in names) / len(names) if names else 1.0


def _read(net: Net) -> dict[str, set[str]]:
    """How each condition is read: by which ops, and whether they attend to it."""
    found: dict[str, set[str]] = {}
    for condition, reader in _readers(net):
        found.setdefault(condition, set()).add(reader)
    return found


def _readers(net: Net) -> Iterator[tuple[str, str]]:
    for node in net.nodes:
        heard = op_in(node).attended or ()
        for name in dict.fromkeys(path.split(".")[0] for path in node.inputs[1:]):
            if name in net.encoders:
                yield name, f"{node.op} {'attends' if name in heard else 'reads'}"
