"""The difference of two specs, or of weights: the mapping of tensors, and what to write for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from growlang.applying import Mapping
from growlang.checking import Checked
from growlang.growth import mapping as growth
from growlang.growth.composition import dropped, over_generations, unchanged
from growlang.growth.mapping import CATEGORIES, Entry
from growlang.growth.transforms import Drop, Initialise
from growlang.growth.wording import reason_unstated
from growlang.net import Net
from growlang.planning import recipe_of
from growlang.plans.weights_header import WeightsHeader
from growlang.spec.objectives import Objective, meaning_changes
from growlang.tables.shown import Shown
from growlang.tools import compatibility

if TYPE_CHECKING:
    from rich.console import Console

    from growlang.plans.weights_apart import TensorDifference, WeightDifference
    from growlang.proposing.proposal import Correspondence

FORMAT_VERSION = 1
FLAT = "{0} has another parent; what is proposed is for its flat form: growlang show {0} --resolved"
SHOWN = 10
"""Tensors and ops that do not fit, of which there is a line each; of the rest the number."""


@dataclass(frozen=True, repr=False)
class Difference(Shown):
    """What becomes of the tensors of net `a` in net `b`; its text is that of `growlang diff`."""

    a: Net
    b: Net
    related: bool
    """Whether b's spec names a's as an ancestor; otherwise no statement decides the mapping."""
    mapping: Mapping
    changes: tuple[str, ...]
    """Changes of the objective under components that are kept; or, where one side is weights that
    no statement relates to the other, what keeps them from fitting it."""
    proposals: tuple[str, ...]
    """Statements that would make b a child of a, where it is not one."""
    remark: str = ""
    """How a side was taken, where not as its file alone gives it."""
    weights_by_tensor: tuple[TensorDifference, ...] | None = None
    """Where both sides are weights of one net: how far they are apart, by tensor."""
    narrowed: bool = False
    """Whether the mapping is a part of the whole."""
    correspondence: tuple[Correspondence, ...] = ()
    """Places of a that are places of b, of specs that are not related, with confidence."""

    @property
    def weights(self) -> tuple[WeightDifference, ...] | None:
        """How far weights of one net are apart, by component; None where they were not compared."""
        from growlang.plans.weights_apart import by_component

        tensors = self.weights_by_tensor
        return None if tensors is None else by_component(tensors)

    @property
    def weights_equal(self) -> bool | None:
        """Whether all weights are equal bit for bit; None where they were not compared."""
        tensors = self.weights_by_tensor
        return None if tensors is None else not any(t.differs for t in tensors)

    @property
    def equal(self) -> bool:
        """Whether the nets are the same but for their names."""
        return self.a.net_hash == self.b.net_hash

    def only(self, *wanted: str) -> Difference:
        """The part that categories and selectors name: `only("new", "core", "stage[16]")`.

        Tensors of one of the categories and of one of the selectors; `kept` and `new` stand for
        several categories. Raises GrowlangError for what names nothing.
        """
        from growlang.selecting import narrowed

        components = [c.name for net in (self.b, self.a) for c in net.components]
        part = narrowed(self.mapping, wanted, components)
        names = {entry.name for entry in part}
        weights = self.weights_by_tensor
        if weights is not None:
            weights = tuple(t for t in weights if t.tensor in names)
        return replace(self, mapping=part, proposals=(), narrowed=True, weights_by_tensor=weights)

    def __repr__(self) -> str:
        return f"Difference({self.a.name} -> {self.b.name}: {self.mapping!r})"

    def print(self, out: Console, verbose: bool = False) -> None:
        """Print the mapping, a line a component or, if `verbose`, a line a tensor."""
        from growlang.tables.mappings import print_difference
        from growlang.tables.weights import print_weights

        if self.weights_by_tensor is not None:
            print_weights(self.a, self.b, self.weights_by_tensor, self.remark, out, verbose=verbose)
            return
        print_difference(
            self.a,
            self.b,
            self.mapping,
            out,
            related=self.related,
            remark=self.remark,
            changes=self.changes,
            proposals=self.proposals,
            verbose=verbose,
            correspondence=self.correspondence,
            narrowed=self.narrowed,
        )

    def html(self) -> str:
        """A page with both nets side by side: one HTML file, which loads nothing."""
        from growlang.pages.comparison import Compared, comparison

        said = (self.changes, self.proposals, self.remark, self.weights)
        return comparison(Compared(self.a, self.b, self.related, self.mapping, *said))

    def as_json(self) -> dict[str, Any]:
        """With a `format_version`: `summary`, `tensors`, `changes`, `proposals` and more."""
        totals = self.mapping.summary
        return {
            "format_version": FORMAT_VERSION,
            "a": {"model": self.a.name, "net_hash": self.a.net_hash},
            "b": {"model": self.b.name, "net_hash": self.b.net_hash},
            "equal": self.equal,
            "related": self.related,
            "remark": self.remark,
            "summary": {
                c: {"tensors": totals[c][0], "parameters": totals[c][1]} for c in CATEGORIES
            },
            "spaces": [space.as_json() for space in self.mapping.spaces],
            "verdicts": [verdict.as_json() for verdict in self.mapping.verdicts],
            "weights_equal": self.weights_equal,
            "weights": [w._asdict() for w in self.weights or ()],
            "weights_by_tensor": [
                {
                    "tensor": t.tensor,
                    "differs": t.differs,
                    "relative": t.relative,
                    "largest": t.largest,
                }
                for t in self.weights_by_tensor or ()
            ],
            "changes": list(self.changes),
            "proposals": list(self.proposals),
            "correspondence": [pair.as_json() for pair in self.correspondence],
            "tensors": [
                {
                    "name": e.name,
                    "category": e.category,
                    "source": e.source,
                    "rule": e.rule,
                    "reason": str(e.reason),
                    "shape": list(e.shape),
                }
                for e in self.mapping
            ],
        }


class Side(NamedTuple):
    """A checked spec, or trained weights, as one side of a difference."""

    path: Path
    net: Net
    spec_hash: str
    objective: Objective | None
    """What the first recipe learns, or what the weights were trained on last."""
    parent: Side | None
    mapping: growth.Mapping | None
    """From the parent."""
    stored: bool = False
    remark: str = ""
    """What is to be told of the weights."""

    @staticmethod
    def of(found: Checked | WeightsHeader) -> Side:
        """The side that a spec or weights are."""
        if isinstance(found, Checked):
            recipes = found.resolved.recipes
            return Side(
                found.resolved.path,
                found.net,
                found.resolved.spec_hash,
                recipe_of(found, None).settings.objective if recipes else None,
                Side.of(found.parent) if found.parent else None,
                found.mapping,
            )
        plan = found.plan
        objective = found.settings.objective if found.settings else None
        parent = None
        if plan and plan.parent:
            net = Net.from_json(plan.parent.net)
            parent = Side(Path(plan.parent.spec), net, plan.parent.spec_hash, None, None, None)
        mapping = plan.mapping if plan else None
        side = Side(found.path, found.net, found.spec_hash, objective, parent, mapping)
        return side._replace(stored=True, remark=found.remark)


def diff(a: Checked | WeightsHeader, b: Checked | WeightsHeader) -> Difference:
    """The difference between two checked specs, related or not, or trained weights."""
    found = _diff(Side.of(a), Side.of(b))
    if isinstance(a, Checked) and isinstance(b, Checked) and not (found.related or _alike(a, b)):
        from growlang.proposing.proposal import proposal

        made = proposal(a, b)
        remark = FLAT.format(b.path) if made.flat else found.remark
        return replace(found, proposals=made.statements, correspondence=made.pairs, remark=remark)
    if isinstance(a, Checked) or isinstance(b, Checked) or not found.equal:
        return found
    if find_spec("torch") is None:
        remark = f"{found.remark}\nthe weights are not compared: PyTorch is not installed"
        return replace(found, remark=remark)
    from growlang.torch_backend.weight_differences import weight_differences

    tensors = weight_differences(a.path, b.path, found.b)
    return replace(found, weights_by_tensor=tensors)


def _alike(a: Checked, b: Checked) -> bool:
    """Whether two specs say the same: none is to be made the child of the other."""
    return a.spec_hash == b.spec_hash


def _diff(a: Side, b: Side) -> Difference:
    if _given_otherwise(a, b) and b.parent and b.mapping is not None:
        remark = f"{a.net.name} is taken with the params that {b.net.name} gives it"
        changes = _objective_changes(b.parent, b)
        return Difference(b.parent.net, b.net, True, Mapping.of(b.mapping), changes, (), remark)
    told = [(f"{s.path} holds {s.net.name}", s.remark) for s in (a, b) if s.stored]
    remark = "\n".join(line for lines in told for line in lines if line)
    stored = a.stored or b.stored
    for same in (_same_spec, _same_net) if stored else (_same_spec,):
        mapping = _lineage(a, b, same)
        if mapping is not None:
            changes = _objective_changes(a, b)
            return Difference(a.net, b.net, True, Mapping.of(mapping), changes, (), remark)
        if stored and same(a, b):
            break
    undeclared = Mapping.of(_undeclared(a.net, b.net))
    if a.net.net_hash == b.net.net_hash or stored:
        changes = tuple(_recomputed(a.net, b.net)) if stored else ()
        return Difference(a.net, b.net, False, undeclared, changes, (), remark)
    return Difference(a.net, b.net, False, undeclared, (), ())


def _given_otherwise(a: Side, b: Side) -> bool:
    """Whether b grows the file of a, and gives values for its params that change the spec."""
    if b.parent is None or b.parent.spec_hash == a.spec_hash or a.stored or b.stored:
        return False
    return b.parent.path.resolve() == a.path.resolve()


def _same_spec(a: Side, b: Side) -> bool:
    return a.spec_hash == b.spec_hash


def _same_net(a: Side, b: Side) -> bool:
    return a.net.net_hash == b.net.net_hash


def _lineage(a: Side, b: Side, same: Callable[[Side, Side], bool]) -> growth.Mapping | None:
    """The mapping from an ancestor, composed over the generations between; None if a is none."""
    if b.parent is None or b.mapping is None:
        return None
    if same(a, b.parent):
        return b.mapping
    older = _lineage(a, b.parent, same)
    return over_generations(older, b.mapping, a.net) if older is not None else None


def _recomputed(a: Net, b: Net) -> Iterator[str]:
    """What keeps weights of one net from fitting the other."""
    found = compatibility.changes(a, b)
    for change in found[:SHOWN]:
        detail = "" if change.detail == change.kind else f": {change.detail}"
        yield f"{change.name} is {change.kind}{detail}"
    if len(found) > SHOWN:
        yield f"{len(found) - SHOWN:,} more do not fit"


def _undeclared(a: Net, b: Net) -> growth.Mapping:
    """The mapping where no statement speaks: everything of b is new, everything of a is lost."""
    if a.net_hash == b.net_hash:
        return unchanged(b)
    entries = []
    for tensor in b.tensors():
        transform = Initialise(tensor.init)
        reason, replaces = reason_unstated(transform), tensor.name in a.table
        entries.append(Entry(tensor.name, transform, reason, tensor.shape, replaces))
    return growth.Mapping((*entries, *dropped(entries, a, reason_unstated(Drop()))))


def _objective_changes(a: Side, b: Side) -> tuple[str, ...]:
    """Differences of what the first recipes learn, which a kept core is sensitive to."""
    old, new = a.objective, b.objective
    if old is None or new is None:
        return ()
    return meaning_changes(old, new)
