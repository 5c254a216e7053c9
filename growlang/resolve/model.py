"""Resolves the model part of a spec: bindings, slots, and what is kept from the parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from growlang.diagnostics import Findings, KeyPath, Note, Span
from growlang.diagnostics.literals import literal
from growlang.net import ComponentName
from growlang.ops import CONDITIONS
from growlang.ops.conditions import Condition
from growlang.ops.noise_level import Fourier
from growlang.resolve.arguments import read
from growlang.resolve.autoencoder import Place, refuse_other_vae
from growlang.resolve.bindings import read_call
from growlang.resolve.contract import Contract
from growlang.resolve.generations import Generation, refuse_idle_words
from growlang.resolve.inputs import bind_input, has_extent, refuse_none, refuse_two
from growlang.resolve.names import HOLE, Names
from growlang.resolve.pipes import Called, Pipes, Spans
from growlang.resolve.reserved import refuse_reserved
from growlang.resolve.slots import (
    HOLLOW,
    SLOTS,
    SLOTS_OF_TOKENS,
    read_options,
    read_resolution,
)
from growlang.signatures.signature import Signature
from growlang.signatures.tables import Table
from growlang.spec.changes import Average, Nearest
from growlang.spec.forms import Choices
from growlang.spec.model import (
    BINDINGS,
    INPUTS,
    WORDS,
    Grows,
    Image,
    LatentImage,
    Model,
    Slot,
    Stage,
    Tokens,
)
from growlang.spec.words import is_word
from growlang.syntax import document as d


@dataclass(frozen=True)
class Resolution:
    """A resolved model, the place of each of its values, and its growth contract."""

    model: Model
    spans: Spans
    notes: Mapping[KeyPath, Sequence[Note]]
    contract: Contract
    declared: Mapping[str, Span]
    """The components that the file itself declares."""
    broken: frozenset[ComponentName]
    """Components that were refused, so that nothing is said about their users."""
    stages_known: bool
    calls: Mapping[KeyPath, Called]
    """The calls of blocks, by the path of the item that calls."""
    generations: tuple[Generation, ...] = ()
    """The former generations whose ends stay, from the first on."""


def resolve_model(
    model: d.Model,
    scope: Names,
    pipes: Pipes,
    contract: Contract,
    parent: Resolution | None,
    generations: tuple[Generation, ...],
    *,
    is_whole: bool,
) -> Resolution:
    """The model with literals only. Findings are recorded; refused parts leave holes.

    `is_whole` says whether all of its text could be read.
    """
    return _Resolver(model, scope, pipes, contract, parent, generations, is_whole).run()


@dataclass
class _Resolver:
    source: d.Model
    scope: Names
    pipes: Pipes
    contract: Contract
    parent: Resolution | None
    generations: tuple[Generation, ...]
    is_whole: bool
    declared: dict[str, Span] = field(default_factory=dict)
    broken: set[ComponentName] = field(default_factory=set)
    conditions: dict[str, Condition] = field(default_factory=dict)
    time: Fourier | None = None
    image: Image | None = None
    tokens: Tokens | None = None
    words: dict[str, Any] = field(default_factory=dict)
    """The values of bindings that are a word, such as `skips`."""
    slots: dict[str, Slot] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    stages_known: bool = True

    @property
    def findings(self) -> Findings:
        return self.scope.findings

    def run(self) -> Resolution:
        bindings = [s for s in self.source.statements if isinstance(s, d.Binding)]
        self._inputs([b for b in bindings if b.name in INPUTS])
        for binding in bindings:
            if binding.name not in INPUTS:
                self._binding(binding)
        self._inherit_words()
        for statement in self.source.statements:
            if isinstance(statement, d.Slot):
                self._slot(statement)
        self._keep()
        self._leave_open()
        self._missing()
        model = Model.model_construct(
            name=self.source.name,
            grows=_grows(self.contract) if self.source.grows else None,
            image=self.image,
            tokens=self.tokens,
            conditions=self.conditions,
            time=self.time,
            retained=[name for g in self.generations for name in (g.name, *sorted(g.kept))],
            **self.words,
            stages=self.stages,
            stem=self.slots.get("stem", HOLLOW),
            core=self.slots.get("core", HOLLOW),
            head=self.slots.get("head", HOLLOW),
        )
        return Resolution(
            model,
            self.pipes.spans,
            self.pipes.notes,
            self.contract,
            self.declared,
            frozenset(self.broken),
            self.stages_known,
            self.pipes.calls,
            self.generations,
        )

    # --- bindings --------------------------------------------------------------------------------

    def _binding(self, binding: d.Binding) -> None:
        name = binding.name
        if self._twice(name, binding.name_span):
            return
        if is_word(binding):
            self._set_word(read(binding.value, Choices(WORDS[name]), self.scope), binding)
            return
        if name not in BINDINGS:
            refuse_reserved("condition", name, binding.name_span, self.findings)
        value = self._call(binding, BINDINGS.get(name, CONDITIONS))
        match value:
            case Fourier():
                self.time = value
            case Condition():
                self.conditions[name] = value
            case _:
                self.broken.add(ComponentName(name))

    def _call(self, binding: d.Binding, table: Table[Signature]) -> Any:
        return read_call(binding, table, self.pipes, self.scope, is_whole=self.is_whole)

    def _set_word(self, value: Any, binding: d.Binding) -> None:
        name, words = binding.name, WORDS[binding.name]
        if value in words:
            self.words[name] = value
            self.pipes.spans[(name,)] = binding.value.span
        elif value is not HOLE:
            self.findings.add(
                "G201",
                f"`{name}` must be one of {', '.join(words)}, not `{literal(value)}`",
                binding.value.span,
            )

    def _inherit_words(self) -> None:
        """Take the words that are left out from the parent; refuse those that say nothing here."""
        refuse_idle_words(self.declared, self.words, self.generations, self.findings)
        if self.parent is None:
            return
        for name in WORDS.keys() - self.words.keys() - self.declared.keys():
            self.words[name] = getattr(self.parent.model, name)
            if span := self.parent.spans.get((name,)):
                self.pipes.spans[(name,)] = span

    def _inputs(self, bindings: list[d.Binding]) -> None:
        """The model's input: its own, or its parent's."""
        parent = self.parent
        for binding in bindings:
            if not self._twice(binding.name, binding.name_span):
                value = self._call(binding, BINDINGS[binding.name])
                span = binding.value.span
                if isinstance(value, Image) and not has_extent(value, span, self.findings):
                    value = None
                if isinstance(value, LatentImage):
                    self._hold_against_vae(value, binding)
                self._set_input(binding.name, value, span)
        if not bindings and parent is not None:
            name = "image" if parent.model.tokens is None else "tokens"
            span = parent.spans.get((name,), self.source.name_span)
            self.pipes.spans[(name,)] = span
            self._set_input(name, parent.model.image or parent.model.tokens, span)
            return
        if not bindings:
            refuse_none(self.source, self.findings)
        elif not refuse_two(bindings, self.findings):
            return
        for name in INPUTS:
            self._set_input(name, None, self.source.name_span)

    def _hold_against_vae(self, image: LatentImage, binding: d.Binding) -> None:
        """Refuse latents that are not those of the VAE."""
        name = binding.name
        spans = {part: self.pipes.spans.get((name, part)) for part in LatentImage.model_fields}
        known = {part: span for part, span in spans.items() if span}
        refuse_other_vae(image, Place(binding.value.span, known), self.findings)

    def _set_input(self, name: str, value: Image | Tokens | None, span: Span) -> None:
        """Take an input; an image of unknown sides stands for one that was refused."""
        bind_input(name, value, span, self.scope)
        if isinstance(value, Tokens):
            self.image, self.tokens = None, value
        else:
            self.image, self.tokens = value or Image(), None

    # --- slots -----------------------------------------------------------------------------------

    def _slot(self, slot: d.Slot) -> None:
        at = read_resolution(slot, self.scope)
        name = ComponentName.of_stage(at) if slot.kind == "stage" else slot.kind
        if slot.kind == "stage" and not at:
            self.stages_known = False
            return
        if self._twice(name, slot.span):
            return
        options = read_options(slot, name, self.scope, self.pipes.spans)
        self.pipes.spans[(name,)] = slot.span
        if slot.kind == "stage":
            decode = slot.pipe if slot.decode is None else slot.decode
            down, up = options.get("down", Average()), options.get("up", Nearest())
            self.stages.append(
                Stage.model_construct(
                    at=at,
                    down=down.op,
                    up=up.op,
                    down_with=down.given,
                    up_with=up.given,
                    encode=self.pipes.resolve(slot.pipe, self.scope, (name, "encode")),
                    decode=self.pipes.resolve(decode, self.scope, (name, "decode")),
                )
            )
            return
        pipe = self.pipes.resolve(slot.pipe, self.scope, (name,))
        self.slots[name] = Slot.model_construct(at=at or None, pipe=pipe, **options)

    # --- the parent ------------------------------------------------------------------------------

    def _keep(self) -> None:
        """Take the kept components over from the parent, with their places."""
        for generation in self.generations:
            self.pipes.spans[(generation.name,)] = generation.span
        stay = {name for g in self.generations for name in (g.name, *g.kept)}
        for name, span in self.contract.keep.items():
            if name in self.declared:
                self.findings.add(
                    "G303",
                    f"`{name.selector}` is both kept and redeclared",
                    self.declared[name],
                    help="remove this declaration, or "
                    f"`drop {name.selector}` instead of keeping it",
                    notes=[Note("kept here", span)],
                )
                self._unknown(name)
                continue
            assert self.parent is not None
            if name not in stay:
                self._take(name, self.parent)

    def _leave_open(self) -> None:
        """What no statement speaks of may be kept or dropped: nothing is said about its users."""
        parent = self.parent.model.components() if self.parent else []
        for name in self.contract.silent(parent):
            if name not in self.declared:
                self._unknown(name)

    def _unknown(self, name: ComponentName) -> None:
        """A component of which the statements do not agree, or say nothing."""
        self.broken.add(name)
        if name in SLOTS:
            self.slots[name] = HOLLOW
        elif name.is_stage:
            self.stages_known = False

    def _take(self, name: ComponentName, parent: Resolution) -> None:
        old = parent.model
        self.pipes.spans.update({p: s for p, s in parent.spans.items() if p[0] == name})
        self.pipes.notes.update({p: list(n) for p, n in parent.notes.items() if p[0] == name})
        self.pipes.calls.update({p: c for p, c in parent.calls.items() if p[0] == name})
        if name in parent.broken:
            self.broken.add(name)
        elif name == "time":
            self.time = old.time
        elif name in old.conditions:
            self.conditions[name] = old.conditions[name]
        elif name.is_stage:
            stage = next(s for s in old.stages if s.name == name)
            finer = [i for i, s in enumerate(self.stages) if s.at > stage.at]
            self.stages.insert(finer[-1] + 1 if finer else 0, stage)
        else:
            self.slots[name] = getattr(old, name)

    def _missing(self) -> None:
        examples = SLOTS if self.tokens is None else SLOTS_OF_TOKENS
        for name, example in examples.items():
            said = [*self.contract.keep, *self.contract.grow]
            accounted = name in [*said, *(self.contract.retain if name == "core" else ())]
            if name not in self.slots and not accounted:
                self.findings.add(
                    "G210",
                    f"model `{self.source.name}` has no {name}",
                    self.source.name_span,
                    help=f"declare it: `{example}`",
                )

    def _twice(self, name: str, span: Span) -> bool:
        if name in self.declared:
            self.findings.add(
                "G102",
                f"`{name}` is defined twice",
                span,
                help="remove one",
                notes=[Note("the first is here", self.declared[name])],
            )
            return True
        self.declared[name] = span
        return False


def _grows(contract: Contract) -> Grows:
    """What a model says of its parent, without the file of that."""
    return Grows.model_construct(
        parent="",
        keep=sorted(contract.keep),
        drop=sorted(contract.drop),
        retain=sorted(contract.retain),
        moved=[(str(m.old), str(m.new)) for m in contract.moved],
        init=[(str(i.selector), str(i)) for i in contract.inits],
        grow=[(name, [*g.rules]) for name, g in sorted(contract.grow.items())],
    )
