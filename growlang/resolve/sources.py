"""Resolves where training data comes from: sources, filters and mixes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from growlang.diagnostics import Findings
from growlang.diagnostics.spelling import suggestion
from growlang.resolve.arguments import bind
from growlang.resolve.names import (
    HOLE,
    Names,
    Predicate,
    evaluate,
    leads_to,
    names_in,
    refuse_double,
)
from growlang.resolve.own_images import about_call, about_path, mistaken
from growlang.spec.data import DATA, Data, Source
from growlang.spec.words import meant
from growlang.syntax import document as d


class DataBinding(NamedTuple):
    """A `data` statement and the scope of the file that makes it."""

    binding: d.Binding
    scope: Names


class Sources(NamedTuple):
    """The `data` names in scope."""

    bindings: Mapping[str, DataBinding]
    findings: Findings
    known: dict[str, list[Source]]
    """What has been resolved, by name."""
    open: tuple[str, ...] = ()

    def resolve(self, value: d.Expression, scope: Names, name: str = "data") -> list[Source] | None:
        """The sources of a `data` value, shares adding to 1; None, with a finding, if refused."""
        match value:
            case d.Name(path):
                return self._named(path, value)
            case d.Call("mix", arguments):
                return self._mix(arguments, value)
            case d.Call(called) if called.endswith(".where"):
                return self._where(called.removesuffix(".where"), value, scope)
            case d.Call(called) if signature := DATA.find(called):
                return self._declared(value, signature, scope, name)
            case d.Call(called):
                known = [*DATA.names(), "mix", *(f"{n}.where" for n in self.bindings)]
                known = [name for name in known if not self._leads_back(name)]
                place, choose = value.name_span, f"choose {' | '.join(known)}"
                beyond = DATA.elsewhere(called)
                help, edits = meant(place, called, known, choose, "call", beyond=beyond)
                if own := about_call(value):
                    place, help, edits = value.span, f"{own}, or {beyond}", ()
                message = f"unknown data source `{called}`"
                self.findings.add("G106", message, place, help=help, edits=edits)
            case d.Constant(str(path)):
                self.findings.add(
                    "G201", "not a data source, but a path", value.span, help=about_path(path)
                )
            case _:
                self.findings.add(
                    "G201",
                    "not a data source",
                    value.span,
                    help='name one: `data cc12m = webdataset("cc12m/{000..999}.tar")`',
                )
        return None

    def _declared(
        self, call: d.Call, signature: type[Data], scope: Names, name: str
    ) -> list[Source] | None:
        """A source with its images where its kind reads them, as far as the name shows."""
        bound = bind(call, signature, scope)
        if not isinstance(bound.value, Data):
            return None
        if wrong := mistaken(bound.value):
            self.findings.add("G220", wrong.message, call.span, help=wrong.help)
            return None
        return [Source(name=name, data=bound.value)]

    def _leads_back(self, name: str) -> bool:
        """Whether data of a name needs what is being resolved: a circle."""

        def uses(name: str) -> Iterable[str]:
            found = self.bindings.get(name)
            return names_in(found.binding.value) if found else ()

        return leads_to(name.removesuffix(".where"), self.open, uses)

    def _named(self, path: str, value: d.Expression) -> list[Source] | None:
        if path not in self.bindings:
            known = [name for name in self.bindings if not self._leads_back(name)]
            self.findings.add(
                "G101",
                f"unknown data `{path}`",
                value.span,
                help=suggestion(path, known) or f"declared: {', '.join(known) or 'none'}",
            )
            return None
        if path in self.open:
            circle = " -> ".join([*self.open, path])
            self.findings.add("G104", f"circular data: {circle}", value.span)
            return None
        if path in self.known:
            return self.known[path]
        found = self.bindings[path]
        inner = self._replace(open=(*self.open, path))
        sources = inner.resolve(found.binding.value, found.scope, path)
        if sources and not sources[1:]:
            sources = [sources[0].model_copy(update={"name": path})]
        if sources is not None:
            self.known[path] = sources
        return sources

    def _where(self, path: str, call: d.Call, scope: Names) -> list[Source] | None:
        sources = self._named(path, d.Name(path, call.name_span))
        if len(call.arguments) != 1 or call.arguments[0].name:
            self.findings.add(
                "G203",
                "`where` takes one condition",
                call.span,
                help="such as `where(min(row.width, row.height) >= 512)`",
            )
            return None
        rows = Names(self.findings, outer=scope, rows=True)
        predicate = evaluate(call.arguments[0].value, rows)
        if predicate is HOLE or sources is None:
            return None
        if not isinstance(predicate, Predicate) or predicate[0] not in PREDICATES:
            self.findings.add(
                "G201",
                "`where` takes a condition on the row",
                call.arguments[0].span,
                help="such as `where(row.width >= 512)`",
            )
            return None
        return [
            s.model_copy(update={"where": ["and", s.where, predicate] if s.where else predicate})
            for s in sources
        ]

    def _mix(self, arguments: tuple[d.Argument, ...], call: d.Call) -> list[Source] | None:
        found: list[Source] = []
        places = [(a.name, a.span) for a in arguments if a.name]
        if refuse_double("data", places, self.findings):
            return None
        total = 0.0
        for argument in arguments:
            share = evaluate(argument.value, Names(self.findings))
            sources = self._named(argument.name, argument.value) if argument.name else None
            if share is HOLE or (argument.name and sources is None):
                return None
            if sources is None or isinstance(share, bool | str | list) or not 0 < share <= 1:
                self.findings.add(
                    "G201",
                    "a mix takes `name = share`, shares between 0 and 1",
                    argument.span,
                    help="such as `mix(cc12m = 0.8, aesthetic = 0.2)`",
                )
                return None
            total += share
            inside = f"{argument.name}_" if sources[1:] else ""
            found += [
                s.model_copy(update={"name": inside + s.name, "share": s.share * share})
                for s in sources
            ]
        if abs(total - 1) > 1e-9:
            self.findings.add(
                "G201", f"the shares of a mix must sum to 1, not {total:g}", call.span
            )
            return None
        return found


PREDICATES = {"<", "<=", ">", ">=", "==", "!=", "and", "or", "not"}
