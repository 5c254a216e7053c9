"""A mapping that is applied to state dicts."""

from __future__ import annotations

from collections import abc
from typing import TYPE_CHECKING

from growlang.diagnostics import GrowlangError
from growlang.growth import mapping
from growlang.growth.mapping import Quantity

if TYPE_CHECKING:
    import torch


class Mapping(mapping.Mapping):
    """What becomes of each tensor of a parent in its child; `apply` does it."""

    @staticmethod
    def of(found: mapping.Mapping) -> Mapping:
        """The same mapping, which can be applied."""
        return Mapping(found.entries, found.verdicts)

    def only(self, names: abc.Collection[str]) -> Mapping:
        """The entries of some tensors.

        Raises GrowlangError for a name that no tensor has, and TypeError for a string.
        """
        if isinstance(names, str):
            raise TypeError(f"expected names of tensors, got a str; give [{names!r}]")
        for name in names:
            if name not in self.by_name:
                raise GrowlangError(f"the mapping has no tensor `{name}`")
        return super().only(names)

    def apply(
        self,
        parent: abc.Mapping[str, torch.Tensor],
        child: abc.Mapping[str, torch.Tensor] | None = None,
        *,
        quantity: Quantity = "weight",
        seed: int = 0,
    ) -> dict[str, torch.Tensor]:
        """The child's tensors by name, of which those that it takes are the parent's.

        `parent` is a state dict of the parent's module. What the mapping makes new begins as in
        `child`, the state dict of a module that was initialised; without it, weights are drawn from
        `seed`, in the dtype and on the device of the parent's, and moments are zero. To carry an
        average or an optimizer's moments over, give them by the names of their tensors and say
        which `quantity` they are; averages need `child`, the child's weights. All tensors are
        copies. Raises GrowlangError if a tensor is missing or has another shape or dtype, and
        TypeError for what is no state dict.
        """
        from growlang.torch_backend.transforms import applied

        return applied(self, parent, child, quantity, seed)
