"""Resolves the growth contract: what a child keeps, drops and moves of its parent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from growlang.diagnostics import Findings, Note, Span
from growlang.model import Model
from growlang.resolve.arguments import bind
from growlang.resolve.names import Scope
from growlang.resolve.redeclare import moved_over
from growlang.resolve.words import INITS, meant
from growlang.rules import RULES
from growlang.selectors import available, component_of, is_many
from growlang.syntax import document as d

SAME_SHAPES = {"deepen", "resize"}
"""Rules under which the tensors of ops keep their shapes."""


@dataclass
class Contract:
    """The statements of a child about its parent's components, by component."""

    keep: dict[str, Span] = field(default_factory=dict)
    drop: dict[str, Span] = field(default_factory=dict)
    moved: list[d.Moved] = field(default_factory=list)
    inits: list[d.Init] = field(default_factory=list)
    waiting: dict[str, Span] = field(default_factory=dict)
    """Components of `grow ... by`, whose rules are not available yet."""

    def place(self, component: str) -> Span | None:
        """Where a component is kept, dropped or grown."""
        return self.keep.get(component) or self.drop.get(component) or self.waiting.get(component)


def contract(model: d.Model, parent: Model | None, scope: Scope) -> Contract:
    """What the model's growth statements say, each held against the parent's components."""
    found, findings = Contract(), scope.findings
    for statement in model.statements:
        if isinstance(statement, d.Binding | d.Slot):
            continue
        if model.grows is None:
            findings.add(
                "G307",
                "a growth statement stands in a model without a parent",
                statement.span,
                help=f'name the parent: `model {model.name} grows "parent.grow" {{`',
            )
            continue
        if isinstance(statement, d.GrowBy):
            _grow(statement, scope, model, parent)
        if parent is None:
            continue
        known = parent.components()
        match statement:
            case d.Verb(verb, selection):
                table = found.keep if verb == "keep" else found.drop
                for name, span in _components(selection, known, verb, findings):
                    _account(found, name, span, table, findings)
            case d.GrowBy(selection):
                for name, span in _components(selection, known, "grow", findings):
                    _account(found, name, span, found.waiting, findings)
            case d.Moved(old, new):
                if many := [s for s in (old, new) if is_many(s)]:
                    findings.add(
                        "G304",
                        f"`moved` takes one place, not `{many[0]}`",
                        many[0].span,
                        help="write a statement for each place",
                    )
                elif component_of(old.steps, known):
                    found.moved.append(statement)
                else:
                    _unknown(old, known, findings)
            case d.Init():
                _init(statement, found, findings)
    return found


def _grow(statement: d.GrowBy, scope: Scope, model: d.Model, parent: Model | None) -> None:
    """Check the rules of a `grow`, which this version cannot apply."""
    for rule in statement.rules:
        if rule.name in RULES:
            bind(rule, RULES[rule.name], scope)
            continue
        rules, place = f"the rules are {' | '.join(RULES)}", rule.name_span
        help, edits = meant(place, rule.name, RULES, rules, "call")
        message = f"there is no rule `{rule.name}`"
        scope.findings.add("G106", message, place, help=help, edits=edits)
    what = statement.selection
    again = f"`drop {what}` and redeclare it; `init PART = like PART` starts a part of the same "
    again += "shapes from the parent's values"
    slots = {s.kind for s in model.statements if isinstance(s, d.Slot)}
    declared = [s for s in what.included if s.steps[0].name in slots]
    name = component_of(declared[0].steps, parent.components()) if declared and parent else []
    if parent and name:
        same = {rule.name for rule in statement.rules} <= SAME_SHAPES
        help = f"write `drop {what}` instead" + moved_over(name[0], parent) * same
    else:
        help = f"`keep {what}`, or {again}"
    scope.findings.add(
        "G211",
        f"`grow {what} by ...` cannot be built by this version: it copies tensors as they are",
        statement.span,
        help=help,
    )


def _init(statement: d.Init, found: Contract, findings: Findings) -> None:
    """Take an `init`, whose places are looked up in the child's net."""
    if statement.value not in INITS:
        findings.add(
            "G201",
            f"a place begins as {' | '.join(INITS)} SELECTOR, not as `{statement.value}`",
            statement.span,
            help=f"write `init {statement.selector} = zero`",
        )
        return
    text = str(statement.selector)
    if other := next((i for i in found.inits if str(i.selector) == text), None):
        findings.add(
            "G306",
            f"`init {text}` is there twice",
            statement.span,
            help="remove one of the statements",
            notes=[Note("the other is here", other.span)],
        )
        return
    found.inits.append(statement)


def _account(
    found: Contract, name: str, span: Span, table: dict[str, Span], findings: Findings
) -> None:
    other = found.place(name)
    if other is None:
        table[name] = span
        return
    findings.add(
        "G306",
        f"`{name}` is spoken of twice",
        span,
        help="remove one of the statements",
        notes=[Note("the other is here", other)],
    )


def _components(
    selection: d.Selection, known: list[str], verb: str, findings: Findings
) -> list[tuple[str, Span]]:
    """The components that a selection names, each with its place."""
    excluded = {n for s in selection.excluded for n in _one(s, known, verb, findings)}
    included = [(n, s.span) for s in selection.included for n in _one(s, known, verb, findings)]
    if included and excluded.issuperset(name for name, _ in included):
        message = f"`{selection}` selects nothing: `except` takes all of it away"
        findings.add("G304", message, selection.span, help=f"remove this `{verb}`")
    return [(name, span) for name, span in included if name not in excluded]


def _one(selector: d.Selector, known: list[str], verb: str, findings: Findings) -> Iterable[str]:
    steps = selector.steps
    if len(steps) == 1 and steps[0] == d.Step("all"):
        return known
    names = component_of(steps, known)
    if not names:
        _unknown(selector, known, findings)
    elif len(steps) > 1 or (steps[0].name != "stage" and steps[0].at is not None):
        findings.add(
            "G304",
            f"`{verb}` takes whole components, not `{selector}`",
            selector.span,
            help=f"write `{verb} {steps[0]}`, or `moved` for a part",
        )
        return []
    return names


def _unknown(selector: d.Selector, known: list[str], findings: Findings) -> None:
    help = available(d.Selector(selector.steps[:1], selector.span), known, [])
    findings.add("G304", f"the parent has no component `{selector}`", selector.span, help=help)
