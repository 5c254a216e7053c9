"""Statements that would make one spec the child of another, which have been checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from growlang.build.net import build
from growlang.checking import Checked, grow
from growlang.diagnostics import Findings
from growlang.growing.blocks import Deepening, paired
from growlang.growing.idle import used_rules, warn_idle
from growlang.growing.renaming import under_names
from growlang.growth.accounting import account
from growlang.growth.mapping import Mapping
from growlang.net import ComponentName, Net
from growlang.proposing.matching import Pair, matched
from growlang.proposing.runs import Run, runs_of
from growlang.proposing.statements import (
    dropping,
    joined,
    listed,
    moves,
    moving,
    renames,
    selector,
)
from growlang.resolve.contract import Contract, contract
from growlang.resolve.files import Files, in_yaml, real
from growlang.resolve.names import Names
from growlang.resolve.spec import resolve
from growlang.syntax import document as d
from growlang.syntax import grow as syntax

RULES = {
    "widen": ("widen(exact)", "widen(copy)"),
    "resize": ("resize(nearest)",) * 2,
    "extend": ("extend(exact)", "extend(random)"),
    "deepen": ("deepen(interleave)",) * 2,
}
"""The rules that a growth may need, in the order in which they are written: with a promise first,
then without."""
CARRIED = ("copied", "moved", "expanded")
UNSTATED = "not stated"
SHARE = 0.01
"""Of the old net's parameters: two nets that have less in common do not correspond."""
DROPPED = 8
"""Components that are left out of a growth that cannot hold, before it is given up."""


class Correspondence(NamedTuple):
    """A place of the old net, and the place of the new one that it is."""

    old: str
    new: str
    confidence: float
    """From 0 to 1; lower where another place would do as well."""
    outcome: str
    """What the statements make of it: `copied`, `moved`, `expanded`; or `not stated`."""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {**self._asdict(), "confidence": round(self.confidence, 3)}


@dataclass(frozen=True)
class Proposal:
    """How two specs correspond, and the statements that say it; empty where nothing does."""

    pairs: tuple[Correspondence, ...]
    statements: tuple[str, ...]
    """The first line of the model, and what is written below it."""
    flat: bool = False
    """Whether they go into the flat form of the spec, which has a parent already."""


NOTHING = Proposal((), ())


class _Try(NamedTuple):
    """Statements that hold, and the mapping that they make."""

    statements: list[str]
    mapping: Mapping
    contract: Contract
    carried: int
    """Scalars of the old net that the new one goes on with."""


def proposal(a: Checked, b: Checked) -> Proposal:
    """What would make `b` a child of `a`. No statement is returned that does not check."""
    if a.net.of_tokens != b.net.of_tokens:
        return NOTHING
    pairs = matched(runs_of(a.net), runs_of(b.net))
    if sum(pair.old.parameters for pair in pairs) < SHARE * a.net.parameters or not pairs:
        return NOTHING
    trial = _Trial(a, b)
    target = moving(pairs)
    tries = [trial.moved(target), *trial.grown(target, pairs)]
    least = max(1, SHARE * a.net.parameters)
    found = [t for t in tries if t is not None and t.carried >= least]
    if not found:
        alone = (
            Correspondence(_place(p.old), _place(p.new), p.confidence, UNSTATED) for p in pairs
        )
        return Proposal(tuple(alone), ())
    best = max(found, key=lambda t: t.carried)
    parent = os.path.relpath(a.path, b.path.parent).replace(os.sep, "/")
    head = f'model {b.net.name} grows "{parent}" {{'
    text = _written(b, head, best.statements)
    if text is not None and not _checks(b.path, text, a, b, best.contract):
        return NOTHING
    stated = tuple(_stated(pair, best.mapping) for pair in pairs)
    lines = (head, *(f"  {line}" for line in best.statements))
    return Proposal(stated, lines, b.parent is not None)


def _stated(pair: Pair, mapping: Mapping) -> Correspondence:
    """A pair, with what the mapping makes of its tensors."""
    entry = mapping.by_name.get(pair.new.nodes[0].tensors[0].name)
    is_carried = entry is not None and entry.category in CARRIED
    outcome = entry.category if entry is not None and is_carried else UNSTATED
    return Correspondence(_place(pair.old), _place(pair.new), pair.confidence, outcome)


def _place(run: Run) -> str:
    """The selector of the nodes of a run."""
    if run.is_positions:
        return f"{run.place}.position"
    first, last = (run.nodes[n].path.split(".") for n in (0, -1))
    text = selector(first)
    return f"{text.removesuffix(']')}..{last[-1]}]" if first != last else text


