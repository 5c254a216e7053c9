"""Resolves the model part of a spec: bindings, slots, and what is kept from the parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from growlang.diagnostics import Findings, Note, Span
from growlang.model import BINDINGS, Grows, Image, Model, Position, Skips, Slot, Stage
from growlang.ops import CONDITIONS
from growlang.ops.conditions import Condition, Fourier
from growlang.resolve.arguments import Choices, bind, read
from growlang.resolve.contract import Contract
from growlang.resolve.names import HOLE, Bound, Scope, evaluate, origins, rename, suggestion
from growlang.resolve.pipes import Called, Path, Pipes, Spans
from growlang.resolve.reserved import refuse_reserved
from growlang.signature import Signature
from growlang.syntax import document as d

SKIPS = ("block", "none", "level")
POSITIONS = ("learned", "sincos", "none")
OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "stage": {"down": ("down",), "up": ("up",)},
    "core": {"position": POSITIONS},
}
"""Options of the slots, and what each may be."""
HOLLOW = Slot.model_construct(at=None, position=None, pipe=[None])
"""Stands for a slot that is missing or was refused."""
SLOTS = {
    "stem": "stem patch(4, width)",
    "core": "core @ 16 transformer(width, heads = 16) * 12",
    "head": "head unpatch(4)",
}


@dataclass
class Resolution:
    """A resolved model, the place of each of its values, and its growth contract."""

    model: Model
    spans: Spans
    notes: Mapping[Path, Sequence[Note]]
    contract: Contract
    declared: dict[str, Span] = field(default_factory=dict)
    """The components that the file itself declares."""
    broken: set[str] = field(default_factory=set)
    """Conditions that were refused, so that nothing is said about their users."""
    stages_known: bool = True
    calls: Mapping[Path, Called] = field(default_factory=dict)
    """The calls of blocks, by the path of the item that calls."""


def resolve_model(
    model: d.Model,
    scope: Scope,
    pipes: Pipes,
    contract: Contract,
    parent: Resolution | None,
) -> Resolution:
    """The model with literals only. Findings are recorded; refused parts leave holes."""
    return _Resolver(model, scope, pipes, contract, parent).run()


@dataclass
class _Resolver:
    source: d.Model
    scope: Scope
    pipes: Pipes
    contract: Contract
    parent: Resolution | None
    declared: dict[str, Span] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    conditions: dict[str, Condition] = field(default_factory=dict)
    time: Fourier | None = None
    image: Image = field(default_factory=Image)
    skips: Skips = "block"
    slots: dict[str, Slot] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    stages_known: bool = True

    @property
    def findings(self) -> Findings:
        return self.scope.findings

    def run(self) -> Resolution:
        bindings = [s for s in self.source.statements if isinstance(s, d.Binding)]
        for binding in sorted(bindings, key=lambda b: b.name != "image"):
            self._binding(binding)
        if "image" not in self.declared:
            self._inherit_image()
        for statement in self.source.statements:
            if isinstance(statement, d.Slot):
                self._slot(statement)
        self._keep()
        self._missing()
        grows = None
        if self.source.grows:
            grows = Grows.model_construct(
                parent="",
                keep=sorted(self.contract.keep),
                drop=sorted(self.contract.drop),
                moved=[(str(m.old), str(m.new)) for m in self.contract.moved],
            )
        model = Model.model_construct(
            name=self.source.name,
            grows=grows,
            image=self.image,
            conditions=self.conditions,
            time=self.time,
            skips=self.skips,
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
            self.broken,
            self.stages_known,
            self.pipes.calls,
        )

    # --- bindings --------------------------------------------------------------------------------

    def _binding(self, binding: d.Binding) -> None:
        name = binding.name
        if self._twice(name, binding.name_span):
            return
        if name == "skips":
            value = read(binding.value, Choices(SKIPS), self.scope)
            self._set_skips(value, binding)
            return
        if name not in BINDINGS:
            refuse_reserved("condition", name, binding.name_span, self.findings)
        value = self._call(binding, BINDINGS.get(name, CONDITIONS))
        match value:
            case Image():
                self._set_image(value, binding)
            case Fourier():
                self.time = value
            case Condition():
                self.conditions[name] = value
            case _:
                self.broken.add(name)
        if name == "image" and self.image.extent == (0, 0):
            self._image_unknown()

    def _call(self, binding: d.Binding, table: dict[str, type[Signature]]) -> Any:
        value = binding.value
        if not isinstance(value, d.Call) or value.name not in table:
            written = value.name if isinstance(value, d.Call) else ""
            span = value.name_span if isinstance(value, d.Call) else value.span
            kind = f"what `{binding.name}` may be" if binding.name in BINDINGS else "a condition"
            wrong = f"`{written}` is not {kind}" if written else f"`{binding.name}` must be a call"
            form = " | ".join(f"{name}(...)" for name in table)
            self.findings.add(
                "G106" if written else "G201",
                wrong,
                span,
                help=suggestion(written, table) or f"write `{binding.name} = {form}`",
                edits=rename(span, written, table) if written else (),
            )
            return None
        bound = bind(value, table[value.name], self.scope)
        self.pipes.spans[(binding.name,)] = value.span
        for name, span in bound.spans.items():
            self.pipes.spans[(binding.name, name)] = span
            self.pipes.notes[(binding.name, name)] = bound.notes[name]
        return bound.value

    def _set_skips(self, value: Any, binding: d.Binding) -> None:
        if value == "level":
            self.findings.add(
                "G211",
                "`skips = level` cannot be built by this version",
                binding.value.span,
                help="choose block | none",
            )
        elif value in SKIPS:
            self.skips = value
        elif value is not HOLE:
            self.findings.add(
                "G201",
                f"`skips` must be one of {', '.join(SKIPS)}, not `{value}`",
                binding.value.span,
            )

    def _set_image(self, image: Image, binding: d.Binding) -> None:
        sides = [side for side in (image.height, image.width) if side is not None]
        if len(sides) != (2 if image.size is None else 0):
            self.findings.add(
                "G201",
                "an image has either a size, or a height and a width",
                binding.value.span,
                help="write `image(64)` or `image(height = 64, width = 96)`",
            )
            return
        self.image = image
        self._bind_image(binding.value.span)

    def _bind_image(self, span: Span) -> None:
        height, width = self.image.extent
        for name, value in (
            ("size", min(height, width)),
            ("height", height),
            ("width", width),
            ("channels", self.image.channels),
        ):
            self.scope.values[f"image.{name}"] = Bound(value, span)

    def _inherit_image(self) -> None:
        if self.parent is None:
            self.findings.add(
                "G210",
                f"model `{self.source.name}` has no image",
                self.source.name_span,
                help="declare it: `image = image(64)`",
            )
            self._image_unknown()
            return
        self.image = self.parent.model.image
        self._bind_image(self.parent.spans.get(("image",), self.source.name_span))

    def _image_unknown(self) -> None:
        for name in ("size", "height", "width", "channels"):
            self.scope.values[f"image.{name}"] = Bound(HOLE, self.source.name_span)

    # --- slots -----------------------------------------------------------------------------------

    def _slot(self, slot: d.Slot) -> None:
        at = self._resolution(slot)
        name = f"stage.{at}" if slot.kind == "stage" else slot.kind
        if slot.kind == "stage" and not at:
            self.stages_known = False
            return
        if self._twice(name, slot.span):
            return
        options = self._options(slot, name)
        self.pipes.spans[(name,)] = slot.span
        if slot.kind == "stage":
            decode = slot.pipe if slot.decode is None else slot.decode
            self.stages.append(
                Stage.model_construct(
                    at=at,
                    down=options.get("down", "down"),
                    up=options.get("up", "up"),
                    encode=self.pipes.resolve(slot.pipe, self.scope, (name, "encode")),
                    decode=self.pipes.resolve(decode, self.scope, (name, "decode")),
                )
            )
            return
        pipe = self.pipes.resolve(slot.pipe, self.scope, (name,))
        position: Position | None = options.get("position")
        self.slots[name] = Slot.model_construct(at=at or None, position=position, pipe=pipe)

    def _resolution(self, slot: d.Slot) -> int:
        """The number after `@`, 0 where there is none or it was refused."""
        if slot.at is None:
            return 0
        value = evaluate(slot.at, self.scope)
        if value is HOLE:
            return 0
        if type(value) is not int or value < 1:
            self.findings.add(
                "G201",
                f"a resolution must be a whole number of at least 1, not `{value}`",
                slot.at.span,
                notes=origins(slot.at, self.scope),
            )
            return 0
        return value

    def _options(self, slot: d.Slot, name: str) -> dict[str, Any]:
        allowed = OPTIONS.get(slot.kind, {})
        found: dict[str, Any] = {}
        for option in slot.options:
            if option.name not in allowed:
                known = ", ".join(allowed) or "none"
                self.findings.add(
                    "G107",
                    f"`{slot.kind}` has no option `{option.name}`",
                    option.name_span,
                    help=suggestion(option.name, allowed) or f"its options: {known}",
                    edits=rename(
                        option.name_span,
                        option.name,
                        set(allowed) - {other.name for other in slot.options},
                    ),
                )
                continue
            value = read(option.value, Choices(allowed[option.name]), self.scope)
            if value in allowed[option.name]:
                found[option.name] = value
                self.pipes.spans[(name, option.name)] = option.value.span
            elif value is not HOLE:
                self.findings.add(
                    "G201",
                    f"`{option.name}` must be one of {', '.join(allowed[option.name])}",
                    option.value.span,
                )
        return found

    # --- the parent ------------------------------------------------------------------------------

    def _keep(self) -> None:
        """Take the kept components over from the parent, with their places."""
        for name, span in self.contract.keep.items():
            if name in self.declared:
                self.findings.add(
                    "G303",
                    f"`{name}` is kept and declared anew",
                    self.declared[name],
                    help=f"remove this declaration, or `drop {name}`",
                    notes=[Note("it is kept here", span)],
                )
            assert self.parent is not None
            self._take(name, self.parent)

    def _take(self, name: str, parent: Resolution) -> None:
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
        elif name.startswith("stage."):
            stage = next(s for s in old.stages if f"stage.{s.at}" == name)
            finer = [i for i, s in enumerate(self.stages) if s.at > stage.at]
            if name not in self.declared:
                self.stages.insert(finer[-1] + 1 if finer else 0, stage)
        else:
            self.slots[name] = getattr(old, name)

    def _missing(self) -> None:
        for name, example in SLOTS.items():
            accounted = name in self.contract.keep or name in self.contract.waiting
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
                f"`{name}` is declared twice",
                span,
                help="remove one",
                notes=[Note("the first is here", self.declared[name])],
            )
            return True
        self.declared[name] = span
        return False
