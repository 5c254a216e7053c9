"""Reads what a phase says of its learning rate and its averages: `lr`, `rewarm`, `lr_scale`."""

from __future__ import annotations

from collections.abc import Mapping

from growlang.diagnostics import Note
from growlang.diagnostics.literals import literal
from growlang.resolve.names import HOLE, Names, evaluate, origins
from growlang.spec.averages import count_of
from growlang.spec.optimizers import with_rate
from growlang.spec.rates import CosineDecay
from growlang.spec.recipe import Settings
from growlang.syntax import document as d


def with_lr(settings: Settings, binding: d.Binding, scope: Names) -> Settings | None:
    """The settings at a phase's `lr`; None, with a finding, where it is no rate."""
    value = evaluate(binding.value, scope)
    if value is HOLE:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        scope.findings.add(
            "G201",
            f"`lr` must be a number above 0, not `{literal(value)}`",
            binding.value.span,
            notes=origins(binding.value, scope),
        )
        return None
    optimizer = with_rate(settings.optimizer, float(value))
    return settings.model_copy(update={"optimizer": optimizer})


def rewarm_of(binding: d.Binding | None, scope: Names) -> int | None:
    """Steps of a phase's `rewarm`; None, with a finding, where they are no steps."""
    value = evaluate(binding.value, scope) if binding else 0
    if binding is None or value is HOLE or (type(value) is int and value >= 0):
        return None if value is HOLE else value
    scope.findings.add(
        "G201",
        f"`rewarm` must be a whole number of steps, at least 0, not `{literal(value)}`",
        binding.value.span,
        help="write a number of steps, such as `rewarm = 1k`",
        notes=origins(binding.value, scope),
    )
    return None


def factor_of(statement: d.LrScale, scope: Names) -> float | None:
    """The factor of an `lr_scale`; None, with a finding, where it is none."""
    value = evaluate(statement.factor, scope)
    if value is HOLE:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        scope.findings.add(
            "G201",
            f"a factor must be a number of at least 0, not `{literal(value)}`",
            statement.factor.span,
        )
        return None
    return float(value)


def refuse_risen(
    settings: Settings, table: Mapping[str, d.Binding], lr: d.Binding | None, scope: Names
) -> None:
    """Refuse a cosine whose `min` is no less than the learning rate that it falls from."""
    schedule, rate = settings.lr_schedule, settings.optimizer.lr
    if not isinstance(schedule, CosineDecay) or schedule.min < rate:
        return
    written = table["lr_schedule"].value
    arguments = written.arguments if isinstance(written, d.Call) else ()
    place = next((a.value for a in arguments if a.name in ("", "min")), written)
    rates = [lr] if lr else [table["optimizer"]] if "optimizer" in table else []
    scope.findings.add(
        "G201",
        f"`min` must be less than the learning rate {literal(rate)}, not `{literal(schedule.min)}`",
        place.span,
        help=f"write the learning rate at the end, such as `min = {literal(rate / 10)}`",
        notes=[Note("the learning rate is set here", b.value.span) for b in rates],
    )


def refuse_other_averages(
    settings: Settings, base: Settings, binding: d.Binding, scope: Names
) -> None:
    """Refuse a phase that has another number of averages: they go on from phase to phase."""
    own, all_ = count_of(settings.ema), count_of(base.ema)
    if own != all_:
        scope.findings.add(
            "G201",
            f"the phase has {own} average{'s' * (own > 1)} of the weights, and its recipe {all_}",
            binding.value.span,
            help=f"write {all_} in the phase too: averages go on from phase to phase",
        )
