"""The schedule of a recipe: its phases with every selector looked up in the net."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from growlang.diagnostics import Diagnostic, Note, Span
from growlang.net import ComponentName, Net
from growlang.net.generations import Held, held_by
from growlang.resolve.recipes import PhaseDraft, RecipeDraft
from growlang.spec.automatic import chosen
from growlang.spec.recipe import Phase
from growlang.spec.selectors import Places
from growlang.syntax import document as d


def schedule(recipe: RecipeDraft, net: Net) -> list[Phase]:
    """The phases of a recipe, with names of tensors for selectors, and numbers for `auto`."""
    places, held = places_of(net), held_by(net)
    return chosen([_phase(draft, places, held) for draft in recipe.phases])


def places_of(net: Net) -> Places:
    """What the selectors of a net's recipes may name."""
    return _places(tuple(c.name for c in net.components), tuple(net.table))


@lru_cache(maxsize=4)
def _places(components: tuple[ComponentName, ...], names: tuple[str, ...]) -> Places:
    """Nets of the same names share what was looked up, such as those of one spec under edit."""
    return Places(components, names)


def check_schedule(recipe: RecipeDraft, places: Places, held: Held) -> Iterator[Diagnostic]:
    """Refuse selectors that match nothing, and phases that train nothing."""
    for draft in recipe.phases:
        for selection in draft.freeze:
            yield from _misses_of(selection, places, "freeze")
        for selection in draft.release:
            yield from _misses_of(selection, places, "train")
            yield from _released_in_vain(selection, places, held)
        for selector, _ in draft.lr_scale:
            yield from _misses(selector, places, selector.span)
        if _frozen(draft, places, held).issuperset(places.names):
            yield Diagnostic(
                "G401",
                f"phase `{draft.phase.name}` freezes every tensor",
                draft.freeze[-1].span if draft.freeze else draft.span,
                "freeze fewer components, such as `freeze core`",
            )
    yield from _random_for_ever(recipe, places, held)


def refuse_unlearned_variance(
    recipe: RecipeDraft, net: Net, head: Span | None
) -> Iterator[Diagnostic]:
    """Refuse a head with channels for a variance that the recipe's objective does not learn."""
    if net.of_tokens or net.predicts:
        return
    has_both = net.result.width != net.image.width
    said = [getattr(o, "variance", "fixed") == "learned" for o in recipe.objectives]
    learned = not has_both
    if learned not in said:
        return
    channels, ends = net.image.width, net.result.width
    if learned:
        why = f"recipe `{recipe.name}` learns a variance, and the head ends with {ends} channels"
        help = f"end the head with {2 * channels}, such as `unpatch(2, channels = {2 * channels})`"
    else:
        why = f"the head ends with {ends} channels, of which recipe `{recipe.name}` trains "
        why += f"{channels}: its objective learns no variance"
        help = f"end the head with the {channels} channels of the image, or learn a variance with "
        help += "`diffusion(schedule = linear_beta(), variance = learned)`"
    notes = (Note("the head is here", head),) if head else ()
    yield Diagnostic("G204", why, recipe.span, help, notes)


def _misses_of(selection: d.Selection, places: Places, verb: str) -> Iterator[Diagnostic]:
    """What is wrong with a selection that matches nothing, or less than it says."""
    for selector in (*selection.included, *selection.excluded):
        yield from _misses(selector, places, selector.span)
    if not places.chosen(selection) and any(map(places.matching, selection.included)):
        message = f"`{selection}` selects nothing: `except` removes all of it"
        yield Diagnostic("G402", message, selection.span, f"remove this `{verb}`")


def _released_in_vain(selection: d.Selection, places: Places, held: Held) -> Iterator[Diagnostic]:
    """Refuse to release what nothing holds: what is not frozen trains anyway."""
    chosen = places.chosen(selection)
    if chosen and not chosen & held.old:
        why = "retained ends hold none of it" if held.old else "the model retains no ends"
        message = f"`train {selection}` releases nothing: {why}"
        yield Diagnostic("G402", message, selection.span, "remove it: what no phase freezes trains")


def _random_for_ever(recipe: RecipeDraft, places: Places, held: Held) -> Iterator[Diagnostic]:
    """Refuse that what retained ends hold begins at random, and no phase ever trains it."""
    released = [places.chosen(s) for draft in recipe.phases for s in draft.release]
    if recipe.start.origin == "scratch" and held.old.difference(*released):
        yield Diagnostic(
            "G405",
            f"recipe `{recipe.name}` starts from scratch, and the retained ends would stay random",
            recipe.span,
            "start from the parent, or write `train all` in a phase",
        )


def check_components(recipe: d.Recipe, components: list[ComponentName]) -> Iterator[Diagnostic]:
    """Hold the first step of each selector against the components of a model.

    For recipes that have no schedule, since they or their model were refused.
    """
    places = Places(components, [])
    for statement in (s for phase in recipe.phases for s in phase.statements):
        chosen: tuple[d.Selector, ...] = ()
        if isinstance(statement, d.Freeze | d.Release):
            chosen = (*statement.selection.included, *statement.selection.excluded)
        elif isinstance(statement, d.LrScale):
            chosen = (statement.selector,)
        for selector in chosen:
            first = d.Selector(selector.steps[:1], selector.span)
            yield from _misses(first, places, selector.span)


def _phase(draft: PhaseDraft, places: Places, held: Held) -> Phase:
    frozen = _frozen(draft, places, held)
    scales = {n: factor for s, factor in draft.lr_scale for n in places.matching(s)}
    return draft.phase.model_copy(
        update={
            "frozen": [n for n in places.names if n in frozen],
            "released": [],
            "lr_scale": {n: scales[n] for n in places.names if n in scales and n not in frozen},
        }
    )


def _frozen(draft: PhaseDraft, places: Places, held: Held) -> frozenset[str]:
    """The tensors and components that a phase does not train."""
    kept = held.old.difference(*map(places.chosen, draft.release))
    return held.measured.union(kept, *map(places.chosen, draft.freeze))


def _misses(selector: d.Selector, places: Places, span: Span) -> Iterator[Diagnostic]:
    """What is wrong with a selector that matches nothing, or less than it says."""
    if not places.matching(selector):
        yield Diagnostic("G402", f"`{selector}` matches nothing", span, places.available(selector))
    elif past := places.past_the_end(selector):
        yield Diagnostic("G402", f"`{selector}` {past.message}", span, past.help)
