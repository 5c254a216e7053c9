"""What is said about a model that cannot be built: at which place, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from growlang.diagnostics import Diagnostic, Findings, KeyPath, Note, Span
from growlang.net import ComponentName
from growlang.ops import OpError
from growlang.resolve.model import Resolution
from growlang.resolve.pipes import at_call
from growlang.resolve.redeclare import attending, redeclared


class Refusals(NamedTuple):
    """Records findings about a model; those about what it keeps stand at its `keep`."""

    resolution: Resolution
    findings: Findings
    said: frozenset[tuple[str, str]] = frozenset()
    """Codes and messages of what is known already, such as about the parent."""
    retained: Span | None = None
    """The statement that retains the ends that are built, where they are not the model's own."""

    def span(self, *path: str | int) -> Span:
        """The place of a value, or of the innermost thing around it that has one."""
        spans = self.resolution.spans
        while path and path not in spans:
            path = path[:-1]
        return spans.get(path) or next(iter(spans.values()))

    def op(self, error: OpError, at: KeyPath) -> None:
        """Record what an op said about its arguments, at their place in the spec."""
        path = (*at, error.argument) if error.argument else at
        notes = tuple(self.resolution.notes.get(path, ()))
        if error.code == "G207" and not notes:
            notes = self._given_width(at)
        found = Diagnostic(error.code, error.message, self.span(*path), error.help, notes)
        calls = self.resolution.calls
        around = [calls[at[:n]] for n in range(len(at), 0, -1) if at[:n] in calls]
        for block, call in around:
            found = _in_block(found, call, block, whole=error.argument is None)
        if around and found.notes == notes:
            note = Note(f"`{around[0].block}` is called here", around[0].span)
            found = found._replace(notes=(*notes, note))
        self._record(found, ComponentName(at[0]))

    def _given_width(self, at: KeyPath) -> tuple[Note, ...]:
        """Where another file gives the width that the heads do not divide."""
        here = self.span(*at).filename
        notes = self.resolution.notes.get((*at, "width"), ())
        return tuple(note for note in notes if note.span.filename != here)

    def mismatch(
        self,
        code: str,
        message: str,
        component: ComponentName,
        *,
        span: Span | None = None,
        notes: Iterable[Note] = (),
        help: str = "",
        declaration: str = "",
    ) -> None:
        """Record that a component does not go with another.

        `span` is the place of the finding, where it is not the whole component; `declaration` is
        how the component would be declared that goes.
        """
        found = Diagnostic(code, message, span or self.span(component), help, tuple(notes))
        self._record(found, component, declaration)

    def _record(self, found: Diagnostic, component: ComponentName, declaration: str = "") -> None:
        """Record a finding; about a kept component at its `keep`, unless the parent has it too."""
        kept = self.resolution.contract.keep.get(component)
        if self.retained:
            if (found.code, found.message) not in self.said:
                note = Note("declared here", found.span)
                help = f"`drop {component.selector}` instead of retaining it"
                self.findings.record(found._replace(span=self.retained, notes=(note,), help=help))
            return
        if kept and component not in self.resolution.declared:
            own = {(item.code, item.message) for item in self.findings.items}
            if (found.code, found.message) in self.said | own:  # wherever it is blamed
                return
            note = Note("declared here", found.span)
            help = self._way_out(found, component, declaration)
            found = found._replace(span=kept, notes=(note, *found.notes), help=help)
        self.findings.record(found)

    def _way_out(self, found: Diagnostic, component: ComponentName, declaration: str) -> str:
        """What mends a finding about a kept component, which cannot be changed as it is."""
        model, declared = self.resolution.model, self.resolution.declared
        if found.code == "G208":
            return attending(component, model)
        again = redeclared(component, model, declaration)
        elsewhere = {"image", "skips", *model.conditions}
        before = "fix the factors before it" if declaration else found.help
        if declared.keys() <= elsewhere or not before:
            return again
        return f"{before}; or {again}"


def _in_block(found: Diagnostic, call: Span, block: str, whole: bool) -> Diagnostic:
    """A finding inside a block, at its call: at the argument at fault, or at the `whole` call."""
    if not whole:
        return at_call(found, call, block)
    note = Note(f"in `{block}`, here", found.span)
    return found._replace(span=call, notes=(note, *found.notes))
