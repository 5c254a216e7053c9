"""Tries statements between two specs until some hold that carry the most."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

from growlang.checking import Checked, grow
from growlang.diagnostics import Findings
from growlang.growing.blocks import Deepening, paired
from growlang.growing.idle import used_rules, warn_idle
from growlang.growing.renaming import under_names
from growlang.growth.accounting import account
from growlang.growth.mapping import Mapping
from growlang.net import ComponentName, Net
from growlang.proposing.deepening import COPIED, deepening_of
from growlang.proposing.matching import Pair
from growlang.proposing.statements import dropping, joined, listed, moves, moving
from growlang.resolve.contract import Contract, contract
from growlang.resolve.names import Names
from growlang.syntax import document as d
from growlang.syntax import grow as syntax

RULES = {
    "widen": ("widen(exact)", "widen(copy)"),
    "resize": ("resize(nearest)",) * 2,
    "extend": ("extend(exact)", "extend(random)"),
}
"""The rules that a growth may need, in the order in which they are written: with a promise first,
then without. `deepen` follows them, as the blocks correspond."""
CARRIED = ("copied", "moved", "expanded")
DROPPED = 8
"""Times that components are left out of a growth that cannot hold, before it is given up."""


class Try(NamedTuple):
    """Statements that hold, and the mapping that they make."""

    statements: list[str]
    mapping: Mapping
    contract: Contract
    carried: int
    """Scalars of the old net that the new one goes on with."""


@dataclass(frozen=True)
class Trial:
    """Tries statements between two specs, on the nets that are built already."""

    a: Checked
    b: Checked
    pairs: Sequence[Pair]
    renamed: dict[ComponentName, ComponentName]
    """The new name of each component that has another."""

    @cached_property
    def target(self) -> dict[str, str]:
        """The new name of each tensor of the old net that has a place of the same shape."""
        return moving(self.pairs)

    def moved(self) -> Try | None:
        """What has a place of the same shape, moved; the rest dropped."""
        found = joined(moves(self.target, self.a.net))
        gone = dropping(self.a.net, self.target, ())
        return self.attempt([*listed("drop", (n.selector for n in gone)), *found])[0]

    def grown(self) -> Iterator[Try]:
        """Components of the same name, grown by what they need; the rest moved or dropped.

        By rules that promise the same function; and where these do not hold for all of them, by
        rules that promise none. A component of another name is moved to it, and may grow.
        """
        old = under_names(self.a.net, self.renamed)
        places = [(p.old.component, p.new.component) for p in self.pairs]
        alike = {new for before, new in places if self.renamed.get(before, before) == new}
        alike -= {p.new.component for p in self.pairs if not p.computes_alike}
        known = [c.name for c in old.components if c.name in alike]
        copied = [name for name in known if not self._fits(old, name, "zero")]
        whole = [name for name in known if name not in copied]
        copied = [name for name in copied if self._fits(old, name, "copy")]
        wanted = [name for name in known if name in (*whole, *copied)]
        tries = [(whole, 0), *([(wanted, 0)] if copied else []), (wanted, 1)]
        for names, promised in tries:
            made, left = self._most(names, promised, old, copied)
            if made is not None:
                yield made
            if left == wanted:
                return

    def _most(
        self,
        names: Sequence[ComponentName],
        promised: int,
        old: Net,
        copied: Collection[ComponentName],
    ) -> tuple[Try | None, Sequence[ComponentName]]:
        """As many of the components as can grow together, and their names.

        The new blocks of those that are `copied` are copies, which compute from the start.
        """
        left = names
        for _ in range(DROPPED):
            lines = self._growing(left, promised, old, copied)
            if lines is None:
                return None, left
            made, blamed = self.attempt(lines)
            if made is not None:
                return made, left
            rest = [name for name in left if name not in blamed]
            if len(rest) == len(left):  # nothing is to blame by name: what moves may be
                rest = [name for name in left if name not in self.renamed.values()]
            if len(rest) == len(left):
                break
            left = rest
        return None, ()

    def _fits(self, old: Net, name: ComponentName, init: Literal["zero", "copy"]) -> bool:
        """Whether the blocks of a component are those of the old one, or more."""
        found = paired(self.b.net, old, name, Deepening("interleave", init=init))
        return not any(o.kind == "impossible" for o in found.obstacles)

    def _growing(
        self,
        names: Sequence[ComponentName],
        promised: int,
        old: Net,
        copied: Collection[ComponentName],
    ) -> list[str] | None:
        """`grow` of several components, and what else is to be said; None where none is larger.

        `old` is the old net with the new names of its components.
        """
        new = self.b.net
        used = {name: set(used_rules(new, old, name)) for name in names}
        if not any(used.values()):
            return None
        renamed = {a: b for a, b in self.renamed.items() if b in names or self._is_same(old, b)}
        said = {*names, *renamed.values()}
        own = {
            before.name
            for before, path in zip(self.a.net.tensors(), old.tensors(), strict=True)
            if ComponentName.of_tensor(path.name) in said
        }
        taken = {t.name for name in said for node in new.of(name) for t in node.tensors}
        rest = {a: b for a, b in self.target.items() if a not in own and b not in taken}
        spoken = {name for name in names if name not in renamed.values()}
        gone = dropping(self.a.net, rest, (*spoken, *renamed))
        deeper = {
            name: COPIED if name in copied else deepening_of(name, self.pairs, old, new)
            for name in names
        }
        return [
            *listed("drop", (name.selector for name in gone)),
            *(f"moved {a.selector} -> {b.selector}" for a, b in renamed.items()),
            *joined(moves(rest, self.a.net)),
            *_grows(used, deeper, promised),
        ]

    def _is_same(self, old: Net, name: ComponentName) -> bool:
        """Whether a component has the same tensors in both nets."""
        return _shapes(old, name) == _shapes(self.b.net, name)

    def attempt(self, lines: list[str]) -> tuple[Try | None, set[ComponentName]]:
        """Statements that hold, or the components whose statements are refused."""
        resolution, old = self.b.resolved.resolution, self.a.resolved.resolution
        stated, findings = _contract(lines, self.a, self.b)
        if stated is None or resolution is None or old is None or findings.items:
            return None, set()
        child = replace(resolution, contract=stated)
        span = self.b.resolved.document.models[0].span
        silent = account(child, old, span)
        made = grow(self.b.net, self.a.net, child, "")
        idle = warn_idle(self.b.net, self.a.net, stated) if stated.grow else ()
        wrong = [*silent, *made.findings, *idle]
        if wrong or made.result is None or made.result[1] is None:
            said = " ".join(found.message for found in wrong)
            return None, {name for name in stated.grow if f"`{name.selector}`" in said}
        mapping = made.result[1]
        sources = {e.source for e in mapping if e.category in CARRIED and e.source}
        carried = sum(self.a.net.table[name].parameters for name in sources)
        return Try(lines, mapping, stated, carried), set()


def _shapes(net: Net, name: ComponentName) -> list[tuple[object, ...]]:
    return [(t.name, t.shape) for node in net.of(name) for t in node.tensors]


def _grows(
    used: dict[ComponentName, set[str]], deeper: dict[ComponentName, str], promised: int
) -> Iterator[str]:
    """The statements of components that grow; those that deepen alike have one."""
    ways = {deeper[name]: None for name, rules in used.items() if "deepen" in rules}
    for way in ways or [""]:
        names = [
            name
            for name, rules in used.items()
            if (deeper[name] if "deepen" in rules else next(iter(ways), "")) == way
        ]
        calls = {rule for name in names for rule in used[name]}
        rules = [written[promised] for rule, written in RULES.items() if rule in calls]
        rules += [way] * bool(way)
        yield from listed("grow", (name.selector for name in names), f" by {', '.join(rules)}")


def _contract(lines: Sequence[str], a: Checked, b: Checked) -> tuple[Contract | None, Findings]:
    """The growth statements as the compiler reads them."""
    findings = Findings()
    text = "\n".join(['grow 1 model m grows "x.grow" {', *lines, "}"])
    document = findings.of(syntax.read(text, "proposal"))
    old = a.resolved.resolution
    if document is None or old is None or not document.models:
        return None, findings
    model = document.models[0]
    own = [s for s in b.resolved.document.models[0].statements if isinstance(s, d.Binding | d.Slot)]
    whole = model._replace(statements=(*model.statements, *own))
    return contract(whole, old.model, Names(findings)), findings
