"""Makes the `Plan` of one recipe of a checked spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from growlang.checking import Checked
from growlang.diagnostics import GrowlangError
from growlang.growth.accounting import all_initialised
from growlang.resolve.recipes import RecipeDraft

if TYPE_CHECKING:
    from growlang.plans.plan import Plan


def recipe_of(checked: Checked, name: str | None) -> RecipeDraft:
    """The recipe of that name, or the first. Raises GrowlangError where there is none."""
    recipes = checked.resolved.recipes
    if not recipes:
        raise GrowlangError(
            f"{checked.resolved.path} has no recipe, so it cannot be trained",
            help="add one: `train { data = ...  batch = 256  phase main for 100k }`",
        )
    for recipe in recipes:
        if name in (None, recipe.name):
            return recipe
    known = ", ".join(r.name for r in recipes)
    raise GrowlangError(
        f"{checked.resolved.path} has no recipe `{name}`", help=f"its recipes: {known}"
    )


def plan(checked: Checked, recipe_name: str | None = None) -> Plan:
    """The plan of a recipe: net, mapping, schedule and settings, all decided.

    Raises GrowlangError where the spec has no such recipe.
    """
    from growlang.plans.plan import DRAWS, SEMANTICS, ParentPlan, Plan

    resolved, recipe = checked.resolved, recipe_of(checked, recipe_name)
    start = recipe.start
    parent = checked.parent if start.origin != "scratch" else None
    parent_plan = None
    if parent is not None:
        name = start.recipe or recipe_of(parent, None).name
        start = start.model_copy(update={"recipe": name})
        parent_plan = ParentPlan(
            spec=str(parent.resolved.path),
            model=parent.net.name,
            recipe=name,
            net=parent.net.to_json(),
            net_hash=parent.net.net_hash,
            spec_hash=parent.resolved.spec_hash,
            declared=plan(parent, name).lineage,
        )
    mapping = checked.mapping if parent is not None and checked.mapping else None
    return Plan(
        spec=str(resolved.path),
        source=checked.text,
        params=dict(checked.params),
        model=checked.net.name,
        recipe=recipe.name,
        net=checked.net.to_json(),
        net_hash=checked.net.net_hash,
        spec_hash=resolved.spec_hash,
        parent=parent_plan,
        start=start,
        mapping=mapping or all_initialised(checked.net),
        phases=checked.phases(recipe.name),
        sample=resolved.sample,
        evaluate=resolved.evaluate,
        validation=recipe.validation,
        semantics=SEMANTICS,
        draws=DRAWS,
    )
