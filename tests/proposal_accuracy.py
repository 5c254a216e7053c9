"""What `growlang diff` proposes for specs that were changed in known ways: `make proposals`.

`python -m proposal_accuracy [EVERY START] [PAGE.md]` takes each EVERYth file from one on.
Of each corruption of `corruptions`, and of several one after the other: how many nodes are found,
how many parameters the pasted statements carry to their place, and how sure the wrong places were.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from corruptions import CORRUPTIONS, Truth, flat, followed, model_of, truth
from fixture_specs import SHIPPED

from growlang.checking import Checked, check, errors
from growlang.comparing import Difference, diff
from growlang.diagnostics import GrowlangError
from growlang.growth.mapping import Entry
from growlang.proposing.proposal import corresponding
from growlang.proposing.runs import blocks
from growlang.proposing.trials import CARRIED

ROOT = SHIPPED.parent
FOLDERS = ("specs", "examples", "tests/fixtures")
KINDS: tuple[tuple[str, ...], ...] = (
    *((name,) for name in CORRUPTIONS if name != "heads"),
    ("renamed", "reordered"),
    ("renamed", "shuffled", "reordered"),
    ("renamed", "widened"),
    ("renamed", "widened x1.5"),
    ("renamed", "reordered", "widened"),
    ("renamed", "inserted"),
    ("inserted", "widened"),
    ("renamed", "inserted", "widened"),
    ("renamed", "removed"),
    ("removed", "widened"),
    ("renamed", "deepened"),
    ("widened", "deepened"),
    ("renamed", "widened", "deepened"),
    ("inserted", "deepened"),
    ("renamed", "inserted", "widened", "deepened"),
    ("widened", "heads"),
    ("renamed", "enlarged"),
    ("enlarged", "widened"),
    ("renamed", "enlarged", "widened"),
    ("conditioned", "renamed"),
    ("conditioned", "widened"),
    ("names swapped", "widened"),
    ("activated", "renamed"),
    ("activated", "widened"),
)
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)


class Case(NamedTuple):
    """A spec, and what became of it."""

    old: Checked
    new: Checked
    truth: Truth


@dataclass
class Score:
    """Sums over the cases of one kind."""

    specs: int = 0
    nodes: int = 0
    found: int = 0
    parameters: int = 0
    carried: int = 0
    shares: float = 0.0
    """Of the parameters of each spec, summed."""
    misplaced: int = 0
    """Parameters that the statements take to a place that is not theirs."""
    refused: list[str] = field(default_factory=list)
    """What does not check once it is pasted."""
    short: list[tuple[float, str]] = field(default_factory=list)
    """Cases of which less than all is carried, with the share."""
    sure: list[tuple[float, bool, bool]] = field(default_factory=list)
    """Of each pair its confidence, whether it is right, and whether it is stated."""


def specs(every: int = 1, start: int = 0) -> Iterator[Path]:
    """Specs that check, one of each net; of each `every`th file from one on."""
    seen = set[str]()
    paths = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*.grow"))]
    for path in paths[start::every]:
        report = check(path, {})
        if errors(report.diagnostics) or report.checked is None:
            continue
        net = report.checked.net
        if net.net_hash not in seen:
            seen.add(net.net_hash)
            yield path


def corrupted(old: Checked, kinds: Sequence[str], folder: Path) -> Case | None:
    """A spec changed in ways that follow each other; None where one cannot, or changes nothing."""
    at, places = old, {n.path: frozenset({n.path}) for n in old.net.nodes if n.tensors}
    for n, kind in enumerate(kinds):
        text = CORRUPTIONS[kind].edit(at.text, at.net)
        if text == at.text:
            return None
        path = folder / f"{'_'.join(kinds[: n + 1]).replace(' ', '_')}.grow"
        path.write_text(text)
        report = check(path, {})
        if errors(report.diagnostics) or report.checked is None:
            return None
        places = followed(places, truth(kind, at, report.checked))
        at = report.checked
    same = at.net.net_hash == old.net.net_hash or at.spec_hash == old.spec_hash
    return None if same else Case(old, at, places)


def measure(case: Case, score: Score, name: str) -> None:
    """Add a case to the sums."""
    score.specs += 1
    sizes = {node.path: node.parameters for node in case.old.net.nodes}
    pairs = corresponding(case.old.net, case.new.net)
    found = {a.path: b.path for pair in pairs for a, b in blocks(pair.old, pair.new)}
    score.nodes += len(case.truth)
    score.found += sum(found.get(a, "") in places for a, places in case.truth.items())
    proposed = diff(case.old, case.new)
    for pair, told in zip(pairs, proposed.correspondence, strict=False):
        both = [(a.path, b.path) for a, b in blocks(pair.old, pair.new)]
        right = all(b in case.truth.get(a, ()) for a, b in both)
        score.sure.append((told.confidence, right, told.outcome != "not stated"))
    mine = sum(sizes[path] for path in case.truth)
    carried, wrong = _carried(case, proposed, score, name)
    score.parameters += mine
    score.carried += carried
    score.shares += carried / mine if mine else 1.0
    score.misplaced += wrong
    if carried < mine:
        score.short.append((carried / mine, name))


def _carried(case: Case, proposed: Difference, score: Score, name: str) -> tuple[int, int]:
    """Parameters of the old net that the pasted statements take to their place, and elsewhere."""
    if not proposed.proposals:
        return 0, 0
    path = case.new.path
    head, *below = proposed.proposals
    text = path.read_text()
    start = text.index(f"model {model_of(text)} {{")
    end = text.index("{", start) + 1
    pasted = path.with_name("pasted.grow")
    pasted.write_text(text[:start] + "\n".join([head, *below]) + text[end:])
    report, before = check(pasted, {}), {d.message for d in check(path, {}).diagnostics}
    said = [d.message for d in report.diagnostics if d.message not in before]
    if said or report.checked is None:
        score.refused.append(f"{name}: {said[:2]}")
        return 0, 0
    after = diff(case.old, report.checked)
    return _placed(case, [e for e in after.mapping if e.category in CARRIED and e.source])


def _placed(case: Case, entries: Iterable[Entry]) -> tuple[int, int]:
    """Parameters that come to a place that is theirs, and those that come to none."""
    old, new = (
        {t.name: node.path for node in net.nodes for t in node.tensors}
        for net in (case.old.net, case.new.net)
    )
    right, wrong = set[str](), set[str]()
    for entry in entries:
        assert entry.source is not None
        source = old[entry.source]
        goes = right if new[entry.name] in case.truth.get(source, ()) else wrong
        goes.add(entry.source)
    table = case.old.net.table
    return (
        sum(table[name].parameters for name in right),
        sum(table[name].parameters for name in wrong - right),
    )


def measured(paths: Iterable[Path], kinds: Sequence[Sequence[str]] = KINDS) -> dict[str, Score]:
    """The sums of each kind."""
    scores = {" + ".join(kind): Score() for kind in kinds}
    for path in paths:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            whole = folder / "whole.grow"
            whole.write_text(flat(path))
            report = check(whole, {})
            if report.checked is None or errors(report.diagnostics):
                continue  # its flat form lacks what a file of its own has
            old = report.checked
            for kind in kinds:
                try:
                    case = corrupted(old, kind, folder)
                except GrowlangError:
                    continue
                if case is not None:
                    name = " + ".join(kind)
                    measure(case, scores[name], str(path.relative_to(ROOT)))
    return scores


HEAD = """| what was changed | specs | nodes found | carried | of all | misplaced |
|---|---|---|---|---|---|
"""


def table(scores: dict[str, Score]) -> str:
    """The table of the page."""
    return HEAD + "".join(
        f"| {name} | {s.specs} | {s.found:,} of {s.nodes:,} | "
        f"{_percent(s.shares, s.specs)} | {_percent(s.carried, s.parameters)} | "
        f"{_percent(s.misplaced, s.parameters)} |\n"
        for name, s in scores.items()
        if s.specs
    )


def sureness(scores: dict[str, Score]) -> str:
    """How often pairs are right, by their confidence."""
    told = [pair for s in scores.values() for pair in s.sure]
    lines = ["| confidence | pairs | right | stated | of these right |\n|---|---|---|---|---|\n"]
    for low, high in zip(BINS, (*BINS[1:], 1.01), strict=True):
        inside = [pair for pair in told if low <= pair[0] < high]
        stated = [pair for pair in inside if pair[2]]
        if inside:
            lines.append(
                f"| {low:.1f} to {min(high, 1):.1f} | {len(inside):,} | "
                f"{_percent(sum(p[1] for p in inside), len(inside))} | {len(stated):,} | "
                f"{_percent(sum(p[1] for p in stated), len(stated))} |\n"
            )
    return "".join(lines)


def _percent(part: float, whole: float) -> str:
    share = 100 * part / whole if whole else 0.0
    digits = 0 if share in (0, 100) or 1 <= share < 99 else 1
    return f"{share:.{digits}f} %"


INTRODUCTION = """# Proposals, as they are measured

