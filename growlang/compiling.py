"""What a checked spec compiles to: tensors, costs, and the module that computes its net."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from growlang.checking import Checked
from growlang.diagnostics import GrowlangError
from growlang.diagnostics.unknown import UnknownName
from growlang.growth.learning import remarks
from growlang.growth.verdict import Verdict
from growlang.net import Net, Tensor
from growlang.planning import recipe_of
from growlang.plans.cost import ComponentCost, PhaseCost, component_costs, phase_cost
from growlang.spec.automatic import choices, told
from growlang.spec.recipe import Phase
from growlang.tables.shown import Shown
from growlang.torch_backend import require_torch

if TYPE_CHECKING:
    import torch
    from rich.console import Console
    from torch import nn

    from growlang.fitting import Memory
    from growlang.torch_backend.lower import LoweredNet

FORMAT_VERSION = 1
WEIGHT_DTYPES = ("float32", "float16", "bfloat16")
"""The dtypes of weights in a file."""


class TensorRow(NamedTuple):
    """A parameter of a net."""

    name: str
    """Its name in the state dict of the module."""
    shape: tuple[int, ...]
    parameters: int
    """Number of scalars."""
    component: str
    init: str
    """How it is drawn."""
    decay: bool
    """Whether weight decay applies."""
    dtype: str = "float32"


@dataclass(frozen=True, repr=False)
class TensorTable(Shown, Mapping[str, TensorRow]):
    """The parameters of a net by name, in the order of its graph."""

    rows: Mapping[str, TensorRow]

    @staticmethod
    def of(net: Net) -> TensorTable:
        """The table of a net."""
        rows = (
            TensorRow(t.name, t.shape, t.parameters, node.component, t.init, t.decay)
            for node in net.nodes
            for t in node.tensors
        )
        return TensorTable({row.name: row for row in rows})

    def __getitem__(self, name: str) -> TensorRow:
        if name not in self.rows:
            raise UnknownName("the net has no parameter", name, self.rows)
        return self.rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self.rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        parameters = sum(row.parameters for row in self.values())
        return f"TensorTable({len(self):,} tensors, {parameters:,} parameters)"

    def print(self, out: Console) -> None:
        """Print a line for each parameter."""
        from growlang.tables.nets import print_tensors

        rows = [(Tensor(r.name, r.shape, r.init, r.decay), r.component) for r in self.values()]
        print_tensors(rows, out)


@dataclass(frozen=True, repr=False)
class Compiled(Shown):
    """A spec's net with its costs, and its module. Its text is what `growlang compile` prints."""

    spec: Checked
    recipe: str | None
    """The recipe whose phases have costs; None where the spec has none."""

    def __repr__(self) -> str:
        net = self.net
        return f"Compiled({net.name}: {len(net.table):,} tensors, {net.parameters:,} parameters)"

    def print(self, out: Console) -> None:
        """Print the components of the net and the phases of the recipe, with their costs."""
        from growlang.tables.nets import print_costs

        parent = self.spec.parent.name if self.spec.parent else None
        print_costs(
            self.net,
            self.costs,
            out,
            parent=parent,
            recipe=self.recipe,
            phases=self.phases,
            verdicts=self.verdicts,
            remarks=self.remarks,
        )

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What is proved of each component that grows."""
        return self.spec.mapping.verdicts if self.spec.mapping else ()

    @property
    def remarks(self) -> list[str]:
        """What a recipe chose for `auto`; of its bridge, and of an optimizer's state it carries."""
        if self.recipe is None:
            return []
        start, found = recipe_of(self.spec, self.recipe).start, told(self.schedule)
        if start.origin == "scratch":
            return found
        entries = self.spec.mapping or ()
        carried = [] if start.moments == "reset" else remarks(entries)
        return [*found, *([self._fade(start.bridge)] if start.bridge else []), *carried]

    def _fade(self, steps: int) -> str:
        """What a bridge of so many steps keeps beside the net."""
        parent, entries = self.spec.parent, self.spec.mapping or ()
        kept = sum(entry.parameters for entry in entries if entry.source)
        ends = (parent.net.parameters if parent else 0) - kept
        return (
            f"the parent's ends fade out over the first {steps:,} steps: until then {ends:,} "
            "parameters more are computed with, frozen and in no checkpoint"
        )

    @property
    def net(self) -> Net:
        """The graph, with shapes and parameters."""
        return self.spec.net

    @cached_property
    def table(self) -> TensorTable:
        """The parameters by name: shape, dtype, component, and how each is drawn."""
        return TensorTable.of(self.net)

    @cached_property
    def costs(self) -> tuple[ComponentCost, ...]:
        """Parameters, FLOPs and saved activations of each component, for one image."""
        return tuple(component_costs(self.net))

    @cached_property
    def schedule(self) -> tuple[Phase, ...]:
        """The phases of the recipe, with numbers for `auto` where its steps are known."""
        return tuple(self.spec.phases(self.recipe)) if self.recipe else ()

    @cached_property
    def phases(self) -> tuple[PhaseCost, ...]:
        """What each phase of the recipe trains, and the bytes of its state."""
        return tuple(phase_cost(self.net, phase) for phase in self.schedule)

    def memory(
        self,
        devices: int = 1,
        limit: str | int | None = None,
        *,
        micro_batch: int | None = None,
        activation_checkpointing: bool = False,
    ) -> Memory:
        """What each of some GPUs holds in the phases of the recipe, which FSDP2 spreads.

        `limit` is the memory of one, such as "80GB": `fits` and `finding` say whether it is enough,
        `nearest` the nearest setting with which it is. `micro_batch` are the images of one pass.
        Raises GrowlangError if there is no recipe, or if a device would get no image.
        """
        from growlang.fitting import Memory, require_spread, size_of
        from growlang.plans.memory import Setting

        least = {"devices": devices, "micro_batch": micro_batch or 1}
        for name, value in least.items():
            if value < 1:
                raise GrowlangError(f"`{name}` must be at least 1, but is {value}")
        size = size_of(limit) if isinstance(limit, str) else limit
        require_spread(self.spec, self.recipe, devices)
        recipe = recipe_of(self.spec, self.recipe).name
        return Memory(
            self.spec, recipe, Setting(devices, micro_batch, activation_checkpointing), size
        )

    @property
    def code(self) -> str:
        """The code of the module's forward pass, as `--emit fx` prints it."""
        return self.module("meta").code.strip()

    def module(self, device: torch.device | str = "cpu", seed: int | None = 0) -> LoweredNet:
        """The module, called with the values of `net.inputs` in their order.

        Its tensors are drawn from `seed`, as training draws them; with None, or on the device
        `meta`, they have no values yet. Its state dict has the names of `table`, and no buffers.
        Raises GrowlangError if PyTorch is not installed, or if this machine has no such device.
        """
        require_torch("a module")
        from growlang.torch_backend.device import open_device
        from growlang.torch_backend.initialisation import initialise
        from growlang.torch_backend.lower import lower

        device = "meta" if str(device) == "meta" else open_device(str(device))
        drawn = seed is not None and device != "meta"
        module = lower(self.net, "meta" if drawn else device)
        _require_declared(module, self.net)
        if drawn and seed is not None:
            initialise(module, self.net, seed, device)
        return module

    def save(
        self,
        path: str | Path,
        weights: nn.Module | Mapping[str, torch.Tensor],
        *,
        overwrite: bool = False,
    ) -> Path:
        """Write a module's weights, or a state dict, as one safetensors file; returns its path.

        The file says what net it is of, so that `growlang diff` reads it; where the spec has a
        recipe, also how to sample from it, as if trained by that recipe. It is written whole or
        not at all. Raises GrowlangError if the file exists and `overwrite` is not given, or if the
        tensors are not the net's, or not finite.
        """
        require_torch("a file of weights")
        from growlang.atomic import whole
        from growlang.torch_backend.tensor_files import write_tensors

        path = Path(path)
        if path.exists() and not overwrite:
            raise GrowlangError(
                f"{path} already exists", help="choose another path, or give `overwrite=True`"
            )
        if not path.parent.is_dir():
            raise GrowlangError(f"cannot write {path}: there is no folder {path.parent}")
        tensors = usable(weights, self.net)
        with whole(path) as temporary:
            write_tensors(temporary, tensors, self.metadata)
        return path

    @property
    def metadata(self) -> dict[str, str]:
        """What a file of the spec's weights says of itself: the net, and how to sample from it."""
        from growlang.plans.weights_header import header

        hashes = {"net_hash": self.spec.net_hash, "spec_hash": self.spec.spec_hash}
        last = self.schedule[-1].settings if self.schedule else None
        return header(self.net.to_json(), hashes, last, self.spec.resolved.sample)

    def html(self) -> str:
        """A page with the net, its costs and its phases: one HTML file, which loads nothing."""
        from growlang.pages.costs import Costly, costs

        planned = (self.recipe, self.costs, self.schedule, self.phases)
        return costs(Costly(self.net, *planned, self.verdicts, self.remarks))

    def as_json(self) -> dict[str, Any]:
        """The net with its hashes, totals, components, tensors and the phases of the recipe."""
        net, parent = self.net, self.spec.parent
        return {
            "format_version": FORMAT_VERSION,
            "model": net.name,
            "parent": parent.name if parent else None,
            "net_hash": net.net_hash,
            "spec_hash": self.spec.spec_hash,
            "totals": {
                "parameters": net.parameters,
                "tensors": len(net.table),
                "flops": sum(c.flops for c in self.costs),
                "saved": sum(c.saved for c in self.costs),
            },
            "components": [
                {
                    "name": c.name,
                    "kind": c.output.kind,
                    "output": list(c.output.dims),
                    "tensors": c.tensors,
                    "parameters": c.parameters,
                    "flops": c.flops,
                    "saved": c.saved,
                }
                for c in self.costs
            ],
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "recipe": self.recipe,
            "phases": [asdict(phase) for phase in self.phases],
            "auto": [choice.as_json() for choice in choices(self.schedule)],
            "tensors": [{"name": t.name, "shape": list(t.shape)} for t in net.tensors()],
        }


