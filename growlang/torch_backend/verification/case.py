"""A parent and its child with weights, and inputs that mean the same to both."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from growlang.growth.axis_map import NEW
from growlang.growth.mapping import Mapping
from growlang.growth.transforms import Expand, Stages, Transform, values_of
from growlang.net import ComponentName, Input, Net
from growlang.torch_backend.initialisation import draw
from growlang.torch_backend.lower import LoweredNet, lower
from growlang.torch_backend.transforms import apply
from growlang.torch_backend.verification import draws

SEED = 0


class Pair(NamedTuple):
    """The weights of a parent and of its child in one type."""

    parent: dict[str, Tensor]
    child: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Case:
    """What the promises are measured on."""

    parent: Net
    child: Net
    mapping: Mapping
    single: Pair
    """In float32, as training has them."""
    double: Pair
    """In float64: the parent's are the same numbers."""
    kept: tuple[ComponentName, ...] = ()
    """The components that are kept as they are."""
    is_exact: bool = False
    """Whether the child is to compute what its parent computes."""
    locked: frozenset[ComponentName] = frozenset()
    """The components whose copies are meant to stay equal."""
    real: Table[str, Tensor] | None = None
    """The child's inputs by name, (B, ...), of its data."""

    @staticmethod
    def of(
        parent: Net,
        child: Net,
        mapping: Mapping,
        weights: Table[str, Tensor] | None,
        device: torch.device,
        *,
        kept: tuple[ComponentName, ...] = (),
        is_exact: bool = False,
        locked: frozenset[ComponentName] = frozenset(),
        real: Table[str, Tensor] | None = None,
    ) -> Case:
        """The child as it begins, of the parent's weights; without any they are random."""
        given = weights if weights is not None else draws.weights(parent, SEED)
        old = {name: given[name].detach().to(device, torch.float32) for name in parent.table}
        new = {name: draw(tensor, SEED).to(device) for name, tensor in child.table.items()}
        single = Pair(old, new)
        double = Pair(*({name: t.double() for name, t in table.items()} for table in single))
        for pair in (single, double):
            apply(mapping, pair.parent, pair.child)
        return Case(parent, child, mapping, single, double, kept, is_exact, locked, real)

    @property
    def device(self) -> torch.device:
        """Where all is computed."""
        return next(iter(self.single.child.values())).device


def module(net: Net, weights: Table[str, Tensor]) -> LoweredNet:
    """The net with copies of weights, in their type and place, without dropout."""
    lowered = lower(net)
    copies = {name: tensor.clone() for name, tensor in weights.items()}
    lowered.load_state_dict(copies, strict=True, assign=True)
    for parameter in lowered.parameters():
        parameter.requires_grad_(True)
    return lowered.eval()


# --- the same inputs -----------------------------------------------------------------------------


class Inputs(NamedTuple):
    """Batches of the inputs of a parent and of its child."""

    parent: list[Tensor]
    child: list[Tensor]


def incomparable(parent: Net, child: Net) -> str:
    """Why a child's function cannot be held against its parent's; empty where it can."""
    if parent.of_tokens != child.of_tokens:
        return "one is of images and the other of tokens"
    one, other = (
        net.result.positions if net.of_tokens else net.image.dims for net in (child, parent)
    )
    if one != other:
        what = "sequences" if child.of_tokens else "images"
        return f"its {what} are of another size than the parent's"
    return ""


def inputs(case: Case, *key: object) -> Inputs:
    """A batch that both nets read as the same: ids and labels by the rows of grown tables.

    Longer texts end in masked tokens. What only one of them reads is random, and so are images of
    two sizes.
    """
    names = _conditions(case)
    child = {i.name: draws.value(case.child, i, i.name, *key) for i in case.child.inputs}
    parent: list[Tensor] = []
    for given in case.parent.inputs:
        named = next((i for i in case.child.inputs if _same(i, given, names)), None)
        if named is None or (given.role == "image" and named.shape != given.shape):
            parent.append(draws.value(case.parent, given, given.name, *key))
            continue
        if given.role in ("ids", "label", "tokens"):
            ours, theirs = _ids(case, named, given, *key)
        else:
            theirs = draws.value(case.parent, given, given.name, *key)
            ours = theirs
        child[named.name] = _longer(ours, named, case.child)
        parent.append(theirs)
    return Inputs(parent, [child[i.name] for i in case.child.inputs])


