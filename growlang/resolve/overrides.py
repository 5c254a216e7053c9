"""Settings that are given beside a file, by their paths, put where the file would say them.

`train.RECIPE.optimizer.lr`, `train.RECIPE.phase.NAME.lr`, `sample.guidance`, `data.NAME.urls`: the
document is as if they were written in it, each with its place on the command line, so that all that
is said of what is written is said of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from growlang.diagnostics import Findings, Span
from growlang.diagnostics.spelling import suggestion
from growlang.signatures.signature import Signature
from growlang.spec.data import DATA
from growlang.spec.forms import Choices, choices, form
from growlang.spec.recipe import Evaluate, Sample, Settings
from growlang.spec.words import PHASE_SETTINGS, RUN_SETTINGS
from growlang.syntax import document as d
from growlang.syntax.grow import read
from growlang.syntax.unparse import expression

COMMAND_LINE = "--set"
"""What stands for the file in the places of what is given, one a line."""
SECTIONS: Mapping[str, type[BaseModel]] = {"sample": Sample, "evaluate": Evaluate}
WAYS = "train.SETTING, train.RECIPE.phase.NAME.SETTING, sample.SETTING, evaluate.SETTING, data.NAME"
Statement = d.Binding | d.Freeze | d.Release | d.LrScale
S = TypeVar("S", bound=Statement)
Levels = Sequence[Sequence[d.Binding]]
"""Settings in the order in which a value that is left out is looked for."""


class Word(NamedTuple):
    """A word of a path, and its place."""

    name: str
    span: Span


class Given(NamedTuple):
    """`--set PATH=VALUE`; the path has two words at least."""

    path: tuple[Word, ...]
    value: d.Expression

    @property
    def span(self) -> Span:
        """Its place."""
        return self.path[0].span.to(self.value.span)


class Refused(Exception):
    """What a setting that cannot be put anywhere is told; the finding is recorded."""


class Inherited(NamedTuple):
    """What the ancestors of a file say, as it takes it over."""

    recipes: Levels = ()
    """Of their first recipes."""
    sections: Callable[[str], Levels] = lambda _: ()
    data: Mapping[str, d.Expression] = {}


def overridden(
    document: d.Document, inherited: Inherited, given: Iterable[Given], findings: Findings
) -> d.Document:
    """The document with the settings; a finding for each that has no place in it."""
    for one in given:
        try:
            document = _Putting(document, inherited, one, findings).document()
        except Refused:
            continue
    return document


@dataclass(frozen=True)
class _Putting:
    """Puts one setting into a document."""

    old: d.Document
    inherited: Inherited
    given: Given
    findings: Findings

    def document(self) -> d.Document:
        head, *rest = self.given.path
        if head.name == "train":
            return self.old._replace(recipes=self._recipes(rest))
        if head.name in SECTIONS:
            return self.old._replace(sections=self._sections(head, rest))
        if head.name == "data":
            return self.old._replace(data=self._data(rest))
        raise self._refuse(
            head,
            f"nothing is set by a path that begins with `{head.name}`",
            suggestion(head.name, ("train", *SECTIONS, "data")) or f"write {WAYS}",
        )

    def _refuse(self, at: Word, message: str, help: str) -> Refused:
        self.findings.add("G107", message, at.span, help=help)
        return Refused()

    # --- places ----------------------------------------------------------------------------------

    def _recipes(self, path: list[Word]) -> tuple[d.Recipe, ...]:
        names = [recipe.name for recipe in self.old.recipes]
        if not names:
            raise self._refuse(self.given.path[0], "the spec has no recipe", "add one to the file")
        if path[0].name in names and len(path) > 1:
            at, path = names.index(path[0].name), path[1:]
        else:
            at = self._only(path, names)
        made = self._recipe(self.old.recipes[at], path)
        return (*self.old.recipes[:at], made, *self.old.recipes[at + 1 :])

    def _only(self, path: list[Word], names: list[str]) -> int:
        """The only recipe, whose name is left out."""
        known = [*Settings.model_fields, *RUN_SETTINGS, "phase"]
        if path[0].name not in known and (len(path) > 1 or len(names) > 1):
            message = f"`{path[0].name}` is neither a recipe nor a setting of one"
            told = suggestion(path[0].name, [*names, *known])
            raise self._refuse(path[0], message, told or f"its recipes: {', '.join(names)}")
        if len(names) > 1:
            rest = ".".join(word.name for word in path)
            ways = " or ".join(f"`train.{name}.{rest}`" for name in names)
            message = f"the spec has {len(names)} recipes, and `train.{rest}` names none"
            raise self._refuse(path[0], message, f"write {ways}")
        return 0

    def _recipe(self, recipe: d.Recipe, path: list[Word]) -> d.Recipe:
        first = self.old.recipes[0]
        levels = (recipe.settings, first.settings, *self.inherited.recipes)
        if path[0].name != "phase":
            made = self._binding(path, levels, Settings)
            return recipe._replace(settings=_replaced(recipe.settings, made))
        names = [phase.name for phase in recipe.phases]
        if len(path) < 3 or path[1].name not in names:
            named = path[1].name if path[1:] else ""
            message = f"recipe `{recipe.name}` has no phase `{named}`"
            if not named or named in names:
                message = "which setting of which phase?"
            ways = f"write `train.{recipe.name}.phase.NAME.lr`; its phases: {', '.join(names)}"
            told = suggestion(named, names) if named not in names else ""
            raise self._refuse(path[min(1, len(path) - 1)], message, told or ways)
        at = names.index(path[1].name)
        phase = self._phase(recipe.phases[at], path[2:], levels)
        return recipe._replace(phases=(*recipe.phases[:at], phase, *recipe.phases[at + 1 :]))

    def _phase(self, phase: d.Phase, path: list[Word], levels: Levels) -> d.Phase:
        if path[0].name == "for":
            if path[1:]:
                raise self._refuse(path[1], "`for` has no parts", "write `for=10k`")
            return phase._replace(duration=self.given.value)
        if path[0].name == "lr_scale":
            return phase._replace(statements=self._scaled(phase.statements, path))
        if path[1:] and path[0].name not in PHASE_SETTINGS:
            message = f"a phase has no setting `{path[0].name}`"
            told = suggestion(path[0].name, PHASE_SETTINGS)
            help = told or f"its settings: {', '.join(PHASE_SETTINGS)}"
            raise self._refuse(path[0], message, help)
        own = [s for s in phase.statements if isinstance(s, d.Binding)]
        made = self._binding(path, (own, *levels), Settings)
        return phase._replace(statements=_replaced(phase.statements, made))

    def _scaled(self, statements: tuple[Statement, ...], path: list[Word]) -> tuple[Statement, ...]:
        """The statements of a phase with a factor for what the rest of the path selects."""
        written = ".".join(word.name for word in path[1:])
        text = f"grow 1 train {{ phase p for 1 {{ lr_scale {written} = 1 }} }}"
        found = read(text, "").result if written else None
        scale = found.recipes[0].phases[0].statements[0] if found else None
        if not isinstance(scale, d.LrScale):
            message = f"`{written}` selects no place of the model"
            raise self._refuse(path[-1], message, "write `lr_scale.core=0.1`")
        place = path[1].span.to(path[-1].span)
        selector = scale.selector._replace(span=place)
        made = d.LrScale(selector, self.given.value, self.given.span)
        same = (
            i
            for i, s in enumerate(statements)
            if isinstance(s, d.LrScale) and str(s.selector) == str(selector)
        )
        at = next(same, len(statements))
        return (*statements[:at], made, *statements[at + 1 :])

    def _sections(self, head: Word, path: list[Word]) -> tuple[d.Section, ...]:
        kinds = [section.kind for section in self.old.sections]
        model = SECTIONS[head.name]
        at = kinds.index(head.name) if head.name in kinds else len(kinds)
        empty = d.Section(head.name, (), self.given.span)
        section = self.old.sections[at] if head.name in kinds else empty
        levels = (section.settings, *self.inherited.sections(head.name))
        bound = _replaced(section.settings, self._binding(path, levels, model))
        made = section._replace(settings=bound)
        return (*self.old.sections[:at], made, *self.old.sections[at + 1 :])

    def _data(self, path: list[Word]) -> tuple[d.Binding, ...]:
        known = {b.name: b.value for b in self.old.data}
        all_known = {**self.inherited.data, **known}
        if path[0].name not in all_known:
            message = f"unknown data `{path[0].name}`"
            help = suggestion(path[0].name, all_known) or f"declared: {', '.join(all_known)}"
            raise self._refuse(path[0], message, help)
        base, value = all_known[path[0].name], self.given.value
        if path[1:]:
            value = self._within(base, Choices(calls=DATA), path[0], path[1:])
        made = d.Binding(path[0].name, value, self.given.span, path[0].span)
        return _replaced(self.old.data, made)

    # --- values ----------------------------------------------------------------------------------

    def _binding(self, path: list[Word], levels: Levels, model: type[BaseModel]) -> d.Binding:
        """The setting that the path names, one of `model`, as it is with what is given."""
        name, value = path[0].name, self.given.value
        if path[1:]:
            base = next((b.value for level in levels for b in level if b.name == name), None)
            base = base or (_default(model, name) if name in model.model_fields else None)
            if base is None:
                known = [*model.model_fields, *(RUN_SETTINGS if model is Settings else ())]
                told = suggestion(name, known) if name not in known else ""
                message = f"`{name}` is not set, so none of its parts can be"
                message = message if name in known else f"unknown setting `{name}`"
                raise self._refuse(path[0], message, told or f"write `{name}=...` as a whole")
            allowed = choices(model, name) if name in model.model_fields else Choices()
            value = self._within(base, allowed, path[0], path[1:])
        return d.Binding(name, value, self.given.span, path[0].span)

    def _within(
        self, base: d.Expression, allowed: Choices, whole: Word, path: Sequence[Word]
    ) -> d.Expression:
        """A value with the part that a path names; `whole` is the word that names the value."""
        if isinstance(base, d.Name) and allowed.calls.find(base.path):
            base = d.Call(base.path, (), base.span, base.span)
        word, rest = path[0], path[1:]
        if isinstance(base, d.ListOf) and base.items and all(item.name for item in base.items):
            items = self._argued(base.items, (), None, word, rest)
            return base._replace(items=items)
        if not isinstance(base, d.Call):
            raise self._refuse(
                word,
                f"`{whole.name}` is `{expression(base)}` and has no `{word.name}`",
                f"write `{whole.name}=...` as a whole",
            )
        signature = allowed.calls.find(base.name)
        order = tuple(form(signature).fields) if signature else ()
        arguments = self._argued(base.arguments, order, signature, word, rest)
        return base._replace(arguments=arguments)

    def _argued(
        self,
        arguments: tuple[d.Argument, ...],
        order: tuple[str, ...],
        signature: type[Signature] | None,
        word: Word,
        rest: Sequence[Word],
    ) -> tuple[d.Argument, ...]:
        """The arguments of a call with the one that a word names, or one of its parts."""
        names = [a.name or (order[i] if i < len(order) else "") for i, a in enumerate(arguments)]
        at = names.index(word.name) if word.name in names else None
        value = self.given.value
        if rest:
            field = form(signature).fields.get(word.name) if signature else None
            base = arguments[at].value if at is not None else None
            if base is None and signature and field:
                base = _default(signature, field[0])
            if base is None:
                told = suggestion(word.name, order) or f"it has {', '.join(order)}"
                raise self._refuse(word, f"there is no `{word.name}` to set a part of", told)
            allowed = choices(signature, field[0]) if signature and field else Choices()
            value = self._within(base, allowed, word, rest)
        made = d.Argument(word.name, value, word.span.to(self.given.value.span))
        if at is None:
            return (*arguments, made)
        made = made._replace(name=arguments[at].name)
        return (*arguments[:at], made, *arguments[at + 1 :])


def _replaced(statements: Sequence[S], made: S) -> tuple[S, ...]:
    """The statements with a binding in place of its namesake, or behind the last."""
    names = [s.name if isinstance(s, d.Binding) else "" for s in statements]
    at = names.index(made.name) if isinstance(made, d.Binding) and made.name in names else None
    if at is None:
        return (*statements, made)
    return (*statements[:at], made, *statements[at + 1 :])


def _default(model: type[BaseModel], name: str) -> d.Expression | None:
    """What a field is where nothing is said, if that is a call."""
    info = model.model_fields[name]
    if info.is_required():
        return None
    value = info.get_default(call_default_factory=True)
    return _written(value) if isinstance(value, Signature) else None


NOWHERE = Span("", 1, 1, 1, 1)


def _written(value: Any) -> d.Expression:
    """A default as an expression: a call with the arguments that are not its own defaults."""
    if not isinstance(value, Signature):
        return d.Constant(value, NOWHERE)
    fields = type(value).model_fields
    said = {name: getattr(value, name) for name in value.model_fields_set}
    arguments = tuple(
        d.Argument(fields[name].alias or name, _written(inner), NOWHERE)
        for name, inner in said.items()
    )
    return d.Call(value.call, arguments, NOWHERE, NOWHERE)
