"""`verify`: what a grown spec promises, measured on its parent and on itself."""

from __future__ import annotations

from collections import abc
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from growlang.applying import Mapping
from growlang.checking import Checked
from growlang.diagnostics import GrowlangError
from growlang.growth.promise import Promise, Standing
from growlang.growth.transforms import Retain
from growlang.net import ComponentName, Net
from growlang.net.generations import held_by
from growlang.resolve.contract import Contract
from growlang.rules.widen import Widen
from growlang.tables.shown import Shown
from growlang.torch_backend import require_torch

if TYPE_CHECKING:
    import torch
    from rich.console import Console

FORMAT_VERSION = 1


@dataclass(frozen=True, repr=False)
class Verification(Shown):
    """What becomes of a child's components, and what was measured of each promise.

    Its text is what `growlang verify` prints.
    """

    child: str
    parent: str
    components: tuple[Standing, ...]
    promises: tuple[Promise, ...]
    notes: tuple[str, ...] = ()
    """What is not promised, and why."""

    @property
    def holds(self) -> bool:
        """Whether every promise holds."""
        return all(promise.holds for promise in self.promises)

    def __repr__(self) -> str:
        broken = sum(not promise.holds for promise in self.promises)
        said = f"{broken} of {len(self.promises)} broken" if broken else "all hold"
        return f"Verification({self.child} grows from {self.parent}: {said})"

    def print(self, out: Console) -> None:
        """Print the components with their verdicts, and the promises with what was measured."""
        from growlang.tables.promises import print_verification

        names = self.child, self.parent
        print_verification(*names, self.components, self.promises, self.notes, out)

    def as_json(self) -> dict[str, Any]:
        """With a `format_version`: whether all `holds`, the `components` and the `promises`.

        What was measured is null where it is not finite.
        """
        return {
            "format_version": FORMAT_VERSION,
            "holds": self.holds,
            "components": [c._asdict() for c in self.components],
            "promises": [
                {
                    "name": p.name,
                    "place": p.place,
                    "measured": p.measured if isfinite(p.measured) else None,
                    "limit": p.limit,
                    "holds": p.holds,
                }
                for p in self.promises
            ],
        }


@dataclass(frozen=True, repr=False, eq=False)
class GrownMapping(Mapping):
    """The mapping of a parent's tensors to those of a child that grows from it.

    It is applied to state dicts, and measured with `verify`.
    """

    spec: Checked | None = field(default=None)
    """The child."""

    @staticmethod
    def to(child: Checked) -> GrownMapping:
        """The mapping to a child. Raises GrowlangError if it has no parent."""
        _, mapping = _grown(child)
        return GrownMapping(mapping.entries, mapping.verdicts, mapping.spaces, child)

    def verify(
        self,
        parent: abc.Mapping[str, torch.Tensor] | None = None,
        *,
        device: torch.device | str = "cpu",
    ) -> Verification:
        """Measure what the growth promises, as `growlang verify` does.

        `parent` is a state dict of the parent's module; without one, random weights are drawn.
        Raises GrowlangError if it does not fit the parent, or if there is no such device.
        """
        assert self.spec is not None
        return verify(self.spec, parent, device)


def verify(
    child: Checked,
    weights: abc.Mapping[str, torch.Tensor] | None = None,
    device: torch.device | str = "cpu",
    real: abc.Mapping[str, torch.Tensor] | None = None,
) -> Verification:
    """Build a child and its parent, and measure every promise of its growth.

    `weights` are the parent's by name; without any they are random. `real` are inputs of the child
    by name, (B, ...), on which its function is measured beside random ones. Raises GrowlangError if
    the child has no parent, if the weights do not fit it, or if the device cannot be used.
    """
    parent, mapping = _grown(child)
    require_torch("verifying")
    from growlang.torch_backend.verification.measuring import measure

    if weights is not None:
        _require_fit(weights, parent.net)
    contract = _contract(child)
    standings = tuple(_standings(child.net, parent.net, contract, mapping))
    unkept = _unkept(standings, child.net, parent.net)
    found = measure(
        parent.net,
        child.net,
        mapping,
        weights,
        str(device),
        kept=tuple(contract.keep),
        is_exact=not unkept,
        locked=frozenset(_locked(contract)),
        real=real,
    )
    notes = (*_notes(unkept, found.incomparable, found.locked), *_releases(child))
    return Verification(child.name, parent.name, standings, found.promises, notes)


