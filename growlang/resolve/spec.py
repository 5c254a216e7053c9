"""Resolves a whole file: params, blocks, data, model, recipes and sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from growlang.diagnostics import Diagnostic, Findings, GrowlangError, Note, Span, stage
from growlang.ops.generations import Predict
from growlang.resolve.agreement import refuse_disagreement
from growlang.resolve.contract import contract
from growlang.resolve.files import Files, real
from growlang.resolve.generations import generations, refuse_broken
from growlang.resolve.kinds import predicted_by, refuse_sections
from growlang.resolve.model import Resolution, resolve_model
from growlang.resolve.names import Bound, Names, bind_names, evaluate
from growlang.resolve.overrides import COMMAND_LINE, Given, Inherited, overridden
from growlang.resolve.pipes import Library, Pipes, at_call
from growlang.resolve.recipes import RecipeDraft, Recipes
from growlang.resolve.reserved import refuse_reserved
from growlang.resolve.samplers import (
    refuse_misfit_scales,
    refuse_stepless,
    refuse_too_many_steps,
    refuse_variance,
)
from growlang.resolve.sources import DataBinding, Sources
from growlang.spec.model import Model
from growlang.spec.objectives import Diffusion
from growlang.spec.recipe import Evaluate, Recipe, Sample, Spec
from growlang.syntax import document as d


@dataclass(frozen=True)
class Resolved:
    """One file, resolved. `resolution` is None where the file is a library without a model."""

    path: Path
    document: d.Document
    scope: Names
    parent: Resolved | None
    given: Mapping[str, Bound]
    """The values that its child, or the command line, gives its params."""
    resolution: Resolution | None
    blocks: Mapping[str, Library]
    data: Mapping[str, DataBinding]
    recipes: tuple[RecipeDraft, ...] = ()
    sample: Sample = field(default_factory=Sample)
    evaluate: Evaluate | None = None

    @property
    def model(self) -> Model | None:
        """The resolved model."""
        return self.resolution.model if self.resolution else None

    @cached_property
    def spec_hash(self) -> str:
        """Hash of all that the file and its ancestors say."""
        return self.spec().spec_hash

    def spec(self) -> Spec:
        """The file as one value of the language; a parent enters by its `spec_hash`.

        Only for a file that was resolved without findings.
        """
        model = self.model
        if model is None:
            raise GrowlangError(f"{self.path} has no model")
        if model.grows and self.parent:
            grows = model.grows.model_copy(update={"parent": self.parent.spec_hash})
            model = model.model_copy(update={"grows": grows})
        recipes = [
            Recipe(
                name=r.name,
                start=r.start,
                settings=r.settings,
                phases=[p.phase for p in r.phases],
                validation=r.validation,
            )
            for r in self.recipes
        ]
        return Spec(model=model, recipes=recipes, sample=self.sample, evaluate=self.evaluate)

    def first_recipes(self) -> list[tuple[d.Binding, ...]]:
        """Settings of the first recipe of this file, then of its ancestors, as they inherit."""
        own = [self.document.recipes[0].settings] if self.document.recipes else []
        return own + (self.parent.first_recipes() if self.parent else [])

    def sections(self, kind: str) -> list[tuple[d.Binding, ...]]:
        """Settings of `sample` or `evaluate` in this file, then in its ancestors."""
        own = [s.settings for s in self.document.sections if s.kind == kind]
        inherited = self.parent.sections(kind) if self.parent else []
        return ([own[0]] if own else [()]) + [level for level in inherited if level]


@stage
def resolve(
    findings: Findings,
    path: Path,
    files: Files,
    given: Mapping[str, d.Argument] | None = None,
    parent: Resolved | None = None,
    settings: Sequence[Given] = (),
) -> Resolved | None:
    """Resolve a spec and its ancestors; None where the file or a parent could not be read.

    `given` are values for its params, and `settings` are as if the file said them. `parent` is one
    that was resolved before without findings, whose files are unchanged: it is taken where the spec
    still grows from it in the same way.
    """
    values = _values((given or {}).values(), Names(findings))
    return _Resolver(files, findings, parent, settings).file(path, values)


def _values(given: Iterable[d.Argument], scope: Names) -> dict[str, Bound]:
    return {a.name: Bound(evaluate(a.value, scope), a.span) for a in given}


@dataclass
class _Resolver:
    """Resolves the files of one run; `open` are those being resolved, from child to ancestor."""

    files: Files
    findings: Findings
    known: Resolved | None
    settings: Sequence[Given] = ()
    """What is set in the file itself, beside what it says."""
    open: list[Path] = field(default_factory=list)
    libraries: dict[Path, Resolved | None] = field(default_factory=dict)
    """The imported files, each resolved once however many files import it."""

    def file(
        self, path: Path, given: Mapping[str, Bound], asked: Span | None = None
    ) -> Resolved | None:
        """The file, with the values given for its params."""
        document = self.findings.of(self.files.load(path, asked))
        if document is None:
            return None
        self.open.append(real(path))
        try:
            return self._resolved(path, document, given)
        finally:
            self.open.pop()

    def _resolved(
        self, path: Path, document: d.Document, given: Mapping[str, Bound]
    ) -> Resolved | None:
        findings = self.findings
        model = document.models[0] if document.models else None
        scope = Names(findings, params={b.name: b for b in document.params})
        bind_names(document, scope, findings, given)
        scope.values.update((n, value) for n, value in given.items() if n in scope.params)
        blocks = self._imports(path, document, scope)
        parent = None
        if model and model.grows:
            parent = self._parent(path.parent / model.grows.file, model.grows, scope)
            if parent is None:
                return None
            scope.outer = parent.scope
        for name in scope.params:
            scope.lookup(name)
        if self.settings and len(self.open) == 1:
            document = overridden(document, _said_by(parent), self.settings, findings)
        data = {**(parent.data if parent else {})}
        data |= {b.name: DataBinding(b, scope) for b in document.data}
        for block in document.blocks:
            refuse_reserved("block", block.name, block.name_span, findings)
        blocks |= {b.name: Library(b, scope, blocks) for b in document.blocks}
        resolution = None
        if model:
            old = parent.resolution if parent else None
            stated = contract(model, old.model if old else None, scope)
            former = generations(stated, old, _predict(parent))
            cut = document.cut
            resolution = resolve_model(
                *(model, scope, Pipes(blocks, {}), stated, old, former),
                is_whole=cut is None or not cut.may_lack("model"),
            )
            findings.extend(refuse_broken(resolution, old))
        found = Resolved(path, document, scope, parent, given, resolution, blocks, data)
        return _with_training(found, findings)

    def _parent(self, path: Path, grows: d.Grows, scope: Names) -> Resolved | None:
        """The parent; None, with a finding, where it cannot be read or has no model."""
        if circle := self._circle(path):
            message, help = f"circular `grows`: {circle}", "name another parent"
            self.findings.add("G104", message, grows.file_span, help=help)
            return None
        given = _values(grows.params, scope)
        if self.known and real(self.known.path) == real(path) and self.known.given == given:
            return self.known
        with self.findings.seen_from(partial(blamed, grows)):
            parent = self.file(path, given, grows.file_span)
        if parent is not None and parent.resolution is None:
            message = f"`{grows.file}` has no model to grow"
            self.findings.add("G103", message, grows.file_span)
            return None
        return parent

    def _imports(self, path: Path, document: d.Document, scope: Names) -> dict[str, Library]:
        """The blocks of imported files by dotted names; their params go into the scope."""
        blocks: dict[str, Library] = {}
        for statement in document.imports:
            library = self._library(path.parent / statement.file, statement)
            if library is None:
                scope.unread.add(statement.name)
                continue
            for name, block in library.blocks.items():
                if "." not in name:
                    blocks[f"{statement.name}.{name}"] = block
            for name in library.scope.params:
                bound = library.scope.lookup(name)
                if bound:
                    scope.values[f"{statement.name}.{name}"] = bound
        return blocks

    def _library(self, path: Path, statement: d.Import) -> Resolved | None:
        """An imported file; None, with a finding, where it cannot be read."""
        if circle := self._circle(path):
            message = f"circular import: {circle}"
            help = "move what both need into a file that imports neither"
            self.findings.add("G104", message, statement.span, help=help)
            return None
        key = real(path)
        if key not in self.libraries:
            self.libraries[key] = self.file(path, {}, statement.span)
        return self.libraries[key]

    def _circle(self, path: Path) -> str:
        """The circle of files that resolving `path` now would close; empty where it closes none."""
        key = real(path)
        if key not in self.open:
            return ""
        return " -> ".join([p.name for p in self.open[self.open.index(key) :]] + [key.name])


def _said_by(parent: Resolved | None) -> Inherited:
    """What a file takes over from its ancestors."""
    if parent is None:
        return Inherited()
    data = {name: found.binding.value for name, found in parent.data.items()}
    return Inherited(parent.first_recipes(), parent.sections, data)


def _predict(parent: Resolved | None) -> Predict:
    """What a parent predicts: what its first recipe says, and where it has none the default."""
    objectives = [r.settings.objective for r in parent.recipes] if parent else []
    said = next((o for o in objectives if isinstance(o, Diffusion)), Diffusion())
    return said.predict


def _with_training(found: Resolved, findings: Findings) -> Resolved:
    """The file with its recipes, and how it samples and evaluates."""
    sources = Sources(found.data, findings, {})
    for name, data in found.data.items():
        if data.scope is found.scope:
            sources.resolve(d.Name(name, data.binding.name_span), found.scope)
    if found.model is None:
        _refuse_without_model(found.document, findings)
        return found
    refuse_sections(found.model, found.document.sections, findings)
    parent = found.parent
    parent_names = tuple(r.name for r in parent.document.recipes) if parent else ()
    broken = found.resolution.broken if found.resolution else ()
    conditions = [*found.model.conditions, *sorted(broken)]
    recipes = Recipes(
        found.scope,
        sources,
        parent is not None,
        parent_names,
        found.first_recipes(),
        conditions,
        found.model.tokens,
        predicted_by(found.model, broken),
    )
    drafts = []
    for recipe in found.document.recipes:
        with findings.seen_from(partial(_inherited, recipe)):
            drafts.append(recipes.resolve(recipe))
    known = tuple(draft for draft in drafts if draft)
    if parent and parent.resolution and found.resolution:
        before, declared = parent.recipes, found.document.recipes
        findings.extend(
            refuse_disagreement(found.resolution, parent.resolution, known, before, declared)
        )
    labels = found.model.predicted
    evaluated = () if found.model.tokens or labels else found.sections("evaluate")
    sampled = () if labels else found.sections("sample")
    sample = recipes.section(sampled, Sample) or Sample()
    findings.extend(refuse_too_many_steps(sample, sampled, known))
    findings.extend(refuse_misfit_scales(found.model.image, known, found.document.recipes))
    findings.extend(refuse_stepless(found.model.time, known, found.document.recipes))
    findings.extend(refuse_variance(known, found.document.recipes))
    return replace(
        found,
        recipes=known,
        sample=sample,
        evaluate=recipes.section(evaluated, Evaluate) if any(evaluated) else None,
    )


def blamed(grows: d.Grows, found: Diagnostic) -> Diagnostic:
    """A finding about a parent, at the value that the child gives it, if one is guilty."""
    return at_call(found, grows.span, grows.file) if grows.params else found


def _inherited(recipe: d.Recipe, found: Diagnostic) -> Diagnostic:
    """A finding about an inherited setting, at the value or the recipe that makes it wrong."""
    own = recipe.name_span.filename
    if found.span.filename in (own, COMMAND_LINE):
        return found
    cause = next((n for n in found.notes if n.span.filename == own), None)
    note = Note(f"recipe `{recipe.name}` inherits this", found.span)
    help = f"give recipe `{recipe.name}` a setting of its own"
    return found._replace(
        span=cause.span if cause else recipe.name_span,
        notes=(note, *(n for n in found.notes if n != cause)),
        help="; ".join(filter(None, [found.help, help])),
    )


def _refuse_without_model(document: d.Document, findings: Findings) -> None:
    """A finding about recipes and sections that have no model to train or to sample from."""
    places = [r.name_span for r in document.recipes] + [s.span for s in document.sections]
    if places:
        findings.add(
            "G210",
            "training or sampling settings in a file without a model",
            min(places),
            help="declare one: `model NAME { image = image(64) stem ... core ... head ... }`",
        )
