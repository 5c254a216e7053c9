"""The front half of the compiler in one call: a spec file to a checked net and its schedule."""

from __future__ import annotations

from collections import abc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from growlang.applying import Mapping
from growlang.build.net import build
from growlang.build.skips import refuse_idle, warn_unjoined
from growlang.diagnostics import (
    Diagnostic,
    Edit,
    Findings,
    GrowlangError,
    Outcome,
    TooMany,
    stage,
)
from growlang.diagnostics.codes import CODES
from growlang.diagnostics.spelling import suggestion
from growlang.diagnostics.text import as_texts, counts
from growlang.diagnostics.unknown import UnknownName
from growlang.growth.accounting import account, map_tensors, warn_changed_conditions
from growlang.growth.bridging import refuse_unbridgeable
from growlang.growth.carried import with_kept_numbers, with_moved_numbers
from growlang.growth.initialisation import initialisations, initialised, refuse_dead
from growlang.growth.moves import moves
from growlang.net import Net
from growlang.net.generations import held_by
from growlang.plans.schedule import (
    check_components,
    check_schedule,
    places_of,
    refuse_unlearned_variance,
    schedule,
)
from growlang.resolve.doubtful import misfit_found, warn_doubtful
from growlang.resolve.evaluations import warn_unmeasurable
from growlang.resolve.files import Files, in_yaml
from growlang.resolve.given import paths_of, read_given
from growlang.resolve.kinds import refuse_seeing, refuse_time
from growlang.resolve.model import Resolution
from growlang.resolve.partial import is_sure
from growlang.resolve.prompts import refuse_unread_numbers, refuse_unread_prompts
from growlang.resolve.spec import Resolved, blamed, resolve
from growlang.resolve.unused import warn_unused
from growlang.spec.lengths import misfits
from growlang.spec.recipe import Phase
from growlang.syntax import document as d
from growlang.tables.shown import Shown

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, repr=False)
class Checked(Shown):
    """A spec without errors: its net, its parent's, the mapping between them, its recipes.

    It prints as a table of its components.
    """

    resolved: Resolved
    net: Net
    parent: Checked | None
    mapping: Mapping | None
    """None where the model has no parent."""
    params: abc.Mapping[str, str] = field(default_factory=dict)
    """The values that were given for the file's params, and settings by path, as text."""

    def __repr__(self) -> str:
        grows = f", grows {self.parent.name}" if self.parent else ""
        return f"Checked({self.name} in {self.path}: {self.net.parameters:,} parameters{grows})"

    def print(self, out: Console) -> None:
        """Print the components, and the phases of each recipe."""
        from growlang.tables.nets import print_spec

        parent = self.parent.name if self.parent else None
        recipes = {n: [_length(phase) for phase in self.phases(n)] for n in self.recipes}
        print_spec(self.net, out, parent=parent, recipes=recipes)

    @property
    def path(self) -> Path:
        """The file."""
        return self.resolved.path

    @property
    def name(self) -> str:
        """The model's name."""
        return self.net.name

    @property
    def recipes(self) -> tuple[str, ...]:
        """The names of the recipes, of which the first is the default."""
        return tuple(recipe.name for recipe in self.resolved.recipes)

    @property
    def spec_hash(self) -> str:
        """Hash of all that the file and its ancestors say."""
        return self.resolved.spec_hash

    @property
    def net_hash(self) -> str:
        """Hash of the net: its graph, arguments and parameters."""
        return self.net.net_hash

    @cached_property
    def text(self) -> str:
        """The text of the file, with the params and settings that were given beside it."""
        document = self.resolved.document
        if not self.params:
            return document.text
        from growlang.resolve.recorded import recorded

        arguments, _ = read_given(self.params, {})
        values = {name: argument.value for name, argument in arguments.items()}
        return recorded(document, values, in_yaml(self.path))

    @property
    def texts(self) -> dict[str, str]:
        """The texts of the file, of what was given, and of its ancestors, by the names of spans."""
        own = {str(self.path): self.resolved.document.text}
        read_given(self.params, own)
        return (self.parent.texts if self.parent else {}) | own

    def phases(self, recipe: str) -> list[Phase]:
        """The phases of a recipe, with names of tensors for selectors.

        Raises GrowlangError if there is no such recipe.
        """
        for draft in self.resolved.recipes:
            if draft.name == recipe:
                return schedule(draft, self.net)
        raise UnknownName(f"{self.path} has no recipe", recipe, self.recipes)

    def misfits(self, recipe: str) -> list[Diagnostic]:
        """Warnings where settings do not fit the length of a recipe, as far as it is known."""
        start = next(r.start for r in self.resolved.recipes if r.name == recipe)
        grown = self.mapping if self.mapping and start.origin != "scratch" else None
        new = grown.new if grown else frozenset(self.net.table)
        found = misfits(recipe, start, self.phases(recipe), self.net, new)
        return [misfit_found(misfit, recipe, self.resolved) for misfit in found]