@dataclass(frozen=True)
class _Trial:
    """Tries statements between two specs, on the nets that are built already."""

    a: Checked
    b: Checked

    def moved(self, target: dict[str, str]) -> _Try | None:
        """What has a place of the same shape, moved; the rest dropped."""
        found = joined(moves(target, self.a.net))
        gone = dropping(self.a.net, target, ())
        return self.tried([*listed("drop", (n.selector for n in gone)), *found])

    def grown(self, target: dict[str, str], pairs: Sequence[Pair]) -> list[_Try | None]:
        """Components of the same name, grown by what they need; the rest moved or dropped.

        A condition of another name is moved to it, and what attends to it may grow.
        """
        renamed = renames(pairs, self.a.net, self.b.net)
        old = under_names(self.a.net, renamed)
        places = [(p.old.component, p.new.component) for p in pairs]
        alike = {new for before, new in places if renamed.get(before, before) == new}
        names = [c.name for c in old.components if c.name in alike and self._fits(old, c.name)]
        for promised in (0, 1):
            left, tries = list(names), 0
            while left and tries < DROPPED:
                tries += 1
                lines = self._growing(left, target, promised, renamed, old)
                if lines is None:
                    return []
                made, blamed = self.attempt(lines)
                if made is not None:
                    return [made]
                gone = [name for name in left if name in blamed]
                if not gone:
                    break
                left = [name for name in left if name not in gone]
        return []

    def _fits(self, old: Net, name: ComponentName) -> bool:
        """Whether the blocks of a component are those of the old one, or more."""
        return not paired(self.b.net, old, name, Deepening("interleave")).obstacles

    def _growing(
        self,
        names: Sequence[ComponentName],
        target: dict[str, str],
        promised: int,
        renamed: dict[ComponentName, ComponentName],
        old: Net,
    ) -> list[str] | None:
        """One `grow` of several components; None where none of them is larger.

        `old` is the old net with the new names of its conditions.
        """
        new = self.b.net
        used = {rule for name in names for rule in used_rules(new, old, name)}
        rules = [written[promised] for rule, written in RULES.items() if rule in used]
        if not rules:
            return None
        said = {*names, *renamed.values()}
        own = {
            before.name
            for before, path in zip(self.a.net.tensors(), old.tensors(), strict=True)
            if ComponentName.of_tensor(path.name) in said
        }
        taken = {t.name for name in said for node in new.of(name) for t in node.tensors}
        rest = {a: b for a, b in target.items() if a not in own and b not in taken}
        gone = dropping(self.a.net, rest, (*names, *renamed))
        return [
            *listed("drop", (name.selector for name in gone)),
            *(f"moved {before} -> {after}" for before, after in renamed.items()),
            *joined(moves(rest, self.a.net)),
            *listed("grow", (name.selector for name in names), f" by {', '.join(rules)}"),
        ]

    def tried(self, lines: list[str]) -> _Try | None:
        """Statements that hold; None where one does not."""
        return self.attempt(lines)[0]

    def attempt(self, lines: list[str]) -> tuple[_Try | None, set[ComponentName]]:
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
        return _Try(lines, mapping, stated, carried), set()


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


# --- the whole text ------------------------------------------------------------------------------


def _written(b: Checked, head: str, statements: Sequence[str]) -> str | None:
    """The text of a spec with statements in it; of one with a parent, its flat form.

    None for a spec in YAML, whose statements were checked by themselves.
    """
    if in_yaml(b.path):
        return None
    if b.parent is not None:
        from growlang.tools.show import show

        text = show(b.resolved, False)
        start = text.index("model ")
        end = text.index("{", start) + 1
    else:
        text, span = b.text, b.resolved.document.models[0].name_span
        lines = text.split("\n")
        at = sum(len(line) + 1 for line in lines[: span.row - 1]) + span.column - 1
        start, end = text.rindex("model", 0, at), text.index("{", at) + 1
    return text[:start] + "\n".join([head, *statements, ""]) + text[end:]


@dataclass
class _Written(Files):
    """Files of which one has another text than on the disk."""

    path: Path = Path()
    text: str = ""

    def content(self, path: Path) -> bytes:
        """The bytes of a file."""
        return self.text.encode() if path == real(self.path) else super().content(path)


def _checks(path: Path, text: str, parent: Checked, known: Checked, stated: Contract) -> bool:
    """Whether a text in the place of a file is the known spec with the statements, and no more.

    What these do to its net has been checked: here the text is held to be read as that.
    """
    files = _Written(path=path, text=text)
    reading = files.load(path)
    if reading.findings or reading.result is None:
        return False
    resolved = resolve(path, files, None, parent.resolved)
    found, own = resolved.result, known.resolved
    if resolved.findings or found is None or found.resolution is None or own.resolution is None:
        return False
    built = build(found.resolution, ())
    same = built.result is not None and built.result.net_hash == known.net.net_hash
    return same and not built.findings and _said(found.resolution.contract) == _said(stated)


def _said(stated: Contract) -> list[object]:
    """What a contract says, wherever it stands."""
    return [
        list(stated.keep),
        list(stated.drop),
        list(stated.retain),
        [(str(m.old), str(m.new)) for m in stated.moved],
        [(name, growing.rules) for name, growing in stated.grow.items()],
    ]
