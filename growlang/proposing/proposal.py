"""Statements that would make one spec the child of another, which have been checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from growlang.build.net import build
from growlang.checking import Checked
from growlang.growth.mapping import Mapping
from growlang.net import ComponentName, Net
from growlang.proposing.conditions import called, same_conditions
from growlang.proposing.matching import Pair, matched
from growlang.proposing.runs import Run, runs_of
from growlang.proposing.statements import selector
from growlang.proposing.trials import CARRIED, Trial
from growlang.resolve.contract import Contract
from growlang.resolve.files import Files, in_yaml, real
from growlang.resolve.spec import resolve

UNSTATED = "not stated"
SHARE = 0.01
"""Of the old net's parameters: two nets that have less in common do not correspond."""


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


def proposal(a: Checked, b: Checked) -> Proposal:
    """What would make `b` a child of `a`. No statement is returned that does not check."""
    if a.net.of_tokens != b.net.of_tokens:
        return NOTHING
    pairs = corresponding(a.net, b.net)
    if sum(pair.old.parameters for pair in pairs) < SHARE * a.net.parameters or not pairs:
        return NOTHING
    trial = Trial(a, b, pairs, _renamed(a.net, b.net, pairs))
    tries = [trial.moved(), *trial.grown()]
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


def corresponding(old: Net, new: Net) -> list[Pair]:
    """The runs of blocks of two nets that correspond, in the order of the new one."""
    names = called(same_conditions(old, new), new)
    return matched(runs_of(old), runs_of(new, names))


def _renamed(old: Net, new: Net, pairs: Sequence[Pair]) -> dict[ComponentName, ComponentName]:
    """The new name of each condition and stage that has another: that of most of its parameters."""
    shares: dict[tuple[ComponentName, ComponentName], int] = {}
    for pair in pairs:
        key = pair.old.component, pair.new.component
        if all(name.is_stage for name in key):
            shares[key] = shares.get(key, 0) + pair.old.parameters
    found = {ComponentName(a): ComponentName(b) for a, b in same_conditions(old, new).items()}
    for before, after in sorted(shares, key=lambda key: -shares[key]):
        if before not in found and after not in found.values():
            found[before] = after
    return {before: after for before, after in found.items() if before != after}


def _stated(pair: Pair, mapping: Mapping) -> Correspondence:
    """A pair, with what the mapping makes of its tensors."""
    first = (mapping.by_name.get(node.tensors[0].name) for node in pair.new.nodes)
    carried = (entry.category for entry in first if entry and entry.category in CARRIED)
    outcome = next(carried, UNSTATED)
    return Correspondence(_place(pair.old), _place(pair.new), pair.confidence, outcome)


def _place(run: Run) -> str:
    """The selector of the nodes of a run."""
    if run.is_positions:
        return f"{run.place}.position"
    first, last = (run.nodes[n].path.split(".") for n in (0, -1))
    text = selector(first)
    return f"{text.removesuffix(']')}..{last[-1]}]" if first != last else text


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
