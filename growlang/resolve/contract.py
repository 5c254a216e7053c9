"""Resolves the growth contract: what a child keeps, drops and moves of its parent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from growlang.diagnostics import Findings, Note, Span
from growlang.net import ComponentName
from growlang.resolve.arguments import bind
from growlang.resolve.names import Names
from growlang.rules.base import Rule
from growlang.spec.model import Model
from growlang.spec.selectors import Places, available, component_of, is_open
from growlang.spec.words import INITS, meant
from growlang.syntax import document as d

INDEXED = ("stage", "retained")
"""The components that are told by a number."""


class Growing(NamedTuple):
    """A component that grows, and the rules by which."""

    span: Span
    rules: tuple[Rule, ...]
    places: tuple[Span, ...]
    """Where each rule stands."""
    is_sound: bool = True
    """Whether no rule was refused, so that they say all that was meant."""


class Initial(NamedTuple):
    """One place of an `init`, and what it begins as."""

    selector: d.Selector
    value: str
    like: d.Selector | None
    span: Span

    def __str__(self) -> str:
        return f"like {self.like}" if self.like else self.value


@dataclass(frozen=True)
class Contract:
    """The statements of a child about its parent's components, by component."""

    keep: Mapping[ComponentName, Span] = field(default_factory=dict)
    drop: Mapping[ComponentName, Span] = field(default_factory=dict)
    retain: Mapping[ComponentName, Span] = field(default_factory=dict)
    moved: Sequence[d.Moved] = ()
    inits: Sequence[Initial] = ()
    grow: Mapping[ComponentName, Growing] = field(default_factory=dict)
    renamed: Mapping[ComponentName, ComponentName] = field(default_factory=dict)
    """The child's name of each condition and stage of the parent that a `moved` renames."""
    doubtful: bool = False
    """Whether a statement names nothing in the parent: what it was to speak of is unknown."""

    def silent(self, components: Iterable[ComponentName]) -> list[ComponentName]:
        """The parent's components of which no statement speaks."""
        moved = {name for m in self.moved for name in component_of(m.old.steps, components)}
        return [n for n in components if self.place(n) is None and n not in moved]

    def taken(self, component: ComponentName) -> Span | None:
        """Where it is said that a component's tensors are the parent's, whole and unchanged."""
        first = next(iter(self.retain.values()), None) if component.is_retained else None
        return self.keep.get(component, first)

    def place(self, component: ComponentName) -> Span | None:
        """Where a component is kept, dropped, retained or grown."""
        tables = (self.keep, self.drop, self.retain)
        grown = self.grow.get(after) if (after := _after(component, self.renamed)) else None
        said = next((table[component] for table in tables if component in table), None)
        return said or (grown and grown.span)


def contract(model: d.Model, parent: Model | None, scope: Names) -> Contract:
    """What the model's growth statements say, each held against the parent's components."""
    declared = _declared(model)
    renamed = _renamed(model, declared, parent, scope.findings)
    reading = _Reading(parent.components() if parent else [], scope.findings, renamed)
    for statement in model.statements:
        if isinstance(statement, d.Binding | d.Slot):
            continue
        if model.grows is None:
            scope.findings.add(
                "G307",
                "growth statement in a model without a parent",
                statement.span,
                help=f'name the parent: `model {model.name} grows "parent.grow" {{`',
            )
        elif parent is not None:
            reading.take(statement, declared, scope)
        elif isinstance(statement, d.GrowBy):
            _rules(statement, scope)
    return Contract(
        reading.keep,
        reading.drop,
        reading.retain,
        tuple(reading.moved),
        tuple(reading.inits),
        reading.grow,
        renamed,
        reading.doubtful,
    )


