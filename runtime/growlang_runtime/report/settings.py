"""The settings of a run as one flat table, for boards and for comparing two runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from growlang.diagnostics.literals import literal
from growlang.net import ComponentName
from growlang.plans.plan import Plan
from growlang.spec.recipe import Phase

Value = str | int | float | bool


def settings_of(plan: Plan) -> dict[str, Value]:
    """What a run was trained with, by name: `optimizer.adamw.lr`; of one phase, `joint: batch`.

    A setting that all phases share has no phase in its name.
    """
    said: dict[str, Value] = {
        "model": plan.model,
        "recipe": plan.recipe,
        "net": plan.net_hash[:12],
        "start": _start(plan),
    }
    counts = [phase.steps for phase in plan.phases]
    if None not in counts:
        said["steps"] = sum(count or 0 for count in counts)
    said |= {f"set {name}": _value(value) for name, value in plan.params.items()}
    phases = {phase.name: dict(_phase(phase)) for phase in plan.phases}
    if len(phases) > 1:
        for phase in plan.phases:
            phases[phase.name]["length"] = phase.steps or 0
    for name in dict.fromkeys(name for values in phases.values() for name in values):
        given = {phase: values.get(name, "") for phase, values in phases.items()}
        if len(set(given.values())) == 1 and "" not in given.values():
            said[name] = next(iter(given.values()))
        else:
            said |= {f"{phase}: {name}": value for phase, value in given.items()}
    if plan.validation:
        said |= _flat(plan.validation.model_dump(mode="json", exclude={"transform"}), "validate")
    return said | dict(_flat(plan.sample.model_dump(mode="json"), "sample"))


def differing(a: dict[str, Value], b: dict[str, Value]) -> list[tuple[str, str, str]]:
    """The names whose values differ, with both; an absent value is empty."""
    names = [*a, *(name for name in b if name not in a)]
    pairs = ((name, a.get(name, ""), b.get(name, "")) for name in names)
    return [(name, str(old), str(new)) for name, old, new in pairs if old != new]


def _start(plan: Plan) -> str:
    if plan.start.origin == "path":
        return plan.start.path or ""
    if plan.parent is None or plan.start.origin == "scratch":
        return "scratch"
    return f"{plan.parent.model}/{plan.parent.recipe}, moments = {plan.start.moments}"


def _phase(phase: Phase) -> Iterator[tuple[str, Value]]:
    if phase.epochs is not None:
        yield "epochs", phase.epochs
    if phase.frozen:
        yield "frozen", _tensors(phase.frozen)
    if phase.lr_scale:
        factors = {f: [n for n, of in phase.lr_scale.items() if of == f] for f in _scales(phase)}
        yield "lr_scale", ", ".join(f"{f:g} on {_tensors(n)}" for f, n in factors.items())
    if phase.rewarm:
        yield "rewarm", phase.rewarm
    yield from _flat(phase.settings.model_dump(mode="json"))


def _scales(phase: Phase) -> list[float]:
    return list(dict.fromkeys(phase.lr_scale.values()))


def _tensors(names: Sequence[str]) -> str:
    parts = dict.fromkeys(str(ComponentName.of_tensor(name)) for name in names)
    return f"{len(names):,} of {', '.join(parts)}"


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Value]]:
    """The leaves of JSON; what stands for nothing is left out."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for i, item in enumerate(value):
            named = item.get("name", next(iter(item), i)) if isinstance(item, dict) else i
            yield from _flat(item, f"{path}.{named}")
    elif value is not None:
        yield path, _value(value)


def _value(value: Any) -> Value:
    return value if isinstance(value, str | int | float | bool) else literal(value)
