"""Prints a resolved spec as one flat file: literals only, nothing inherited, canonical layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from growlang.build.skips import are_idle
from growlang.diagnostics import Note, Span
from growlang.resolve.names import ROW_JSON, is_path, origins
from growlang.resolve.recipes import RecipeDraft
from growlang.resolve.slots import OPTIONS
from growlang.resolve.spec import Resolved
from growlang.signatures.signature import Signature
from growlang.spec.changes import NAMES
from growlang.spec.data import Source
from growlang.spec.model import RETAINING, Group, Item, Model, Pipe, Slot, Stage
from growlang.spec.recipe import Evaluate, Phase, Sample, Settings, Start
from growlang.syntax import document as d
from growlang.syntax import unparse
from growlang.syntax.fmt import fmt_text
from growlang.syntax.unparse import number, string
from growlang.yaml import fields as f
from growlang.yaml.fields import Field

DEFAULT = "default"
OF_IMAGES = ("transform",)
"""Settings of a recipe that a model of tokens may not say."""


def show(resolved: Resolved, origin: bool) -> str:
    """The spec as text; with `origin`, a comment behind each value says where it was written.

    Only for a file that was resolved without findings. What the model `grows` is a comment, since
    the flat spec has all that it keeps.
    """
    lines = list(_Show(resolved, origin).lines())
    text = fmt_text("\n".join(lines), str(resolved.path))
    assert text.result is not None, (text.findings, lines)
    return text.result


class _Show:
    def __init__(self, resolved: Resolved, origin: bool) -> None:
        self.resolved, self.origin = resolved, origin
        resolution = resolved.resolution
        self.notes = list(resolution.notes.items()) if resolution else []
        self.filtered: dict[str, str] = {}
        """Names of the sources, each with its filter."""

    def line(self, text: str, span: Span | None, notes: Iterable[Note] = ()) -> str:
        """A line, with the places that it comes from if that was asked for.

        `notes` are where the params in it got their values.
        """
        if not self.origin:
            return text
        spans = [span, *(note.span for note in notes)] if span else []
        places = dict.fromkeys(f"{s.filename}:{s.row}" for s in spans if s)
        return f"{text}  # {', '.join(places) or DEFAULT}"

    def part(self, text: str, name: str) -> str:
        """The line of a part of the model: its declaration, and those of the params in it."""
        resolution = self.resolved.resolution
        assert resolution is not None
        span = resolution.spans.get((name,)) or resolution.declared.get(name)
        return self.line(text, span, (n for p, ns in self.notes if p[0] == name for n in ns))

    def lines(self) -> Iterator[str]:
        """The lines of the file, before they are laid out."""
        yield f"grow {self.resolved.document.edition}\n"
        parent = self.resolved.parent
        if parent is not None:
            yield f"# grown from {parent.path}"
        if self.resolved.model is not None:
            yield from self.model(self.resolved.model)
        yield from self.sources()
        for recipe in self.resolved.recipes:
            yield from self.recipe(recipe)
        if self.resolved.model is None or not self.resolved.model.predicted:
            yield from self.section("sample", self.resolved.sample)
        if self.resolved.evaluate is not None:
            yield from self.section("evaluate", self.resolved.evaluate)

    def sources(self) -> Iterator[str]:
        """The data that the recipes use, under the names that the sources have."""
        used = {_source(s): s for r in self.resolved.recipes for s in _sources(r)}
        names = {s.name for s in used.values()}
        for name in dict.fromkeys(s.name for s in used.values()):
            variants = {text: s for text, s in used.items() if s.name == name}
            first = next(iter(variants.values()))
            only = len(variants) == 1 and first.where is not None
            base = _unused(f"{name}_all", names) if only else name
            data = self.resolved.data.get(name)
            written = expression(first.data, f.SOURCE)
            yield self.line(f"data {base} = {written}", data.binding.span if data else None)
            for text, source in variants.items():
                filtered = name if only else _unused(f"{name}_filtered", names)
                self.filtered[text] = filtered if source.where else name
                if source.where:
                    filter = _source(source.model_copy(update={"name": base}))
                    yield self.line(f"data {filtered} = {filter}", None)

    def model(self, model: Model) -> Iterator[str]:
        """The model, with what it keeps of its parent."""
        yield from self.retained()
        yield f"model {model.name} {{"
        bindings: dict[str, Any] = {
            "image": model.image, "tokens": model.tokens, **model.conditions, "time": model.time
        }  # fmt: skip
        for name, value in bindings.items():
            if value is not None:
                yield self.part(f"{name} = {expression(value, f.binding(name))}", name)
        if not are_idle(model):
            yield self.part(f"skips = {model.skips}", "skips")
        for name in RETAINING if model.retained else ():
            yield self.part(f"{name} = {getattr(model, name)}", name)
        yield ""
        yield self.part(f"stem {_pipe(model.stem.pipe)}", "stem")
        for stage in model.stages:
            yield self.part(_stage(stage), stage.name)
        core = model.core
        at = f" @ {core.at}" if core.at else ""
        said = ", ".join(_options(core))
        yield self.part(f"core{at}{said and f' ({said})'} {_pipe(core.pipe)}", "core")
        yield self.part(f"head {_pipe(model.head.pipe)}", "head")
        yield "}\n"

    def retained(self) -> Iterator[str]:
        """What the model retains of its ancestors, which no declaration of its own can say."""
        found = self.resolved.resolution
        for generation in found.generations if found else ():
            ends = generation.resolution.model.name
            yield f"# {generation.name.selector} are the ends of {ends}, which are retained"

    def recipe(self, recipe: RecipeDraft) -> Iterator[str]:
        """A recipe with every setting that it has, inherited and default ones too."""
        own = next(r for r in self.resolved.document.recipes if r.name == recipe.name)
        written = _written([own.settings, *self.resolved.first_recipes()])
        kept = _written([own.settings])
        yield f"train {recipe.name} {{"
        yield self.value(f"start = {_start(recipe.start)}", kept.get("start"))
        yield self.value(f"moments = {_moments(recipe.start)}", kept.get("moments"))
        if steps := recipe.start.bridge:
            text = f"transition = bridge(for = {number(steps)})"
            yield self.value(text, kept.get("transition"))
        yield from self.settings(recipe.settings, "train", written)
        if text := self.validation(recipe):
            yield self.value(text, written.get(text.split()[0]))
        for draft, phase in zip(recipe.phases, own.phases, strict=True):
            yield from self.phase(draft.phase, phase, recipe.settings)
        yield "}"

    def validation(self, recipe: RecipeDraft) -> str:
        """What a recipe holds out; that it is nothing, where it would inherit something."""
        found = recipe.validation
        if found is None:
            return "holdout = 0" if self.resolved.recipes[0].validation else ""
        share = found.holdout
        return f"holdout = {number(share)}" if share else f"validate = {self.data(found.data)}"

    def value(self, text: str, binding: d.Binding | None) -> str:
        """The line of a setting, which `binding` writes."""
        if binding is None:
            return self.line(text, None)
        return self.line(text, binding.span, origins(binding.value, self.resolved.scope))

    def settings(
        self, settings: BaseModel, section: str, written: dict[str, d.Binding]
    ) -> Iterator[str]:
        """All settings, each on a line, but for those of the other kind of model."""
        for name in self.names(section):
            value = getattr(settings, name)
            if value is not None:
                text = f"{name} = {self.setting(name, value, section)}"
                yield self.value(text, written.get(name))

    def names(self, section: str) -> Iterable[str]:
        """The settings that a section may have: not those of images in a model of tokens."""
        model = self.resolved.model
        of_tokens = model is not None and model.tokens is not None
        match section:
            case "train":
                return (n for n in Settings.model_fields if not of_tokens or n not in OF_IMAGES)
            case "sample":
                return Sample.of_kind(of_tokens)
            case _:
                return Evaluate.model_fields

    def setting(self, name: str, value: Any, section: str) -> str:
        """The value of a setting as text."""
        return self.data(value) if name == "data" else expression(value, f.setting(section, name))

    def data(self, sources: Sequence[Source]) -> str:
        """Sources as a name, a filter, or a mix of names."""
        if len(sources) == 1:
            text = _source(sources[0])
            return sources[0].name if self.filtered[text] == sources[0].name else text
        shares = (f"{self.filtered[_source(s)]} = {number(s.share)}" for s in sources)
        return f"mix({', '.join(shares)})"

    def phase(self, phase: Phase, written: d.Phase, base: Settings) -> Iterator[str]:
        """A phase with what it freezes and the settings that it changes."""
        length = f"epochs({number(phase.epochs)})" if phase.epochs else number(phase.steps or 0)
        changes = {s.name: s for s in written.statements if isinstance(s, d.Binding)}
        scope = self.resolved.scope
        brace = " {" if written.statements else ""
        head, duration = f"phase {phase.name} for {length}{brace}", written.duration
        yield self.line(head, duration.span, origins(duration, scope))
        for statement in written.statements:
            match statement:
                case d.Freeze(selection, span):
                    yield self.line(f"freeze {selection}", span)
                case d.Release(selection, span):
                    yield self.line(f"train {selection}", span)
                case d.LrScale(selector, factor, span):
                    scale = number(phase.lr_scale[str(selector)])
                    yield self.line(f"lr_scale {selector} = {scale}", span, origins(factor, scope))
        if phase.settings.optimizer != base.optimizer and "optimizer" not in changes:
            yield self.value(f"lr = {number(phase.settings.optimizer.lr)}", changes.get("lr"))
        if "rewarm" in changes:
            yield self.value(f"rewarm = {number(phase.rewarm)}", changes["rewarm"])
        for name, binding in changes.items():
            if name not in ("lr", "rewarm"):
                value = getattr(phase.settings, name)
                yield self.value(f"{name} = {self.setting(name, value, 'train')}", binding)
        if brace:
            yield "}"

    def section(self, kind: str, section: BaseModel) -> Iterator[str]:
        """`sample` or `evaluate` with every setting that it has."""
        yield f"{kind} {{"
        yield from self.settings(section, kind, _written(self.resolved.sections(kind)))
        yield "}"


def _written(levels: Sequence[Sequence[d.Binding]]) -> dict[str, d.Binding]:
    """What writes each setting: the file itself before its ancestors."""
    return {b.name: b for level in reversed(levels) for b in level}


# --- values as text ------------------------------------------------------------------------------


def _options(core: Slot) -> Iterator[str]:
    """The options of the core that are not at their default."""
    for name in OPTIONS["core"]:
        value = getattr(core, name)
        if value != Slot.model_fields[name].get_default(call_default_factory=True):
            yield f"{name} = {expression(value, f.OPTIONS[name])}"


def expression(value: Any, field: Field) -> str:
    """A literal of the resolved spec as an expression of the language."""
    match value:
        case Signature():
            inner = field.argument
            return f"{value.call}({_arguments(value, inner)})"
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case str():
            return value if field.words else string(value)
        case int() | float():
            return f"-{number(-value)}" if value < 0 else number(value)
        case dict():
            return f"[{', '.join(f'{k} = {expression(v, field)}' for k, v in value.items())}]"
        case _:
            return f"[{', '.join(expression(v, field) for v in value)}]"


def _arguments(call: Signature, field: Any) -> str:
    written, in_order = [], True
    for name, info in type(call).model_fields.items():
        value = getattr(call, name)
        in_order = in_order and info.is_required()
        if value is not None or info.get_default() is not None:
            label = info.alias or name
            text = expression(value, field(call.call, label))
            written.append(text if in_order else f"{label} = {text}")
    return ", ".join(written)


def _pipe(pipe: Pipe) -> str:
    return " | ".join(_element(e) for e in pipe if e is not None)


def _element(element: Group | Item) -> str:
    if isinstance(element, Group):
        body = f"({_pipe(element.group)})"
    else:
        body = expression(element.op, f.PIPE)
    return body if element.repeat == 1 else f"{body} * {element.repeat}"


def _stage(stage: Stage) -> str:
    head = f"stage @ {stage.at}"
    down, up = _change(stage.down, stage.down_with), _change(stage.up, stage.up_with)
    if (down, up) != ("down", "up"):
        head += f" (down = {down}, up = {up})"
    if stage.encode == stage.decode:
        return f"{head} {_pipe(stage.encode)}"
    return f"{head} {{\nencode {_pipe(stage.encode)}\ndecode {_pipe(stage.decode)}\n}}"


def _change(op: str, given: Mapping[str, int | float]) -> str:
    arguments = ", ".join(f"{name} = {value}" for name, value in given.items())
    return f"{NAMES[op]}({arguments})" if arguments else NAMES[op]


def _moments(start: Start) -> str:
    filled = start.new_moments == "mean"
    return start.moments if filled else f"{start.moments}(new = {start.new_moments})"


def _start(start: Start) -> str:
    match start.origin:
        case "scratch":
            return "scratch"
        case "path":
            return string(start.path or "")
        case _ if start.recipe or start.average:
            ema = str(start.average or start.ema).lower()
            if start.recipe is None:
                return f"parent(ema = {ema})"
            return f"parent(recipe = {string(start.recipe)}, ema = {ema})"
        case _:
            return "parent.ema" if start.ema else "parent"


def _sources(recipe: RecipeDraft) -> list[Source]:
    phases = [source for p in recipe.phases for source in p.phase.settings.data]
    validation = recipe.validation.data if recipe.validation else []
    return [*recipe.settings.data, *phases, *validation]


def _source(source: Source) -> str:
    if not source.where:
        return source.name
    return f"{source.name}.where({unparse.expression(_predicate(source.where))})"


def _unused(name: str, names: set[str]) -> str:
    """The name, or a longer one where it is taken; taken from now on."""
    while name in names:
        name += "_"
    names.add(name)
    return name


NOWHERE = Span("", 1, 1, 1, 1)


def _predicate(value: Any) -> d.Expression:
    """A predicate over a row as the expression that it was."""
    match value:
        case ["row", str(name)] if is_path(name):
            return d.Name(f"row.{name}", NOWHERE)
        case ["row", str(name)]:
            field = d.Constant(name.removeprefix("json."), NOWHERE)
            return d.Call(ROW_JSON, (d.Argument("", field, NOWHERE),), NOWHERE, NOWHERE)
        case ["min" | "max" as name, *values]:
            arguments = tuple(d.Argument("", _predicate(v), NOWHERE) for v in values)
            return d.Call(name, arguments, NOWHERE, NOWHERE)
        case [sign, *values]:
            return d.Operation(sign, tuple(map(_predicate, values)), NOWHERE)
        case int() | float() if value < 0:
            return d.Operation("-", (d.Constant(-value, NOWHERE),), NOWHERE)
        case _:
            return d.Constant(value, NOWHERE)
