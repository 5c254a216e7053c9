"""Warns of settings of training and sampling that are valid and cannot do what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from growlang.diagnostics import Diagnostic, Findings, Note, Span
from growlang.resolve.recipes import RecipeDraft
from growlang.resolve.spec import Resolved
from growlang.spec.feasibility import LongWarmup, long_warmups, never_dropped
from growlang.spec.lengths import Misfit
from growlang.spec.warmups import counted
from growlang.syntax import document as d


def warn_doubtful(resolved: Resolved, findings: Findings) -> None:
    """Warn of warm-ups that never end, of guidance without dropped conditions, of what is idle."""
    written = {recipe.name: recipe for recipe in resolved.document.recipes}
    for draft in resolved.recipes:
        recipe = written[draft.name]
        for long in long_warmups([*counted([phase.phase for phase in draft.phases])]):
            _warn_warmup(long, recipe, resolved, findings)
        _warn_guidance(draft, recipe, resolved, findings)
    _warn_detail(resolved, findings)
    _warn_idle_guidance(resolved, findings)


def _warn_warmup(
    long: LongWarmup, recipe: d.Recipe, resolved: Resolved, findings: Findings
) -> None:
    phase = next((p for p in recipe.phases if p.name == long.phase), None)
    whole = f"phase `{phase.name}`" if phase else f"recipe `{recipe.name}`"
    levels = [_bindings(phase) if phase else (), recipe.settings, *resolved.first_recipes()]
    span, notes = _place(long.setting, levels, phase or recipe, recipe)
    if phase and not phase.span.covers(span):
        notes.append(Note("the phase has its own schedule", phase.name_span))
    findings.add(
        "G406",
        f"`{long.setting}` is {long.warmup:,} steps, but {whole} has {long.steps:,}: the learning "
        "rate never reaches its full value",
        span,
        help=f"write `{long.setting} = {long.steps // 20}` in {whole}, or make it longer",
        notes=notes,
    )


def _warn_guidance(
    draft: RecipeDraft, recipe: d.Recipe, resolved: Resolved, findings: Findings
) -> None:
    last = draft.phases[-1].phase.settings.objective if draft.phases else draft.settings.objective
    guidance, drop = resolved.sample.guidance, last.dropped()
    all_ = resolved.model.conditions if resolved.model else {}
    conditions = [name for name, condition in all_.items() if condition.can_be_null]
    kept = never_dropped(drop, conditions)
    if guidance == 1 or not kept:
        return
    levels = [*map(_bindings, recipe.phases[-1:]), recipe.settings, *resolved.first_recipes()]
    span, notes = _place("objective", levels, recipe, recipe)
    places = [b.value.span for b in _named("guidance", resolved.sections("sample"))]
    notes += [Note("guidance set here", place) for place in places[:1]]
    mended = "0.1"
    if isinstance(drop, Mapping):
        mended = "[" + ", ".join(f"{n} = {drop.get(n) or 0.1:g}" for n in conditions) + "]"
    findings.add(
        "G407",
        f"`guidance = {guidance:g}` compares with images without a condition, but recipe "
        f"`{recipe.name}` never drops {', '.join(f'`{name}`' for name in kept)}",
        span,
        help=f"write `drop = {mended}` in the objective, or `guidance = 1` in `sample`",
        notes=notes,
    )


def misfit_found(misfit: Misfit, recipe: str, resolved: Resolved) -> Diagnostic:
    """A setting that does not fit the length of a recipe, as a finding where it is written."""
    written = next(r for r in resolved.document.recipes if r.name == recipe)
    model = resolved.document.models[0]
    levels = [*map(_bindings, reversed(written.phases)), written.settings]
    span, notes = _place(misfit.name, [*levels, *resolved.first_recipes()], written, written)
    if misfit.code == "G412":
        bindings = [s for s in model.statements if isinstance(s, d.Binding)]
        bound = next(_named(misfit.name, [bindings]), None)
        span, notes = (bound.span if bound else model.name_span), []
    return Diagnostic(misfit.code, misfit.message, span, misfit.help, tuple(notes))


def _warn_detail(resolved: Resolved, findings: Findings) -> None:
    if resolved.model is None or resolved.model.retained:
        return
    own = resolved.sections("sample")[0]
    for binding in own:
        if binding.name in resolved.sample.says_of_detail:
            findings.add(
                "G334",
                f"`{binding.name}` has no effect: the model retains no ends",
                binding.span,
                help="remove it",
            )


def _warn_idle_guidance(resolved: Resolved, findings: Findings) -> None:
    if resolved.sample.guidance != 1:
        return
    for binding in resolved.sections("sample")[0]:
        if binding.name in resolved.sample.says_of_guidance:
            findings.add(
                "G470",
                f"`{binding.name}` has no effect: `guidance` is 1",
                binding.span,
                help="remove it, or set `guidance` to a number such as 2",
            )


def _place(
    name: str, levels: Sequence[Sequence[d.Binding]], owner: d.Recipe | d.Phase, recipe: d.Recipe
) -> tuple[Span, list[Note]]:
    """Where a recipe sets it; where it inherits it, the owner's name and a note on where from."""
    found = next(_named(name, levels), None)
    if found is not None and recipe.span.covers(found.span):
        return _written(found.value), []
    return owner.name_span, [Note("set here", _written(found.value))] if found else []


def _written(value: d.Expression) -> Span:
    """Where a value stands; of an objective its `drop`, where it has one."""
    arguments = value.arguments if isinstance(value, d.Call) else ()
    return next((a.value.span for a in arguments if a.name == "drop"), value.span)


def _named(name: str, levels: Sequence[Sequence[d.Binding]]) -> Iterator[d.Binding]:
    return (b for level in levels for b in level if b.name == name)


def _bindings(phase: d.Phase) -> tuple[d.Binding, ...]:
    return tuple(s for s in phase.statements if isinstance(s, d.Binding))