What `growlang diff` [proposes](growth.md#specs-that-are-not-related) for a spec and what became of
it when it was changed in a known way. The specs are every {every}th file of `specs/`, `examples/`
and `tests/fixtures/` from the {start}th on, one of each net, in flat form; a row has those that
the change changes, and that check after it. `make proposals` measures anew, and
`PYTHONPATH=tests python -m proposal_accuracy` all specs.

- **nodes found**: ops with tensors whose place in the changed spec is found. What computes another
  function, such as a block with another activation, has none.
- **carried**: parameters of these that the pasted statements take to their place, the mean over the
  specs; **of all**: of all parameters, so that the largest specs count the most.
- **misplaced**: parameters of the first spec that the statements take elsewhere.

| the change | what it is |
|---|---|
| renamed | the model and every condition have other names |
| names swapped | each condition has the name of the next one |
| reordered, shuffled | the blocks of the core, or the lines of the model, in the reverse order |
| widened | all widths times two, 1.5 or four; heads: twice as many |
| deepened | twice as many of what is repeated |
| enlarged | the image and all stages at twice their size |
| inserted | a stage more, or in a chain a small block before the others |
| removed | the finest stage less |
| activated | another activation in the blocks, or at the end |
| conditioned | one more condition, which the blocks attend to |

"""
CONFIDENCE = """
## How sure they are

Of all pairs of places that were told, by their confidence: how many were right, and how many the
statements carry. What computes another function is told with 0.6 or less, is not stated, and counts
as wrong here.

"""


def page(scores: dict[str, Score], every: int, start: int) -> str:
    """The page of the docs."""
    refused = [line for score in scores.values() for line in score.refused]
    pasted = sum(score.specs for score in scores.values())
    said = f"\nOf {pasted:,} changed specs, {len(refused)} had statements that do not check.\n"
    head = INTRODUCTION.format(every=every, start=start + 1)
    return head + table(scores) + said + CONFIDENCE + sureness(scores)


def main() -> None:
    """Print the tables and what falls short; with a path, write the page."""
    numbers = [int(text) for text in sys.argv[1:] if text.isdigit()]
    every, start = numbers if len(numbers) == 2 else (1, 0)
    scores = measured(specs(every, start))
    sys.stdout.write(f"{table(scores)}\n{sureness(scores)}\n")
    for name, score in scores.items():
        for text in score.refused:
            sys.stdout.write(f"refused: {name}: {text}\n")
        for share, text in sorted(score.short):
            sys.stdout.write(f"{share:.2f} carried: {name}: {text}\n")
    for path in sys.argv[1:]:
        if path.endswith(".md"):
            Path(path).write_text(page(scores, every, start))


if __name__ == "__main__":
    main()