@dataclass
class _Reading:
    """Takes the statements one by one; `known` are the parent's components."""

    known: Sequence[ComponentName]
    findings: Findings
    renamed: Mapping[ComponentName, ComponentName]
    keep: dict[ComponentName, Span] = field(default_factory=dict)
    drop: dict[ComponentName, Span] = field(default_factory=dict)
    retain: dict[ComponentName, Span] = field(default_factory=dict)
    moved: list[d.Moved] = field(default_factory=list)
    inits: list[Initial] = field(default_factory=list)
    grow: dict[ComponentName, Growing] = field(default_factory=dict)
    doubtful: bool = False

    def take(self, statement: d.ModelStatement, declared: set[str], scope: Names) -> None:
        match statement:
            case d.Verb(verb, selection):
                table = {"keep": self.keep, "drop": self.drop, "retain": self.retain}[verb]
                for name, span in self._components(selection, verb):
                    if self._is_free(name, span, verb):
                        table[name] = span
            case d.GrowBy(selection):
                rules = _rules(statement, scope)
                spans = {rule.name: rule.span for rule in statement.rules}
                places = tuple(spans[rule.call] for rule in rules)
                for name, span in self._components(selection, "grow"):
                    if not self._is_free(name, span, "grow"):
                        continue
                    is_sound = len(rules) == len(statement.rules)
                    self.grow[name] = Growing(span, rules, places, is_sound)
                    if name not in declared:
                        self._undeclared(name, span)
            case d.Moved():
                self._moved(statement)
            case d.Init():
                self._init(statement)

    def _misses(self, message: str, span: Span, help: str) -> None:
        """A finding about a statement that names nothing of the parent's."""
        self.findings.add("G304", message, span, help=help)
        self.doubtful = True

    def _moved(self, statement: d.Moved) -> None:
        """Take a `moved`, whose places are looked up in both nets."""
        for selector in (statement.old, statement.new):
            if is_open(selector):
                help = "write the range, such as `core.transformer[0..3]`, or the place around it"
                message = f"`moved` takes a place or a range, not `{selector}`"
                self._misses(message, selector.span, help)
                return
        if component_of(statement.old.steps, self.known):
            self.moved.append(statement)
        else:
            self._unknown(statement.old)

    def _init(self, statement: d.Init) -> None:
        """Take an `init`, whose places are looked up in the child's net."""
        if statement.value not in INITS:
            self.findings.add(
                "G201",
                f"`init` takes {' | '.join(INITS)} SELECTOR, not `{statement.value}`",
                statement.span,
                help=f"write `init {', '.join(map(str, statement.selectors))} = zero`",
            )
            return
        for selector in statement.selectors:
            other = next((i for i in self.inits if i.selector.steps == selector.steps), None)
            if other is None:
                stated = Initial(selector, statement.value, statement.like, statement.span)
                self.inits.append(stated)
                continue
            self.findings.add(
                "G306",
                f"`init {selector}` is repeated",
                selector.span,
                help="remove one of them",
                notes=[Note("the other is here", other.selector.span)],
            )

    def _undeclared(self, name: ComponentName, span: Span) -> None:
        """A finding about a component that grows, and of which nothing tells how large."""
        self.findings.add(
            "G321",
            f"`{name.selector}` grows, but is not declared here: nothing says how large it becomes",
            span,
            help=f"declare `{name.slot} ...` with its new numbers, or `keep {name.selector}`",
        )

    def _is_free(self, name: ComponentName, span: Span, verb: str) -> bool:
        """Whether no other statement speaks of a component; else a finding says which does.

        `grow` names it as the child does, the others as the parent does.
        """
        source, target = self._source(name) if verb == "grow" else name, name
        if verb != "grow":
            target = _after(name, self.renamed) or (name if verb == "keep" else ComponentName(""))
        grown, tables = self.grow.get(target), (self.keep, self.drop, self.retain)
        said = next((table[source] for table in tables if source in table), None)
        if verb == "grow":
            said = said or self.keep.get(name)
        other = said or (grown and grown.span)
        if other is None:
            return True
        both = said is None and verb == "grow"
        if grown and both:  # their rules together may be what was meant
            self.grow[name] = grown._replace(is_sound=False)
        self.findings.add(
            "G306",
            f"`{name}` has conflicting growth statements",
            span,
            help="write their rules in one `grow`" if both else "remove one of the statements",
            notes=[Note("the other is here", other)],
        )
        return False

    def _source(self, name: ComponentName) -> ComponentName:
        """The parent's component that one of the child's comes from."""
        return next((old for old, new in self.renamed.items() if new == name), name)

    def _components(self, selection: d.Selection, verb: str) -> list[tuple[ComponentName, Span]]:
        """The components that a selection names, each with its place."""
        excluded = {n for s in selection.excluded for n in self._one(s, verb)}
        included = [(n, s.span) for s in selection.included for n in self._one(s, verb)]
        if included and excluded.issuperset(name for name, _ in included):
            message = f"`{selection}` selects nothing: `except` removes all of it"
            self._misses(message, selection.span, f"remove this `{verb}`")
        return [(name, span) for name, span in included if name not in excluded]

    def _one(self, selector: d.Selector, verb: str) -> Iterable[ComponentName]:
        steps, here = selector.steps, self.known
        if verb == "grow":  # it names what the child has
            here = [self.renamed.get(name, name) for name in here if _after(name, self.renamed)]
        if len(steps) == 1 and steps[0] == d.Step("all"):
            return here
        names = component_of(steps, here)
        moved = [name for name in component_of(steps, self.known) if name in self.renamed]
        if moved and not names and verb == "grow":
            old, new = moved[0].selector, self.renamed[moved[0]].selector
            message = f"the parent's `{old}` moves to `{new}`, and no other one is here"
            self._misses(message, selector.span, f"write `{new}`")
            return []
        is_part = steps[0].name not in INDEXED and steps[0].at is not None
        if not names and not (is_part and steps[0].name in self.known):
            self._unknown(selector)
            return []
        if names and (past := Places(self.known, []).past_the_end(_first(selector))):
            self._misses(f"`{selector}` {past.message}", selector.span, past.help)
        elif steps[1:] or is_part:
            place = steps[0].name if is_part else f"{steps[0]}"
            other = f"; or `drop {place}`, with `moved` for what to keep" * (verb != "grow")
            self._misses(
                f"`{verb}` takes whole components, not `{selector}`",
                selector.span,
                f"write `{verb} {place}`{other}",
            )
            return []
        return names

    def _unknown(self, selector: d.Selector) -> None:
        help = available(_first(selector), self.known, [])
        self._misses(f"the parent has no component `{selector}`", selector.span, help)


