"""Whether a model is sampled as its objective allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from growlang.diagnostics import Diagnostic, Note, Span
from growlang.resolve.recipes import RecipeDraft
from growlang.spec.objectives import Diffusion
from growlang.spec.recipe import Sample
from growlang.syntax import document as d


def refuse_too_many_steps(
    sample: Sample, sections: Sequence[Sequence[d.Binding]], recipes: Sequence[RecipeDraft]
) -> Iterator[Diagnostic]:
    """Refuse a sampler with more steps than a recipe's noise schedule has levels."""
    steps = sample.sampler.steps
    for recipe in recipes:
        objective = recipe.settings.objective
        levels = objective.schedule.levels() if isinstance(objective, Diffusion) else None
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


def _place(sections: Sequence[Sequence[d.Binding]]) -> tuple[Span | None, bool]:
    """Where the steps of the sampler stand, or the sampler; and whether it is the steps."""
    found = next((b.value for level in sections for b in level if b.name == "sampler"), None)
    given = found.arguments if isinstance(found, d.Call) else ()
    steps = next((a.value.span for a in given if a.name in ("steps", "")), None)
    return steps or (found.span if found else None), steps is not None
