"""Whether the objective of a recipe fits the images of its model, and the sampler the objective."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from growlang.diagnostics import Diagnostic, Note, Span
from growlang.ops.noise_level import Fourier
from growlang.resolve.agreement import placed
from growlang.resolve.recipes import RecipeDraft
from growlang.spec.model import Image
from growlang.spec.objectives import Diffusion
from growlang.spec.recipe import Sample
from growlang.syntax import document as d


def refuse_too_many_steps(
    sample: Sample, sections: Sequence[Sequence[d.Binding]], recipes: Sequence[RecipeDraft]
) -> Iterator[Diagnostic]:
    """Refuse a sampler with more steps than a recipe's noise schedule has levels."""
    steps = sample.sampler.steps
    for recipe in recipes:
        known = [o.schedule.levels() for o in recipe.objectives if isinstance(o, Diffusion)]
        levels = min((count for count in known if count is not None), default=None)
        if levels is None or steps <= levels:
            continue
        place, is_number = _place(sections)
        call = f"{sample.sampler.call}({levels})"
        mend = str(levels) if is_number else call if place else f"sampler = {call}"
        note = Note(f"recipe `{recipe.name}` is here", recipe.span)
        yield Diagnostic(
            "G471",
            f"the sampler `{sample.sampler.call}` has {steps:,} steps, but recipe "
            f"`{recipe.name}` trains at {levels:,} noise levels",
            place or recipe.span,
            f"write `{mend}`",
            (note,) if place else (),
        )
        return


def refuse_misfit_scales(
    image: Image | None, recipes: Sequence[RecipeDraft], declared: Sequence[d.Recipe]
) -> Iterator[Diagnostic]:
    """Refuse scales of a loss that are no divisors of the image."""
    height, width = image.extent if image else (0, 0)
    own = {recipe.name: recipe for recipe in declared}
    for recipe in recipes:
        diffusions = [o for o in recipe.objectives if isinstance(o, Diffusion)]
        scales = list(dict.fromkeys(scale for o in diffusions for scale in o.scales))
        wrong = [scale for scale in scales if height % scale or width % scale]
        if not wrong:
            continue
        fit = [scale for scale in scales if scale not in wrong] or [1]
        yield Diagnostic(
            "G472",
            f"recipe `{recipe.name}` cannot average {wrong[0]} x {wrong[0]} pixels of images of "
            f"{height} x {width}",
            placed(own[recipe.name], "scales") or recipe.span,
            f"write `[{', '.join(map(str, fit))}]`",
        )


def refuse_stepless(
    time: Fourier | None, recipes: Sequence[RecipeDraft], declared: Sequence[d.Recipe]
) -> Iterator[Diagnostic]:
    """Refuse objectives without discrete noise levels for a model that reads their number."""
    if time is None or time.of != "step":
        return
    own = {recipe.name: recipe for recipe in declared}
    for recipe in recipes:
        levels = [
            o.schedule.levels() if isinstance(o, Diffusion) else None for o in recipe.objectives
        ]
        if None not in levels:
            continue
        call = recipe.objectives[levels.index(None)].call
        mend = "add `schedule = linear_beta()`" if call == Diffusion.call else "write `diffusion`"
        yield Diagnostic(
            "G473",
            f"`time` reads the step of a noise level, and recipe `{recipe.name}` has none: the "
            f"levels of its `{call}` are continuous",
            placed(own[recipe.name], "schedule") or recipe.span,
            f"{mend}; or let `time` read `of = t`",
        )
        return


def refuse_variance(
    recipes: Sequence[RecipeDraft], declared: Sequence[d.Recipe]
) -> Iterator[Diagnostic]:
    """Refuse to learn a variance of the steps between noise levels that are continuous."""
    own = {recipe.name: recipe for recipe in declared}
    for recipe in recipes:
        learning = (o for o in recipe.objectives if isinstance(o, Diffusion))
        for objective in learning:
            if objective.variance == "fixed" or objective.schedule.levels() is not None:
                continue
            yield Diagnostic(
                "G473",
                f"recipe `{recipe.name}` learns the variance of steps between noise levels, and "
                f"those of the schedule `{objective.schedule.call}` are continuous",
                placed(own[recipe.name], "schedule") or recipe.span,
                "add `schedule = linear_beta()`; or write `variance = fixed`",
            )
            break


def _place(sections: Sequence[Sequence[d.Binding]]) -> tuple[Span | None, bool]:
    """Where the steps of the sampler stand, or the sampler; and whether it is the steps."""
    found = next((b.value for level in sections for b in level if b.name == "sampler"), None)
    given = found.arguments if isinstance(found, d.Call) else ()
    steps = next((a.value.span for a in given if a.name in ("steps", "")), None)
    return steps or (found.span if found else None), steps is not None
