"""The schedule of a recipe: its phases with every selector looked up in the net."""

from __future__ import annotations

from growlang.diagnostics import Findings, Span
from growlang.net import Net
from growlang.resolve.recipes import PhaseDraft, RecipeDraft
from growlang.selectors import available, matching
from growlang.spec import Phase
from growlang.syntax import document as d


def schedule(recipe: RecipeDraft, net: Net, findings: Findings) -> list[Phase]:
    """The phases of a recipe, with names of tensors for selectors."""
    return [_phase(draft, net, findings) for draft in recipe.phases]


def check_components(recipe: d.Recipe, components: list[str], findings: Findings) -> None:
    """Hold the first step of each selector against the components of a model.

    For recipes that have no schedule, since they or their model were refused.
    """
    for statement in (s for phase in recipe.phases for s in phase.statements):
        chosen: tuple[d.Selector, ...] = ()
        if isinstance(statement, d.Freeze):
            chosen = (*statement.selection.included, *statement.selection.excluded)
        elif isinstance(statement, d.LrScale):
            chosen = (statement.selector,)
        for selector in chosen:
            first = d.Selector(selector.steps[:1], selector.span)
            _matched(first, components, [], selector.span, findings)


def _phase(draft: PhaseDraft, net: Net, findings: Findings) -> Phase:
    components = [c.name for c in net.components]
    names = list(net.table)
    frozen: set[str] = set()
    for selection in draft.freeze:
        included, excluded = (
            {n for s in chosen for n in _matched(s, components, names, s.span, findings)}
            for chosen in (selection.included, selection.excluded)
        )
        if included and excluded >= included:
            message = f"`{selection}` selects nothing: `except` takes all of it away"
            findings.add("G402", message, selection.span, help="remove this `freeze`")
        frozen |= included - excluded
    scales: dict[str, float] = {}
    for selector, factor in draft.lr_scale:
        for name in _matched(selector, components, names, selector.span, findings):
            scales[name] = factor
    trained = [n for n in names if n not in frozen]
    if not trained:
        place = draft.freeze[-1].span if draft.freeze else draft.span
        findings.add(
            "G401",
            f"phase `{draft.phase.name}` freezes every tensor",
            place,
            help="freeze fewer components, such as `freeze core`",
        )
    return draft.phase.model_copy(
        update={
            "frozen": [n for n in names if n in frozen],
            "lr_scale": {n: scales[n] for n in trained if n in scales},
        }
    )


def _matched(
    selector: d.Selector, components: list[str], names: list[str], span: Span, findings: Findings
) -> set[str]:
    found = matching(selector, components, names)
    if not found:
        findings.add(
            "G402",
            f"`{selector}` matches nothing",
            span,
            help=available(selector, components, names),
        )
    return found