def _length(phase: Phase) -> str:
    steps = f"{phase.steps:,} steps" if phase.steps is not None else f"{phase.epochs:g} epochs"
    return f"{phase.name} for {steps}"


class SpecWarning(UserWarning):
    """What `growlang check` warns of in a spec without errors."""


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """The outcome of checking one file; `checked` is None for a library and where errors are.

    Its text is what `growlang check` prints.
    """

    checked: Checked | None
    diagnostics: tuple[Diagnostic, ...]
    texts: abc.Mapping[str, str]
    """The text of each file that was read, by file name."""
    full: bool = False
    """Whether there are so many findings that no more were looked for."""
    resolved: Resolved | None = None
    """What could be resolved, whatever is wrong in the rest."""

    @property
    def ok(self) -> bool:
        """Whether there are no errors; there may be warnings."""
        return not errors(self.diagnostics)

    def __repr__(self) -> str:
        codes = ", ".join(dict.fromkeys(item.code for item in self.diagnostics))
        return f"Report({'ok' if self.ok else 'errors'}{codes and f': {codes}'})"

    def __str__(self) -> str:
        wrong = len(errors(self.diagnostics))
        found = as_texts(self.diagnostics, self.texts)
        return f"{found}\n\n{counts(1, wrong, len(self.diagnostics) - wrong)}".lstrip()

    def print(self, out: Console) -> None:
        """Print the findings."""
        out.print(str(self), markup=False, soft_wrap=True)

    def require(self, path: Path) -> Checked:
        """The checked spec. Raises SpecError for errors, and GrowlangError for a library."""
        if not self.ok:
            raise SpecError(self.diagnostics, self.texts)
        if self.checked is None:
            raise GrowlangError(f"{path} has no model", help="give a spec that declares a `model`")
        return self.checked


class SpecError(GrowlangError):
    """A spec has errors. Its text is that of the findings, as `growlang check` prints them."""

    def __init__(self, diagnostics: Sequence[Diagnostic], texts: abc.Mapping[str, str]) -> None:
        super().__init__(as_texts(diagnostics, texts))
        self.diagnostics = tuple(diagnostics)


def check(
    path: Path,
    params: abc.Mapping[str, str] | None = None,
    files: Files | None = None,
    parent: Checked | None = None,
) -> Report:
    """Check one spec file and its ancestors.

    `params` are values for the file's params as text, such as from `--set width=512`, and for its
    settings by their paths, such as `train.optimizer.lr`, which are as if written in it; `files`
    reads the files, by default from the disk. `parent` is that of a former check, whose files are
    unchanged: it is taken where the spec still grows from it in the same way.
    Raises GrowlangError if the file cannot be read, if a value does not
    parse, or if names refer to names in chains that are far too long.
    """
    files = files or Files()
    given, settings = read_given(params or {}, files.texts)
    reading = files.load(path)
    document = reading.result
    _refuse_unknown(given, document, path)
    try:
        known = parent.resolved if parent else None
        resolved = resolve(path, files, given, known, settings)
        checked = check_resolved(resolved.result, parent) if resolved.result else Outcome(None)
    except RecursionError:
        raise GrowlangError(f"{path}: definitions nest too deeply") from None
    later = (*resolved.findings, *checked.findings)
    if document and reading.is_sound and not later:
        set_so = resolved.result.document if resolved.result else document
        later = _warnings(set_so, checked.result).findings
    if document and document.cut:
        cut = document.cut
        later = tuple(item for item in later if is_sure(item, cut))
    found = Findings()
    with suppress(TooMany):
        found.extend((*reading.findings, *later))
    items = sorted(found.items, key=lambda item: item.span)
    diagnostics = tuple(_with_sure_edits(item, files.texts) for item in items)
    sound = checked.result if not errors(diagnostics) else None
    return Report(
        replace(sound, params=dict(params)) if sound and params else sound,
        diagnostics,
        files.texts,
        any(part.full for part in (found, reading, resolved, checked)),
        resolved.result,
    )


def _refuse_unknown(
    given: abc.Mapping[str, d.Argument], document: d.Document | None, path: Path
) -> None:
    """Raise GrowlangError where a value is given for a param that the file does not have."""
    known = [b.name for b in document.params] if document else list(given)
    for name in given:
        if name not in known:
            help = suggestion(name, known) or f"its params: {', '.join(known) or 'none'}"
            if path_of_setting := paths_of(name):
                help = f"write `--set {path_of_setting[0]}=...` for the setting of that name"
            raise GrowlangError(f"{path} has no param `{name}`", help=help)


