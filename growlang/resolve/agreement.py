"""Whether a child that retains ends trains at the noise levels and for the prediction of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isclose, log

from growlang.diagnostics import Diagnostic, Note, Span
from growlang.resolve.model import Resolution
from growlang.resolve.recipes import RecipeDraft
from growlang.spec.objectives import Diffusion, Objective, written
from growlang.spec.schedules import Cosine, CosineBeta, LinearBeta, Schedule
from growlang.syntax import document as d

CLOSE = 1e-6
"""Nats between two shifts that are the same but for how they are written."""


def refuse_disagreement(
    resolution: Resolution,
    parent: Resolution,
    recipes: Sequence[RecipeDraft],
    parents: Sequence[RecipeDraft],
    declared: Sequence[d.Recipe],
) -> Iterator[Diagnostic]:
    """Refuse recipes whose objective is not that with which the retained ends were trained.

    `parents` are the recipes of the parent, `declared` those of the child as they are written.
    """
    own = {recipe.name: recipe for recipe in declared}
    if resolution.model.predicted or parent.model.predicted:
        return  # no image fades or is retained, which is told of the ends themselves
    for recipe in recipes:
        if not (resolution.generations or recipe.start.bridge):
            continue
        first = parents[0] if parents else None
        before = next((p for p in parents if p.name == recipe.start.recipe), first)
        tried = (_disagreement(resolution, parent, new, before) for new in recipe.objectives)
        found = next(filter(None, tried), None)
        if found is None:
            continue
        argument, message, help = found
        place = placed(own[recipe.name], argument) or recipe.span
        notes = _where(before) if before else ()
        yield Diagnostic("G332", f"recipe `{recipe.name}`: {message}", place, help, notes)


def _where(parent: RecipeDraft) -> tuple[Note, ...]:
    return (Note(f"recipe `{parent.name}` of the parent is here", parent.span),)


def _disagreement(
    resolution: Resolution, parent: Resolution, new: Objective, before: RecipeDraft | None
) -> tuple[str, str, str] | None:
    """Which argument of an objective is not as before, what is wrong with it, and its mend."""
    found = _another_path(resolution, new, before)
    return found or (_difference(resolution, parent, new, before) if before else None)


def _another_path(
    resolution: Resolution, new: Objective, before: RecipeDraft | None
) -> tuple[str, str, str] | None:
    """The same, of objectives whose noisy images are not joined as those of `diffusion`."""
    old = before.settings.objective if before else Diffusion()
    if isinstance(new, Diffusion) and isinstance(old, Diffusion):
        return None
    if isinstance(old, Diffusion):
        what = "the parent's ends need"
        return "", f"{what} the objective `diffusion`, not `{new.call}`", "write `diffusion`"
    retained = bool(resolution.generations)
    what = "the parent's ends can be retained" if retained else "the parent can fade"
    help = "drop the ends instead of retaining them" if retained else "write `discard`"
    message = f"{what} only if it was trained with `diffusion`, not `{old.call}`"
    return "transition", message, help


def placed(recipe: d.Recipe, argument: str) -> Span | None:
    """Where a recipe states an argument of its objective, or else that; or its `transition`."""
    if argument == "transition":
        return next((s.value.span for s in recipe.settings if s.name == argument), recipe.name_span)
    phases = (s for phase in recipe.phases for s in phase.statements)
    own = [*recipe.settings, *(s for s in phases if isinstance(s, d.Binding))]
    value = next((s.value for s in own if s.name == "objective"), None)
    given = value.arguments if isinstance(value, d.Call) else ()
    found = next((a.value for a in given if a.name == argument), value)
    return found.span if found else None


def _difference(
    resolution: Resolution, parent: Resolution, new: Objective, before: RecipeDraft
) -> tuple[str, str, str] | None:
    """The same, of two objectives `diffusion`."""
    old = before.settings.objective
    if not (isinstance(new, Diffusion) and isinstance(old, Diffusion)):
        return None
    predict = resolution.generations[-1].predict if resolution.generations else old.predict
    for whose, objective in (("", new), ("the parent's ", old)):
        if objective.predict != predict:
            message = f"{whose}`predict` is `{objective.predict}`, and the parent's ends predict "
            return "predict", f"{message}`{predict}`", f"write `{predict}`"
    time = resolution.model.time
    if time is None or time.embed == "raw":
        return None
    image, smaller = resolution.model.image, parent.model.image
    if image is None or smaller is None or not min(image.extent):
        return None
    sizes = min(smaller.extent), min(image.extent)
    found = _levels(old.schedule, new.schedule, *sizes)
    return found and ("schedule", *found)


def _levels(old: Schedule, new: Schedule, smaller: int, larger: int) -> tuple[str, str] | None:
    """Whether at every time the reduced image has the noise level that the retained ends expect.

    D of an image k times as large has log-SNR + 2 ln k, with the same reference.
    """
    gain = 2 * log(larger / smaller)
    before, now = old.shifts(smaller), new.shifts(larger)
    ends = [(getattr(s, "min", None), getattr(s, "max", None)) for s in (old, new)]
    message = (
        f"the schedule {written(new)} gives the parent's ends other noise levels than they were "
        f"trained with under {written(old)}"
    )
    if before is None or now is None:
        return message, f"write `{written(old)}`"
    if ends[0] == ends[1] and all(
        isclose(a, b + gain, abs_tol=CLOSE) for a, b in zip(before, now, strict=True)
    ):
        return None
    if isinstance(old, LinearBeta | CosineBeta):
        return message, "drop the ends instead of retaining them, or write `discard`"
    if isinstance(old, Cosine) and old.base is None:
        old = old.model_copy(update={"shift": round(before[0] - gain, 9)})
    return message, f"write `{written(old)}`"
