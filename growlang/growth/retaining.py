"""`retain SEL`: the parent's ends under the names that they have in the child. Stdlib only."""

from __future__ import annotations

from growlang.growth.mapping import Entry
from growlang.growth.transforms import Copy, Initialise, Retain
from growlang.growth.wording import MEASURED_BEFORE, reason
from growlang.net import ComponentName, Net, Tensor
from growlang.resolve.contract import Contract


def retained(
    tensor: Tensor, component: ComponentName, parent: Net, contract: Contract
) -> Entry | None:
    """The entry of a tensor of retained ends; None of one that they do not have.

    What was retained before keeps its name; what now is moves below `retained.N`.
    """
    if not component.is_retained:
        return None
    name, place = tensor.name, contract.taken(component)
    source = name.removeprefix(f"{component}.")
    for transform, old in ((Copy(), name), (Retain(source), source)):
        if old in parent.table:
            return Entry(name, transform, reason(transform, place), tensor.shape)
    return Entry(name, Initialise(tensor.init), MEASURED_BEFORE, tensor.shape)