@stage
def _warnings(findings: Findings, document: d.Document, checked: Checked | None) -> None:
    """What is told of a file that is otherwise without errors: warnings, and unread prompts."""
    warn_unused(document, findings)
    resolution = checked.resolved.resolution if checked else None
    if checked is None or resolution is None:
        return
    findings.extend(refuse_unread_prompts(checked.resolved).findings)
    findings.extend(refuse_unread_numbers(checked.resolved).findings)
    if checked.recipes:
        refuse_seeing(checked.net, findings)
        refuse_time(checked.net, findings)
    warn_doubtful(checked.resolved, findings)
    warn_unmeasurable(checked.resolved, findings)
    findings.extend(warn_unjoined(checked.net, resolution))
    if checked.parent and checked.mapping and resolution.contract.grow:
        from growlang.growing.idle import warn_idle

        findings.extend(warn_idle(checked.net, checked.parent.net, resolution.contract))
    if checked.parent:
        verdicts = checked.mapping.verdicts if checked.mapping else ()
        exact = [verdict.place for verdict in verdicts if verdict.level == "exact"]
        nets = checked.net, checked.parent.net
        findings.extend(warn_changed_conditions(*nets, resolution, exact))


def _with_sure_edits(found: Diagnostic, texts: abc.Mapping[str, str]) -> Diagnostic:
    """A finding with the edits that replace what stands there: YAML may spell it otherwise."""

    def stands(edit: Edit) -> bool:
        line = texts[edit.span.filename].split("\n")[edit.span.row - 1]
        return line[edit.span.column - 1 : edit.span.end_column - 1] == edit.old

    return found._replace(edits=tuple(filter(stands, found.edits))) if found.edits else found


def errors(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The findings that are errors: warnings alone refuse nothing."""
    return [item for item in found if CODES[item.code].severity == "error"]


@stage
def check_resolved(
    findings: Findings, resolved: Resolved, known: Checked | None = None
) -> Checked | None:
    """Build the nets and the mapping of a resolved spec; None where one is incomplete.

    `known` is taken for an ancestor that was checked before.
    """
    if known and known.resolved is resolved:
        return known
    model = resolved.document.models[0] if resolved.document.models else None
    grows = model.grows if model else None
    parent = None
    if resolved.parent and grows:
        with findings.seen_from(partial(blamed, grows)):
            parent = findings.of(check_resolved(resolved.parent, known))
    resolution = resolved.resolution
    if resolution is None:
        return None
    old = resolved.parent.resolution if resolved.parent else None
    unsaid = account(resolution, old, grows.span) if old and grows else ()
    findings.extend(unsaid)
    net = findings.of(build(resolution, tuple(findings.items)))
    misses = tuple(_misses_of_unscheduled(resolved, resolution, net))
    findings.extend(misses)
    if net is None:
        return None
    idle = refuse_idle(resolution)
    findings.extend(idle)
    mapping = None
    is_cut = resolved.document.cut is not None and resolution.contract.grow
    if parent and not (unsaid or misses or idle or is_cut):
        scratch = next((r.name for r in resolved.recipes if r.start.origin == "scratch"), "")
        grown = findings.of(grow(net, parent.net, resolution, scratch))
        net, mapping = grown or (net, None)
    places, held = places_of(net), held_by(net)
    for draft in resolved.recipes:
        findings.extend(check_schedule(draft, places, held))
        findings.extend(refuse_unlearned_variance(draft, net, resolution.spans.get(("head",))))
        if draft.start.bridge and (mapping or not parent):
            own = next(r for r in resolved.document.recipes if r.name == draft.name)
            place = next(s.value.span for s in own.settings if s.name == "transition")
            begun = parent.net if parent else None
            findings.extend(refuse_unbridgeable(draft, place, net, begun, mapping))
    return Checked(resolved, net, parent, mapping)


def _misses_of_unscheduled(
    resolved: Resolved, resolution: Resolution, net: Net | None
) -> Iterator[Diagnostic]:
    """What selectors miss in the recipes that have no schedule: they or the net were refused."""
    scheduled = {r.name for r in resolved.recipes} if net else set()
    components = [*resolution.model.components(), *sorted(resolution.broken)]
    for recipe in resolved.document.recipes:
        if recipe.name not in scheduled:
            yield from check_components(recipe, components)


@stage
def grow(
    findings: Findings, net: Net, parent: Net, resolution: Resolution, scratch: str
) -> tuple[Net, Mapping | None]:
    """The child's net as it begins, and the mapping of its parent's tensors."""
    contract = resolution.contract
    net = with_kept_numbers(net, parent, contract.keep)
    moving = moves(net, parent, contract)
    moved = findings.of(moving) or {}
    net = with_moved_numbers(net, parent, moved)
    stated = initialisations(net, parent, contract, moved)
    found = findings.of(stated) or {}
    if found and moving.is_sound and stated.is_sound:
        findings.extend(refuse_dead(net, contract, moved, found, scratch))
    made = None
    if contract.grow:
        from growlang.growing.statements import grown

        made = findings.of(grown(net, parent, resolution))
        if made is None:
            return net, None
    net = initialised(made.net if made else net, found)
    mapping = findings.of(map_tensors(net, parent, resolution, moved, found, made))
    return net, Mapping.of(mapping) if mapping is not None else None