def _first(selector: d.Selector) -> d.Selector:
    """The component that a selector begins with."""
    return d.Selector(selector.steps[:1], selector.span)


def _after(
    name: ComponentName, renamed: Mapping[ComponentName, ComponentName]
) -> ComponentName | None:
    """The child's name of one of the parent's components; None where another has that name."""
    if name not in renamed and name in renamed.values():
        return None
    return renamed.get(name, name)


def _renamed(
    model: d.Model, declared: set[str], parent: Model | None, findings: Findings
) -> dict[ComponentName, ComponentName]:
    """The parent's conditions and stages that are moved to another of the model's."""
    known = [*parent.conditions, *(stage.name for stage in parent.stages)] if parent else []
    olds = [whole(m.old) for m in model.statements if isinstance(m, d.Moved)]
    found: dict[ComponentName, ComponentName] = {}
    places: dict[ComponentName, d.Moved] = {}
    for moved in model.statements:
        sides = (whole(moved.old), whole(moved.new)) if isinstance(moved, d.Moved) else ()
        if not isinstance(moved, d.Moved) or not all(sides):
            continue
        old, new = (ComponentName(side or "") for side in sides)
        is_renamed = (
            old != new
            and old in known
            and new in declared
            and old.is_stage == new.is_stage
            and olds.count(old) == 1
        )
        if new in places and (is_renamed or new in found.values()):
            first = places[new]
            message = f"`{first.old}` and `{moved.old}` both move to `{moved.new}`"
            notes = [Note("the other is here", first.span)]
            findings.add("G306", message, moved.span, help="remove one of them", notes=notes)
        elif is_renamed:
            found[old] = new
        places.setdefault(new, moved)
    return found


def whole(selector: d.Selector) -> ComponentName | None:
    """The condition or stage that a selector is all of, if it is of one."""
    first, *rest = selector.steps
    if rest:
        return None
    if first.at is None:
        return ComponentName(first.name)
    is_one = isinstance(first.at, tuple) and first.at[0] == first.at[1]
    return ComponentName.of_stage(int(first.at[0])) if is_one and first.name == "stage" else None


def _declared(model: d.Model) -> set[str]:
    """The components that a model declares, as far as its text alone tells them."""
    found: set[str] = set()
    for statement in model.statements:
        match statement:
            case d.Binding(name):
                found.add(name)
            case d.Slot("stage", d.Constant(int(at))):
                found.add(ComponentName.of_stage(at))
            case d.Slot(kind):
                found.add(kind)
    return found


def _rules(statement: d.GrowBy, scope: Names) -> tuple[Rule, ...]:
    """The rules of a `grow`, each once; findings about those that there are not."""
    from growlang.rules import RULES, in_order

    found: dict[str, Rule] = {}
    for rule in statement.rules:
        if rule.name not in RULES:
            rules, place = f"the rules are {' | '.join(RULES)}", rule.name_span
            help, edits = meant(place, rule.name, RULES, rules, "call")
            message = f"unknown rule `{rule.name}`"
            scope.findings.add("G106", message, place, help=help, edits=edits)
        elif rule.name in found:
            message = f"`{rule.name}` stands twice in one `grow`"
            scope.findings.add("G306", message, rule.name_span, help="remove one of them")
        elif isinstance(value := bind(rule, RULES[rule.name], scope).value, Rule):
            found[rule.name] = value
    return tuple(in_order(found.values()))
