"""Holds the recipes of a spec against an older version: are trained weights still read alike?

The nets may be equal, and yet weights that were trained to predict one thing be sampled, or grown
from, as if they predicted another.
"""

from __future__ import annotations

from collections.abc import Iterator

from growlang.diagnostics import Diagnostic, Note
from growlang.resolve.spec import Resolved
from growlang.spec.objectives import meaning_changes
from growlang.tools.changed import Place, Setting, Side, changed_setting


def changed_objectives(old: Side, new: Side, ref: str) -> Iterator[Diagnostic]:
    """A finding about each change of a prediction or a noise schedule since `ref`.

    Recipes that inherit one objective share the finding.
    """
    past, now = old.checked, new.checked
    before = {recipe.name: recipe for recipe in past.resolved.recipes}
    found: dict[tuple[Place, tuple[str, ...]], list[str]] = {}
    for recipe in now.resolved.recipes:
        former = before.get(recipe.name, recipe)
        changes = meaning_changes(former.settings.objective, recipe.settings.objective)
        if changes:
            own, former_own = (_objective(s.resolved, recipe.name) for s in (now, past))
            place = changed_setting(former_own, own, old, new) if own else Place(recipe.span)
            found.setdefault((place, changes), []).append(recipe.name)
    for (place, changes), names in found.items():
        was = _objective(past.resolved, names[0])
        notes = (Note("the objective before the change", was.binding.value.span),) if was else ()
        recipes = "recipe" + "s" * (len(names) > 1)
        yield Diagnostic(
            "G311",
            f"weights of `{now.net.name}` that {recipes} {', '.join(f'`{n}`' for n in names)} "
            f"trained at {ref} would be misread: {'; '.join(changes)}",
            place.span,
            "revert, or put the new objective in a recipe with another name and train that",
            place.notes or notes,
        )


def _objective(resolved: Resolved | None, recipe: str) -> Setting | None:
    """Where the objective is written that a recipe has; None where it is the default."""
    while resolved is not None:
        named = [r for r in resolved.document.recipes if r.name == recipe]
        for settings in (r.settings for r in [*named, *resolved.document.recipes[:1]]):
            for binding in settings:
                if binding.name == "objective":
                    return Setting(binding, resolved.scope)
        resolved, recipe = resolved.parent, ""
    return None
