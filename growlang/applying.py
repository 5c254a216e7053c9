"""A mapping that is applied to state dicts, of modules and of optimizers."""

from __future__ import annotations

from collections import abc
from typing import TYPE_CHECKING, Any, Literal

from growlang.diagnostics.unknown import UnknownName
from growlang.growth import mapping
from growlang.growth.mapping import Quantity
from growlang.tables.shown import Shown

if TYPE_CHECKING:
    import torch
    from rich.console import Console

    from growlang.torch_backend.optimizers import Names


class Mapping(Shown, mapping.Mapping):
    """What becomes of each tensor of a parent in its child; `apply` does it."""

    @staticmethod
    def of(found: mapping.Mapping) -> Mapping:
        """The same mapping, which can be applied."""
        return Mapping(found.entries, found.verdicts, found.spaces)

    def print(self, out: Console) -> None:
        """Print what becomes of the tensors of each component."""
        from growlang.tables.mappings import print_mapping

        print_mapping(self, out)

    def only(self, names: abc.Collection[str]) -> Mapping:
        """The entries of some tensors.

        Raises GrowlangError for a name that no tensor has, and TypeError for a string.
        """
        if isinstance(names, str):
            raise TypeError(f"expected names of tensors, got a str; give [{names!r}]")
        for name in names:
            if name not in self.by_name:
                raise UnknownName("the mapping has no tensor", name, self.by_name)
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

    def apply_optimizer(
        self,
        parent: abc.Mapping[str, Any],
        child: abc.Mapping[str, Any],
        *,
        parent_names: Names | None = None,
        child_names: Names | None = None,
        new: Literal["mean", "reset"] = "mean",
    ) -> dict[str, Any]:
        """The state dict of the child's torch optimizer, which goes on where the parent's was.

        `parent` and `child` are `optimizer.state_dict()` of both, of Adam, AdamW or SGD; groups
        and their settings are the child's. Optimizers that were made of `named_parameters()` know
        their names; for others give the module, or the names in the optimizer's order. First
        moments go by S, second by S^2, and counts of updates are kept; what is new has no state.
        New entries of a tensor that grew begin with the mean of the old second moments, or with
        zero if `new` is "reset". Steps by |T| and eps by |S| are not in the state: a warning
        (`ApproximateGrowth`) names tensors that need them, and `lr_scales` has their factors.
        Raises GrowlangError if names are missing or unknown, or if the state has tensors of which
        growth is not known.
        """
        from growlang.torch_backend.optimizers import grown_state

        return grown_state(self, parent, child, (parent_names, child_names), new)

    def lr_scales(self) -> dict[str, float]:
        """Factors on the learning rate of the tensors whose steps growth changes.

        With them as groups of their own, a torch optimizer follows the parent's nearly: exactly
        but for eps where all entries of a tensor have one factor; else it is their mean.
        """
        from growlang.torch_backend.optimizers import lr_scales

        return lr_scales(self)
