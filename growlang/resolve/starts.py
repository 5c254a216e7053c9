"""Resolves where a recipe starts from: scratch, the parent's weights, or a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from growlang.resolve.arguments import read
from growlang.resolve.names import HOLE, Names
from growlang.spec.forms import Choices
from growlang.spec.recipe import MOMENTS, Carry, Start
from growlang.syntax import document as d


def start_of(
    settings: Mapping[str, d.Binding], scope: Names, parent_recipes: Sequence[str] | None
) -> Start | None:
    """The start of a recipe; None, with findings, where it was refused.

    `parent_recipes` are the names of the parent's recipes; None where the model has no parent.
    """
    start: Start | None = Start() if parent_recipes is None else Start(origin="parent")
    if "start" in settings:
        start = _origin(settings["start"].value, scope, parent_recipes)
    if start is None:
        return None
    if "transition" in settings:
        start = start.model_copy(update={"bridge": _bridge(settings["transition"], scope)})
    moments = "reset" if start.ema else "carry"
    if "moments" not in settings:
        return start.model_copy(update={"moments": moments})
    written = settings["moments"].value
    value = read(written, Choices(("carry", "reset"), MOMENTS), scope)
    if isinstance(value, Carry):
        return start.model_copy(update={"moments": "carry", "new_moments": value.new})
    if value in ("carry", "reset"):
        return start.model_copy(update={"moments": value})
    if value is not HOLE:
        message = "`moments` must be `carry` or `reset`"
        help = "write `moments = carry`, or `carry(new = reset)` if what is new has no moments"
        scope.findings.add("G201", message, written.span, help=help)
    return None


def _origin(
    value: d.Expression, scope: Names, parent_recipes: Sequence[str] | None
) -> Start | None:
    """What `start` says, before `moments`."""
    message, help = (
        "invalid `start`",
        ('choose scratch | parent | parent.ema | parent(recipe = "name") | "path"'),
    )
    match value:
        case d.Name("scratch"):
            return Start()
        case d.Constant(str(path)):
            return Start(origin="path", path=path)
        case d.Name("parent" | "parent.ema" as path):
            found: Start | None = Start(origin="parent", ema=path == "parent.ema")
        case d.Call("parent", arguments):
            found = _called(arguments)
            message = "`parent(...)` takes `recipe` and `ema`"
            help = 'write `start = parent(recipe = "main", ema = true)`, or a number for `ema`'
        case _:
            found = None
    if found is not None and parent_recipes is None:
        found, message = None, "the recipe starts from a parent, but the model has none"
        help = "write `start = scratch`, or name a parent with `grows`"
    elif found is not None and found.recipe not in (None, *(parent_recipes or ())):
        message = f"the parent has no recipe `{found.recipe}`"
        help = f"its recipes: {', '.join(parent_recipes or ()) or 'none'}"
        found = None
    if found is None:
        scope.findings.add("G405", message, value.span, help=help)
    return found


def _called(arguments: Sequence[d.Argument]) -> Start | None:
    """What `parent(...)` says; None where it takes no such arguments."""
    given = {a.name or "recipe": a.value for a in arguments}
    recipe, ema = given.pop("recipe", None), given.pop("ema", None)
    if given or not isinstance(recipe, d.Constant | None):
        return None
    chosen = ema.value if isinstance(ema, d.Constant) else None
    number = chosen if type(chosen) is int and chosen >= 0 else None
    if ema is not None and not (isinstance(chosen, bool) or number is not None):
        return None
    name = str(recipe.value) if recipe else None
    used = chosen is True or number is not None
    return Start(origin="parent", recipe=name, ema=used, average=number or 0)


def _bridge(binding: d.Binding, scope: Names) -> int | None:
    """The steps of a bridge; None where the parent's function is discarded, or was refused."""
    from growlang.rules import TRANSITIONS
    from growlang.rules.bridge import Bridge

    value = read(binding.value, Choices(("discard",), TRANSITIONS), scope)
    if isinstance(value, Bridge):
        return value.for_
    if value not in ("discard", HOLE):
        message = "`transition` must be `discard` or `bridge(for = N)`"
        scope.findings.add("G201", message, binding.value.span)
    return None
