"""The compiled spec as JSON, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from growlang.checking import Checked
from growlang.planning import recipe_of
from growlang.plans.cost import component_costs, phase_cost

FORMAT_VERSION = 1


def as_json(checked: Checked, recipe: str | None = None) -> dict[str, Any]:
    """The net with its hashes, totals, components, tensors and the phases of a recipe."""
    net = checked.net
    costs = component_costs(net)
    name = recipe_of(checked, recipe).name if recipe or checked.resolved.recipes else None
    return {
        "format_version": FORMAT_VERSION,
        "model": net.name,
        "parent": checked.parent.net.name if checked.parent else None,
        "net_hash": net.net_hash,
        "spec_hash": checked.resolved.spec_hash,
        "totals": {
            "parameters": net.parameters,
            "tensors": len(net.table),
            "flops": sum(c.flops for c in costs),
            "saved": sum(c.saved for c in costs),
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
            for c in costs
        ],
        "recipe": name,
        "phases": [asdict(phase_cost(net, p)) for p in (checked.phases(name) if name else [])],
        "tensors": [{"name": t.name, "shape": list(t.shape)} for t in net.tensors()],
    }
