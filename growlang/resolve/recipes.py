"""Resolves recipes, their phases, and the sections on sampling and evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from growlang.diagnostics import Edit, Findings, Note, Span
from growlang.diagnostics.literals import literal
from growlang.diagnostics.spelling import suggestion
from growlang.resolve.arguments import first_errors, read, report
from growlang.resolve.kinds import Kind
from growlang.resolve.names import HOLE, Names, evaluate, origins, refuse_double
from growlang.resolve.rates import (
    factor_of,
    refuse_other_averages,
    refuse_risen,
    rewarm_of,
    with_lr,
)
from growlang.resolve.sources import Sources
from growlang.resolve.starts import start_of
from growlang.resolve.transforms import refuse_misfit
from growlang.resolve.validation import holding_out, share_of, validation_of
from growlang.signatures.canonical import former_names
from growlang.spec.data import Crop, Resize
from growlang.spec.forms import choices
from growlang.spec.model import Tokens
from growlang.spec.objectives import Classify, NextToken, Objective
from growlang.spec.recipe import Evaluate, Phase, Sample, Settings, Start, Validation
from growlang.spec.words import PHASE_SETTINGS, RUN_SETTINGS, VALIDATION_SETTINGS, meant
from growlang.syntax import document as d

RENAMED = former_names(Settings)
"""Settings that had another name in an earlier version: that name -> the name of now."""


class PhaseDraft(NamedTuple):
    """A phase before its selectors are looked up in the net."""

    phase: Phase
    """Its `frozen` and `lr_scale` hold the selectors as text."""
    span: Span
    freeze: tuple[d.Selection, ...]
    release: tuple[d.Selection, ...]
    lr_scale: tuple[tuple[d.Selector, float], ...]


class RecipeDraft(NamedTuple):
    """A recipe before its selectors are looked up in the net."""

    name: str
    span: Span
    start: Start
    settings: Settings
    phases: tuple[PhaseDraft, ...]
    validation: Validation | None = None

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What its phases learn, each once."""
        settings = [phase.phase.settings for phase in self.phases] or [self.settings]
        return tuple(dict.fromkeys(each.objective for each in settings))