def _grown(child: Checked) -> tuple[Checked, Mapping]:
    """A child's parent and mapping. Raises GrowlangError if it has no parent."""
    if child.parent is None or child.mapping is None:
        raise GrowlangError(
            f"{child.path}: the model `{child.name}` has no parent, so that nothing grows",
            help=f'give the spec of a child, or name a parent: `model {child.name} grows "..."`',
        )
    return child.parent, child.mapping


def _contract(child: Checked) -> Contract:
    resolution = child.resolved.resolution
    assert resolution is not None
    return resolution.contract


def _require_fit(weights: abc.Mapping[str, torch.Tensor], net: Net) -> None:
    """Raise GrowlangError unless weights are a net's."""
    from growlang.plans.fit import differences

    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    found = differences(given, {name: t.shape for name, t in net.table.items()})
    if found:
        lines = "".join(f"\n  {difference}" for difference in found)
        raise GrowlangError(f"the weights do not fit the parent {net.name}:{lines}")


# --- what becomes of components ------------------------------------------------------------------


def _standings(child: Net, parent: Net, contract: Contract, mapping: Mapping) -> Iterator[Standing]:
    """The components of a child, and those of the parent that it does not have."""
    verdicts = {verdict.place: verdict for verdict in mapping.verdicts}
    moved = {entry.component for entry in mapping.of_child if entry.category == "moved"}
    retained = {e.component for e in mapping.of_child if isinstance(e.transform, Retain)}
    before = {component.name for component in parent.components}
    renamed = {
        new: old
        for old, new in contract.renamed.items()
        if new in verdicts
        or (new in child.encoders and child.encoders[new] == parent.encoders[old])
    }
    for name in (component.name for component in child.components):
        if name in verdicts:
            yield Standing(name, verdicts[name].level, verdicts[name].reason)
        elif name in contract.keep:
            yield Standing(name, "kept")
        elif name in renamed:
            yield Standing(name, "kept", f"the parent's `{renamed[name]}`")
        elif name in retained:
            yield Standing(name, "retained", "the parent's ends, as the path to smaller images")
        elif name in moved:
            yield Standing(name, "moved", "tensors of the parent's, in another place")
        else:
            yield Standing(name, "new", "redeclared" if name in before else "")
    after = {*(component.name for component in child.components), *renamed.values()}
    for name in (component.name for component in parent.components):
        if name not in after:
            yield Standing(name, "dropped")


def _unkept(standings: tuple[Standing, ...], child: Net, parent: Net) -> list[Standing]:
    """What keeps a child from computing what its parent does.

    A condition that the parent does not have does not: what grows reads it at first as zero.
    """
    before = {component.name for component in parent.components}
    return [
        s
        for s in standings
        if s.verdict not in ("kept", "exact", "exact to eps", "retained")
        and not (s.verdict == "new" and s.name in child.encoders and s.name not in before)
    ]


def _locked(contract: Contract) -> Iterator[ComponentName]:
    """The components whose copies nothing tells apart, because their rule says so."""
    for name, growing in contract.grow.items():
        if any(isinstance(rule, Widen) and rule.break_ == "none" for rule in growing.rules):
            yield name


def _notes(
    unkept: list[Standing], incomparable: str, locked: tuple[ComponentName, ...]
) -> Iterator[str]:
    """What is not promised."""
    if locked:
        said = ", ".join(f"`{name.selector}`" for name in locked)
        yield f"no promise that copies part in {said}: `break` is `none`"
    if unkept:
        said = ", ".join(f"`{ComponentName(s.name).selector}` is {s.verdict}" for s in unkept)
        yield f"no promise that the child computes all that its parent does: {said}"
    elif incomparable:
        yield f"the child's function is not held against its parent's: {incomparable}"


def _releases(child: Checked) -> Iterator[str]:
    """The phases that train what retained ends compute with."""
    held = held_by(child.net).old
    for recipe in child.recipes if held else ():
        for phase in child.phases(recipe):
            if not held.issubset(phase.frozen):
                where = f"phase `{phase.name}` of recipe `{recipe}`"
                yield f"{where} trains what is retained: from then on, no promise of `means`"