def compiled(checked: Checked, recipe: str | None = None) -> Compiled:
    """A compiled spec, with the costs of a recipe: by default the first, where there is one.

    Raises GrowlangError if there is no recipe of that name.
    """
    if recipe is None and not checked.recipes:
        return Compiled(checked, None)
    return Compiled(checked, recipe_of(checked, recipe).name)


def _require_declared(module: nn.Module, net: Net) -> None:
    """Raise RuntimeError unless the module's parameters are those that the net declares."""
    built = {name: tuple(p.shape) for name, p in module.named_parameters()}
    declared = {name: t.shape for name, t in net.table.items()}
    if built != declared:
        names = sorted(set(built.items()) ^ set(declared.items()))
        raise RuntimeError(f"the graph's parameters are not the net's: {names[:4]}")


def usable(weights: nn.Module | Mapping[str, torch.Tensor], net: Net) -> Mapping[str, torch.Tensor]:
    """The state dict of a module, or the one that is given.

    Raises GrowlangError unless its tensors are a net's, in a dtype that is read, and finite.
    """
    from growlang.plans.fit import differences

    tensors = weights if isinstance(weights, Mapping) else weights.state_dict()
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    found = differences(given, {name: t.shape for name, t in net.table.items()})
    if found:
        raise GrowlangError(
            f"the weights do not fit the net {net.name}:" + "".join(f"\n  {d}" for d in found)
        )
    for name, tensor in tensors.items():
        if tensor.is_meta:
            raise GrowlangError(f"`{name}` has no values: it is on the device `meta`")
        if str(tensor.dtype).removeprefix("torch.") not in WEIGHT_DTYPES:
            raise GrowlangError(
                f"`{name}` is {tensor.dtype}; weights are {', '.join(WEIGHT_DTYPES)}",
                help="convert it first: `tensor.float()`",
            )
        if not tensor.isfinite().all():
            raise GrowlangError(f"the weights are not finite: `{name}` holds NaN or infinity")
    return tensors