@dataclass
class Recipes:
    """Resolves the recipes of one file.

    `inherited` are the settings of its own first recipe, then those of the parent's first, in the
    order in which a recipe looks for what it leaves out.
    """

    scope: Names
    sources: Sources
    has_parent: bool
    parent_recipes: tuple[str, ...]
    inherited: Sequence[Sequence[d.Binding]] = ()
    conditions: Sequence[str] = ()
    tokens: Tokens | None = None
    """The input of a model of tokens."""
    predicted: tuple[str, ...] | None = ()
    """The labels that the model predicts; None where a mistake leaves it open."""
    findings: Findings = field(init=False)
    values: dict[Span, Any] = field(default_factory=dict)
    """What has been read, by the place of its name: recipes inherit the same settings."""

    def __post_init__(self) -> None:
        self.findings = self.scope.findings
        self.kind = Kind(self.tokens, self.predicted, self.findings)

    def resolve(self, recipe: d.Recipe) -> RecipeDraft | None:
        """The recipe; None, with findings, where its settings were refused."""
        names = [*Settings.model_fields, *RUN_SETTINGS]
        own = self._settings_table(recipe.settings, names, "train")
        effective = {
            b.name: b
            for level in reversed(self.inherited)
            for b in level
            if b.name in Settings.model_fields
        } | {n: b for n, b in own.items() if n in Settings.model_fields}
        start = start_of(own, self.scope, self.parent_recipes if self.has_parent else None)
        values = self._read(effective, Settings)
        settings = self._settings(values, effective, recipe)
        if settings is not None and "objective" in effective:
            self._drop(settings, effective["objective"])
        if settings is not None:
            refuse_risen(settings, effective, None, self.scope)
            self.kind.refuse(settings, effective, recipe.name_span)
            written = effective["transform"].value if "transform" in effective else None
            refuse_misfit(settings.transform, written, recipe.name_span, self.scope)
        if not recipe.phases:
            self.findings.add(
                "G403",
                f"recipe `{recipe.name}` has no phases",
                recipe.name_span,
                help="add one: `phase main for 100k`",
            )
        refuse_double("phase", [(p.name, p.name_span) for p in recipe.phases], self.findings)
        phases = [self._phase(phase, values, effective, settings) for phase in recipe.phases]
        if settings is None or start is None or any(p is None for p in phases):
            return None
        known = tuple(p for p in phases if p is not None)
        held_out = self._validated(own)
        said = self._read(held_out, Settings)
        if HOLE in said.values():
            return None
        validation = validation_of(said, held_out, settings, self.findings)
        if validation is not None and "validate" in held_out:
            self.kind.refuse_data(validation.data, held_out["validate"].value.span)
        draft = RecipeDraft(recipe.name, recipe.name_span, start, settings, known, validation)
        return _held_out(draft, validation.holdout if validation else 0)

    def _validated(self, own: Mapping[str, d.Binding]) -> dict[str, d.Binding]:
        """`validate` or `holdout` of the recipe, or else of the next that it inherits from."""
        for level in (own.values(), *self.inherited):
            if found := {b.name: b for b in level if b.name in VALIDATION_SETTINGS}:
                return found
        return {}

    def section(
        self, levels: Sequence[Sequence[d.Binding]], model: type[Sample] | type[Evaluate]
    ) -> Any:
        """`sample` or `evaluate`, inherited by setting; `levels` from child to ancestors."""
        names, body = list(model.model_fields), model.__name__.lower()
        if model is Sample:
            names = Sample.of_kind(self.tokens is not None)
        own = self._settings_table(levels[0], names, body) if levels else {}
        table = {b.name: b for level in reversed(levels[1:]) for b in level} | own
        return self._validate(self._read(table, model), table, model)

    # --- settings --------------------------------------------------------------------------------

    def _settings_table(
        self, bindings: Sequence[d.Binding], names: list[str], body: str
    ) -> dict[str, d.Binding]:
        table: dict[str, d.Binding] = {}
        given = {b.name for b in bindings}
        for binding in bindings:
            if (now := RENAMED.get(binding.name)) in names:
                self._renamed(binding, str(now))
            elif binding.name not in names:
                place, settings = binding.name_span, f"settings: {', '.join(names)}"
                help, edits = meant(
                    place, binding.name, names, settings, "name", body=body, taken=given
                )
                message = f"unknown setting `{binding.name}`"
                self.findings.add("G107", message, place, help=help, edits=edits)
            elif binding.name in table:
                self.findings.add(
                    "G102", f"`{binding.name}` is set twice", binding.name_span, help="remove one"
                )
            else:
                table[binding.name] = binding
        return table

    def _renamed(self, binding: d.Binding, now: str) -> None:
        """A finding about a setting under the name that it had in an earlier version."""
        end = binding.name_span.column + len(binding.name)
        span = binding.name_span._replace(end_row=binding.name_span.row, end_column=end)
        self.findings.add(
            "G107",
            f"the setting `{binding.name}` was renamed to `{now}`",
            binding.name_span,
            help=f"write `{now}`: runs and hashes are unaffected",
            edits=(Edit(span, now, binding.name, safe=True),),
        )

    def _read(self, table: dict[str, d.Binding], model: type[BaseModel]) -> dict[str, Any]:
        for name, binding in table.items():
            if binding.name_span not in self.values:
                self.values[binding.name_span] = self._value(name, binding, model)
        return {name: self.values[b.name_span] for name, b in table.items()}

    def _value(self, name: str, binding: d.Binding, model: type[BaseModel]) -> Any:
        if name == "holdout":
            return share_of(binding, self.scope)
        if name in ("data", "validate"):
            found = self.sources.resolve(binding.value, self.scope)
            return HOLE if found is None else found
        return read(binding.value, choices(model, name), self.scope)

    def _settings(
        self, values: dict[str, Any], table: dict[str, d.Binding], recipe: d.Recipe
    ) -> Settings | None:
        missing = [n for n in ("data", "batch") if n not in values]
        if missing:
            lacking = " and ".join(f"`{n}`" for n in missing)
            self.findings.add(
                "G404",
                f"recipe `{recipe.name}` is missing {lacking}",
                recipe.name_span,
                help="they have no default: " + ", ".join(f"`{n} = ...`" for n in missing),
            )
        if self.tokens:
            values.setdefault("transform", [])
            values.setdefault("objective", NextToken())
        if self.predicted:
            values.setdefault("objective", Classify(label=self.predicted[0]))
        if "transform" not in values:
            size = self.scope.lookup("image.pixels")
            if size is None or size.value is HOLE:
                return None
            values["transform"] = [Resize(size=size.value), Crop(size=size.value)]
        found = self._validate(values, table, Settings, quiet=missing)
        return found if isinstance(found, Settings) else None

    def _drop(self, settings: Settings, objective: d.Binding) -> None:
        """Refuse a probability for a condition that the model does not have."""
        drop = settings.objective.dropped()
        unknown = [n for n in drop if n not in self.conditions] if isinstance(drop, Mapping) else []
        for name in unknown:
            known = ", ".join(self.conditions) or "none"
            self.findings.add(
                "G101",
                f"`drop` names `{name}`, which is not a condition of the model",
                objective.value.span,
                help=suggestion(name, self.conditions) or f"its conditions: {known}",
            )

    def _validate(
        self,
        values: dict[str, Any],
        table: dict[str, d.Binding],
        model: type[BaseModel],
        quiet: Sequence[str] = (),
    ) -> Any:
        known = {n: v for n, v in values.items() if v is not HOLE}
        try:
            found = model.model_validate(known)
        except ValidationError as error:
            for name, item in first_errors(error).items():
                if name in known and name not in quiet:
                    expression = table[name].value
                    info: FieldInfo = model.model_fields[name]
                    notes = origins(expression, self.scope)
                    report(item, name, info, expression.span, notes, self.scope)
            return None
        return found if len(known) == len(values) else None

    # --- start -----------------------------------------------------------------------------------

    # --- phases ----------------------------------------------------------------------------------

    def _phase(
        self,
        phase: d.Phase,
        values: dict[str, Any],
        table: dict[str, d.Binding],
        base: Settings | None,
    ) -> PhaseDraft | None:
        bindings = [s for s in phase.statements if isinstance(s, d.Binding)]
        own = self._settings_table(bindings, list(PHASE_SETTINGS), "phase")
        lr, rewarm = own.pop("lr", None), own.pop("rewarm", None)
        changed = self._read(own, Settings)
        settings = base
        if base is not None and changed:
            settings = self._changed(base, {**values, **changed}, table, own)
        if lr is not None and settings is not None:
            settings = with_lr(settings, lr, self.scope)
        if settings is not None and (lr is not None or changed):
            refuse_risen(settings, {**table, **own}, lr, self.scope)
        length = self._duration(phase, settings)
        warmed = rewarm_of(rewarm, self.scope)
        self._refuse_repeated(phase)
        scales = [
            (s.selector, factor_of(s, self.scope))
            for s in phase.statements
            if isinstance(s, d.LrScale)
        ]
        known = tuple((s, f) for s, f in scales if f is not None)
        if settings is None or length is None or warmed is None or len(known) < len(scales):
            return None
        freeze = tuple(s.selection for s in phase.statements if isinstance(s, d.Freeze))
        release = tuple(s.selection for s in phase.statements if isinstance(s, d.Release))
        resolved = Phase.model_construct(
            name=phase.name,
            steps=length[0],
            epochs=length[1],
            settings=settings,
            own_schedule=bool({"lr_schedule", "warmup"} & own.keys()),
            rewarm=warmed,
            frozen=[text for selection in freeze for text in _texts(selection)],
            released=[text for selection in release for text in _texts(selection)],
            lr_scale={str(selector): factor for selector, factor in known},
        )
        return PhaseDraft(resolved, phase.name_span, freeze, release, known)

    def _changed(
        self,
        base: Settings,
        values: dict[str, Any],
        table: dict[str, d.Binding],
        own: dict[str, d.Binding],
    ) -> Settings | None:
        """The settings of a phase with bindings of its `own`; None where they are refused."""
        settings: Settings | None = self._validate(values, {**table, **own}, Settings)
        if settings is None:
            return None
        if "data" in own:
            self.kind.refuse_data(settings.data, own["data"].value.span)
        if "transform" in own:
            self.kind.refuse_transform(own)
            place = own["transform"].value
            refuse_misfit(settings.transform, place, place.span, self.scope)
        if "ema" in own:
            refuse_other_averages(settings, base, own["ema"], self.scope)
        if "objective" in own:
            self._drop(settings, own["objective"])
        return settings

    def _refuse_repeated(self, phase: d.Phase) -> None:
        """Two factors for the very same selector: only the second would hold."""
        first: dict[str, Span] = {}
        for scale in (s for s in phase.statements if isinstance(s, d.LrScale)):
            written, span = str(scale.selector), scale.selector.span
            if written in first:
                notes = [Note("the first is here", first[written])]
                message = f"`lr_scale {written}` is set twice"
                self.findings.add("G102", message, span, help="remove one", notes=notes)
            first.setdefault(written, span)

    def _duration(
        self, phase: d.Phase, settings: Settings | None
    ) -> tuple[int | None, float | None] | None:
        """(steps, None), or (None, epochs) where steps depend on the data."""
        unit, expression = "steps", phase.duration
        if isinstance(expression, d.Call) and expression.name in ("images", "epochs"):
            unit = expression.name
            if len(expression.arguments) != 1:
                self.findings.add("G203", f"`{unit}` takes one number", expression.span)
                return None
            expression = expression.arguments[0].value
        elif isinstance(expression, d.Call) and expression.name not in ("min", "max"):
            name, place = expression.name, expression.name_span
            lasts = "write `for 10k`, in steps, or `for images(N)` or `for epochs(N)`"
            help, edits = meant(place, name, ("images", "epochs"), lasts, "call", body="for")
            message = f"unknown duration `{name}(...)`"
            self.findings.add("G106", message, place, help=help, edits=edits)
            return None
        value = evaluate(expression, self.scope)
        if value is HOLE:
            return None
        whole = type(value) is int or (unit == "epochs" and type(value) is float)
        if not whole or value <= 0:
            kind = "number" if unit == "epochs" else "integer"
            self.findings.add(
                "G201",
                f"the duration in {unit} must be a positive {kind}, not `{literal(value)}`",
                expression.span,
                notes=origins(expression, self.scope),
            )
            return None
        if unit == "epochs":
            return None, float(value)
        if unit == "steps":
            return int(value), None
        return (-(-int(value) // settings.batch), None) if settings else None


def _held_out(draft: RecipeDraft, share: float) -> RecipeDraft:
    """The recipe, no phase of which draws a share of its data."""

    def held(phase: Phase) -> Phase:
        return phase.model_copy(update={"settings": holding_out(phase.settings, share)})

    if not share:
        return draft
    phases = tuple(p._replace(phase=held(p.phase)) for p in draft.phases)
    return draft._replace(settings=holding_out(draft.settings, share), phases=phases)


def _texts(selection: d.Selection) -> list[str]:
    """Each selector as text; how many statements they stand in has no meaning."""
    return [str(selection)] if selection.excluded else list(map(str, selection.included))
