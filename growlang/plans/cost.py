"""What a net costs: parameters, FLOPs and bytes, per component and per phase."""

from __future__ import annotations

from dataclasses import dataclass

from growlang.net import Net, Shape
from growlang.spec.averages import count_of
from growlang.spec.optimizers import Muon
from growlang.spec.recipe import Phase

ACTIVATION_BYTES = 4
"""Bytes of an activation in fp32; with bf16 some are kept in two bytes, norms and sums in four."""
STATE_BYTES = 4
"""Bytes of a weight, a gradient or a moment: they are kept in fp32."""


@dataclass(frozen=True, slots=True)
class ComponentCost:
    """Cost of one component for one image; `flops` are of one forward pass."""

    name: str
    output: Shape
    tensors: int
    parameters: int
    flops: int
    saved: int
    """Scalars that the backward pass keeps."""


@dataclass(frozen=True, slots=True)
class PhaseCost:
    """What one phase trains, and what its state takes on one device, in bytes."""

    name: str
    steps: int | None
    epochs: float | None
    batch: int
    trainable: int
    frozen: int
    weights: int
    ema: int
    gradients: int
    moments: int

    @property
    def state(self) -> int:
        """Bytes of weights, their average, gradients and moments together."""
        return self.weights + self.ema + self.gradients + self.moments


def component_costs(net: Net) -> list[ComponentCost]:
    """The cost of each component, in the order of the data."""
    costs = []
    for component in net.components:
        nodes = net.of(component.name)
        costs.append(
            ComponentCost(
                component.name,
                component.output,
                tensors=sum(len(n.tensors) for n in nodes),
                parameters=sum(n.parameters for n in nodes),
                flops=sum(n.flops for n in nodes),
                saved=sum(n.saved for n in nodes),
            )
        )
    return costs


def phase_cost(net: Net, phase: Phase) -> PhaseCost:
    """What a phase trains and holds, the moments by its optimizer.

    Gradients are held for trainable tensors only. The moments of tensors that an earlier phase
    trained are kept through a freeze; here they are counted for the trainable ones. The matrices of
    Muon have one moment.
    """
    frozen = sum(net.table[name].parameters for name in phase.frozen)
    total = net.parameters
    trainable = total - frozen
    once, each = 0, len(phase.settings.optimizer.moments())
    if isinstance(phase.settings.optimizer, Muon):
        from growlang.plans.matrices import matrices

        once = sum(net.table[n].parameters for n in matrices(net) if n not in set(phase.frozen))
    return PhaseCost(
        phase.name,
        phase.steps,
        phase.epochs,
        phase.settings.batch,
        trainable,
        frozen,
        weights=total * STATE_BYTES,
        ema=total * STATE_BYTES * count_of(phase.settings.ema),
        gradients=trainable * STATE_BYTES,
        moments=(each * trainable - once) * STATE_BYTES,
    )
