"""Where a component has more blocks than before, as its runs correspond. Stdlib only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from growlang.net import ComponentName, Net
from growlang.proposing.matching import Pair
from growlang.proposing.runs import parts_of

INTERLEAVED = "deepen(interleave)"
COPIED = "deepen(interleave, init = copy)"
"""Where new blocks cannot begin without an effect; not exact."""
DIGITS = "0123456789"


def deepening_of(name: ComponentName, pairs: Iterable[Pair], old: Net, new: Net) -> str:
    """The `deepen` that leads from the blocks of the old net to those of the new one.

    `old` is the old net with the new names of its components.
    """
    own = [pair for pair in pairs if pair.new.component == name]
    votes = {vote for pair in own for vote in _votes(pair, old, new)}
    if len({where for where, _ in votes}) != 1:
        return INTERLEAVED
    where = next(iter(votes))[0]
    return f"deepen({where}{', init = default' * any(other for _, other in votes)})"


def _votes(pair: Pair, old: Net, new: Net) -> Iterator[tuple[str, bool]]:
    """Where the blocks of one kind are new, and whether these have other tensors than the rest."""
    path = pair.new.place
    kind = path.rstrip(DIGITS)
    blocks = [node for node in new.of(pair.new.component) if node.path.rstrip(DIGITS) == kind]
    was = [node for node in old.of(pair.new.component) if node.path.rstrip(DIGITS) == kind]
    n, m = len(was), len(blocks)
    if kind == path or n >= m or not n:
        return
    before = int(path[len(kind) :])
    behind = m - before - len(pair.new.nodes)
    if (before == 0) == (behind == 0):
        yield "interleave", False
        return
    mine = {parts_of(node, pair.new.called) for node in pair.new.nodes}
    fresh = blocks[: m - n] if before else blocks[n:]
    is_first = bool(before) != (pair.new.side == "decode")  # stages are mirrored
    yield (
        "prepend" if is_first else "append",
        any(parts_of(node, pair.new.called) not in mine for node in fresh),
    )
