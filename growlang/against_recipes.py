"""Holds the recipes of a spec against an older version: are trained weights still read alike?

The nets may be equal, and yet weights that were trained to predict one thing be sampled, or grown
from, as if they predicted another.
"""

from __future__ import annotations

from collections.abc import Iterator

from growlang.check import Checked
from growlang.diagnostics import Diagnostic, Note, Span
from growlang.objectives import meaning_changes
from growlang.resolve.spec import Resolved


def changed_objectives(past: Checked, now: Checked, ref: str) -> Iterator[Diagnostic]:
    """A finding about each change of a prediction or a noise schedule since `ref`.

    Recipes that inherit one objective share the finding.
    """
    before = {recipe.name: recipe for recipe in past.resolved.recipes}
    found: dict[tuple[Span, tuple[str, ...]], list[str]] = {}
    for recipe in now.resolved.recipes:
        former = before.get(recipe.name, recipe)
        changes = meaning_changes(former.settings.objective, recipe.settings.objective)
        if changes:
            place = _objective(now.resolved, recipe.name) or recipe.span
            found.setdefault((place, changes), []).append(recipe.name)
    for (place, changes), names in found.items():
        was = _objective(past.resolved, names[0])
        recipes = "recipe" + "s" * (len(names) > 1)
        yield Diagnostic(
            "G311",
            f"weights of `{now.net.name}` that {recipes} {', '.join(f'`{n}`' for n in names)} "
            f"trained at {ref} would be misread: {'; '.join(changes)}",
            place,
            "revert; or write the other objective in a recipe of another name, and train that",
            (Note("the objective as it was", was),) if was else (),
        )


def _objective(resolved: Resolved | None, recipe: str) -> Span | None:
    """Where the objective is written that a recipe has; None where it is the default."""
    while resolved is not None:
        named = [r for r in resolved.document.recipes if r.name == recipe]
        for settings in (r.settings for r in [*named, *resolved.document.recipes[:1]]):
            for binding in settings:
                if binding.name == "objective":
                    return binding.value.span
        resolved, recipe = resolved.parent, ""
    return None
