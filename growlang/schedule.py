"""The schedule of a recipe: its phases with every selector looked up in the net."""

from __future__ import annotations

from growlang.diagnostics import Findings, Span
from growlang.net import Net
from growlang.resolve.names import suggestion
from growlang.resolve.recipes import PhaseDraft, RecipeDraft
from growlang.selectors import matching, select
from growlang.spec import Phase
from growlang.syntax.document import Selector


def schedule(recipe: RecipeDraft, net: Net, findings: Findings) -> list[Phase]:
    """The phases of a recipe, with names of tensors for selectors."""
    return [_phase(draft, net, findings) for draft in recipe.phases]


def _phase(draft: PhaseDraft, net: Net, findings: Findings) -> Phase:
    components = [c.name for c in net.components]
    names = list(net.table)
    frozen: set[str] = set()
    for selection in draft.freeze:
        for selector in (*selection.included, *selection.excluded):
            _matched(selector, components, names, selector.span, findings)
        frozen |= select(selection, components, names)
    scales: dict[str, float] = {}
    for selector, factor in draft.lr_scale:
        for name in _matched(selector, components, names, selector.span, findings):
            scales[name] = factor
    trained = [n for n in names if n not in frozen]
    if not trained:
        place = draft.freeze[-1].span if draft.freeze else draft.span
        findings.add(
            "G401", f"phase `{draft.phase.name}` freezes every tensor", place,
            help="freeze fewer components, such as `freeze core`",
        )
    return draft.phase.model_copy(
        update={
            "frozen": [n for n in names if n in frozen],
            "lr_scale": {n: scales[n] for n in trained if n in scales},
        }
    )


def _matched(
    selector: Selector, components: list[str], names: list[str], span: Span, findings: Findings
) -> set[str]:
    found = matching(selector, components, names)
    if not found:
        first = str(selector.steps[0])
        known = [c.replace(".", "[", 1) + "]" if c.startswith("stage.") else c for c in components]
        help = suggestion(first, known) if first not in known else ""
        findings.add(
            "G402", f"`{selector}` matches nothing", span,
            help=help or f"there are {', '.join(known)}" + _inside(selector, components, names),
        )
    return found


def _inside(selector: Selector, components: list[str], names: list[str]) -> str:
    """What stands below the selector's component, where that exists."""
    start = Selector(selector.steps[:1], selector.span)
    below = matching(start, [], names)
    depth = 1 + (selector.steps[0].index is not None)
    parts = sorted({n.split(".")[depth] for n in below if n.count(".") > depth})
    return f"; below `{start}`: {', '.join(parts)}" if parts else ""