def real_inputs(case: Case) -> Inputs | None:
    """The child's inputs of its data, and the same as its parent reads them; None without data.

    Samples with ids that the parent does not know are left out. An image of another size is noise
    to the parent.
    """
    if case.real is None:
        return None
    names = _conditions(case)
    child = {n: v.double() if v.is_floating_point() else v for n, v in case.real.items()}
    known = torch.ones(len(next(iter(child.values()))), dtype=torch.bool)
    parent: list[Tensor] = []
    for given in case.parent.inputs:
        named = next((i for i in case.child.inputs if _same(i, given, names)), None)
        if named is None or (given.role == "image" and named.shape != given.shape):
            noise = draws.value(case.parent, given, given.name, "real")
            parent.append(noise[:1].expand(len(known), *noise.shape[1:]))
            continue
        values = child[named.name]
        if named.shape != given.shape:
            values = values[:, : given.shape.dims[0]]
        if given.role in ("ids", "label", "tokens"):
            values = _rows_before(case, named)[values]
            known &= (values != NEW).reshape(len(values), -1).all(1)
        parent.append(values)
    if not known.any():
        return None
    return Inputs(
        [value[known] for value in parent], [child[i.name][known] for i in case.child.inputs]
    )


def _conditions(case: Case) -> dict[str, str]:
    """The parent's condition that each of the child's was, where it has another name."""
    found = {}
    for entry in case.mapping.of_child:
        source = values_of(entry.transform, entry.name)
        if source and entry.component in case.child.encoders:
            found[str(entry.component)] = str(ComponentName.of_tensor(source))
    return found


def _same(ours: Input, theirs: Input, names: dict[str, str]) -> bool:
    condition = names.get(ours.condition, ours.condition)
    return (ours.role, condition) == (theirs.role, theirs.condition)


def _ids(case: Case, ours: Input, theirs: Input, *key: object) -> tuple[Tensor, Tensor]:
    """Ids that both know: the child's, and the parent's rows that the child's rows were."""
    index = _rows_before(case, ours)
    known = (index != NEW).nonzero().flatten()
    picked = draws.drawn(theirs.role, theirs.shape, len(known), theirs.name, *key)
    child = known[picked]
    return child, index[child]


def _rows_before(case: Case, ours: Input) -> Tensor:
    """The parent's row of each row of the table that an input of the child picks from."""
    node = draws.reader(case.child, ours.name)
    rows = draws.rows(case.child, ours.name)
    if not (node and node.tensors):
        return torch.arange(rows)
    return torch.tensor(sources(case.mapping.by_name[node.tensors[0].name].transform, 0, rows))


def sources(transform: Transform, axis: int, n: int) -> list[int]:
    """The parent's entry of each of the `n` entries along an axis, `NEW` where there is none."""
    match transform:
        case Expand(dims=dims):
            return list(dims[axis].indices)
        case Stages(steps=steps):
            index = list(steps[0].dims[axis].indices)
            for step in steps[1:]:
                index = [NEW if i == NEW else index[i] for i in step.dims[axis].indices]
            return index
        case _:
            known = values_of(transform, "") is not None
            return list(range(n)) if known else [NEW] * n


def _longer(values: Tensor, given: Input, net: Net) -> Tensor:
    """Texts with more tokens, which are masked: ids of the last row, the null."""
    if not given.shape.dims or values.shape[1:] == given.shape.dims:
        return values
    wide = values.new_zeros((len(values), *given.shape.dims))
    if given.role == "ids":
        wide += draws.rows(net, given.name) - 1
    wide[:, : values.shape[1]] = values
    return wide


def comparable(case: Case, ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """The results of a child and its parent, those alone that both have.

    In a model of tokens whose vocabulary has grown they are the logits of the old tokens.
    """
    n = ours.shape[-1]
    if not case.child.of_tokens or n == theirs.shape[-1]:
        return ours, theirs
    last = next(node for node in case.child.nodes if node.path == case.child.output)
    names = (*(t.name for t in last.tensors), *last.tables)
    (table,) = (name for name in names if case.child.table[name].shape[0] == n)
    index = torch.tensor(sources(case.mapping.by_name[table].transform, 0, n), device=ours.device)
    return ours[..., index != NEW], theirs[..., index[index != NEW]]
