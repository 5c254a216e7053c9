"""Reads the YAML syntax: text to the same `Document` that the Grow syntax gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from growlang.diagnostics import Findings, Span, stage
from growlang.spec.model import WORDS
from growlang.syntax import document as d
from growlang.syntax import grow
from growlang.yaml import fields as f
from growlang.yaml.fields import Field
from growlang.yaml.nodes import List, Map, Node, Refused, Scalar, compose
from growlang.yaml.values import Values

TOP = ("grow", "imports", "params", "blocks", "model", "data", "train", "sample", "evaluate")
SLOTS = ("stem", "stages", "core", "head")
GROWTH = ("keep", "drop", "retain", "moved", "grow", "init")
MODEL = ("name", "grows", *GROWTH, "image", "tokens", "conditions", *WORDS, *SLOTS)


@stage
def read(findings: Findings, text: str, filename: str) -> d.Document | None:
    """The document that `text` spells in YAML; None, with findings, where it does not."""
    partly = read_partly(text, filename)
    whole = findings.of(partly)
    return whole if partly.is_sound else None


@stage
def read_partly(findings: Findings, text: str, filename: str) -> d.Document | None:
    """As `read`, but without the parts that have mistakes; None where it is no YAML."""
    if marks := grow.misleading(text, filename):
        findings.extend(marks)
        return None
    try:
        composed = compose(text, filename, findings)
        if composed is None:
            return None
        found = _Reader(text, filename, findings).document(composed.node)
    except Refused:
        return None
    return found._replace(comments=composed.comments)


class _Reader(Values):
    """Builds the tree. A mistake is recorded, and the part that has it left out."""

    in_pipes = f.PIPE
    """What may be called in a pipe: the file's blocks are no ops."""

    # --- the file --------------------------------------------------------------------------------

    def document(self, node: Node) -> d.Document:
        if isinstance(node, Scalar) and str(node.value).startswith("grow "):
            help = "name the file `NAME.grow`, or begin the file with `grow: 1`"
            raise self.refuse(node.span, "this is Grow, in a file that is named as YAML", help)
        top = self.mapping(node, "a spec", TOP)
        items, keys = top.items, top.keys
        blocks = items.get("blocks")
        self.in_pipes = f.PIPE._replace(own=blocks.items if isinstance(blocks, Map) else ())

        def each(key: str, make: Callable[[Node], Any]) -> tuple[Any, ...]:
            """What is made of each item of the list under a key."""
            if key not in items:
                return ()
            return self.attempt(lambda: self.each(self.sequence(items[key], f"`{key}`"), make), ())

        def bound(key: str, field: Callable[[str], Field]) -> tuple[d.Binding, ...]:
            """The bindings under a key."""
            return self.attempt(lambda: self.bindings(items.get(key), f"`{key}`", field), ())

        return d.Document(
            filename=self.filename,
            text=self.text,
            edition=grow.EDITION,
            params=bound("params", lambda _: Field()),
            imports=each("imports", self.import_),
            blocks=self.attempt(lambda: self.blocks(items.get("blocks")), ()),
            models=self.each([items["model"]] if "model" in items else [], self.model),
            data=bound("data", lambda _: f.SOURCE),
            recipes=each("train", self.recipe),
            sections=tuple(
                d.Section(kind, bound(kind, partial(f.setting, kind)), keys[kind])
                for kind in ("sample", "evaluate")
                if kind in items
            ),
            span=self.edition(items.get("grow")),
        )

    def edition(self, node: Node | None) -> Span:
        """The place of the edition, once it is the known one."""
        if node is None:
            place = Span(self.filename, 1, 1, 1, 2)
            message = "missing edition"
            raise self.refuse(place, message, "begin the file with `grow: 1`", "G002")
        if isinstance(node, Scalar) and node.value == grow.EDITION:
            return node.span
        if not isinstance(node, Scalar) or not isinstance(node.value, int | float):
            message, help = "the edition must be a number", f"write `grow: {grow.EDITION}`"
        else:
            message = f"unknown edition {node.value}"
            help = f"write `grow: {grow.EDITION}`; a newer growlang may know a newer edition"
        raise self.refuse(node.span, message, help, "G002")

    def import_(self, node: Node) -> d.Import:
        table = self.mapping(node, "an import", ("file", "as"), "file")
        self.mapping(node, "an import", need="as")
        place = table.items["as"].span
        name = self.string(table.items["as"], "`as`")
        file = self.string(table.items["file"], "`file`")
        return d.Import(file, self.name(name, place), node.span, place)

    def blocks(self, node: Node | None) -> tuple[d.Block, ...]:
        if node is None:
            return ()
        table = self.mapping(node, "`blocks`")
        found = []
        for name, item in table.items.items():
            try:
                block = self.mapping(item, "a block", ("parameters", "pipe"), "pipe")
                given = block.items.get("parameters")
                defaults = self.parameters(given) if given else ()
                places = tuple(given.keys.values()) if isinstance(given, Map) else ()
                pipe = self.pipe(block.items["pipe"])
            except Refused:
                continue
            key = table.keys[name]
            found.append(d.Block(self.name(name, key), defaults, pipe, item.span, key, places))
        return tuple(found)

    def parameters(self, node: Node) -> tuple[tuple[str, d.Expression | None], ...]:
        """The parameters of a block, each with its default or null."""
        table = self.mapping(node, "`parameters`")
        return tuple(
            (
                self.name(name, table.keys[name]),
                None if isinstance(v, Scalar) and v.value is None else self.value(v),
            )
            for name, v in table.items.items()
        )

    # --- the model -------------------------------------------------------------------------------

    def model(self, node: Node) -> d.Model:
        table = self.mapping(node, "a model", MODEL, "name")
        items = table.items
        label = items["name"]
        name = self.attempt(lambda: self.name(self.string(label, "`name`"), label.span), "")
        statements: list[Any] = []
        for key, item in items.items():
            statements += self.attempt(partial(self.model_statements, key, item, table), ())
        parent = items.get("grows")
        grows = self.attempt(partial(self.grows, parent), None) if parent else None
        return d.Model(name, grows, tuple(statements), node.span, label.span)

    def grows(self, node: Node) -> d.Grows:
        table = self.mapping(node, "`grows`", ("file", "params"), "file")
        params = self.bindings(table.items.get("params"), "`params`", lambda _: Field())
        file = table.items["file"]
        return d.Grows(
            self.string(file, "`file`"),
            tuple(d.Argument(b.name, b.value, b.span) for b in params),
            node.span,
            file.span,
        )

    def model_statements(self, key: str, node: Node, table: Map) -> Iterable[Any]:
        """The statements that one key of a model stands for."""
        match key:
            case "keep" | "drop" | "retain":
                return [d.Verb(key, s, s.span) for s in self.selections(node, key)]
            case "moved" | "grow" | "init":
                make = {"moved": self.moved, "grow": self.grow, "init": self.init}[key]
                return self.each(self.sequence(node, f"`{key}`"), make)
            case "image" | "tokens":
                return self.some_bindings(table, [key], f.binding)
            case "skips" | "detail" | "upsample":
                return self.some_bindings(table, [key], lambda _: f.WORD)
            case "conditions":
                return self.bindings(node, "`conditions`", f.binding)
            case "stages":
                return self.each(self.sequence(node, "`stages`"), lambda n: self.slot("stage", n))
            case "stem" | "core" | "head":
                return [self.slot(key, node)]
            case _:
                return ()

    def selections(self, node: Node, what: str) -> list[d.Selection]:
        """A list of selections; those without `except` become one."""
        found: list[d.Selection] = []
        for item in self.sequence(node, f"`{what}`"):
            try:
                selection = self.embedded.selection(self.string(item, "a selector"), item)
            except Refused:
                continue
            if found and not selection.excluded and not found[-1].excluded:
                last = found.pop()
                included = (*last.included, *selection.included)
                selection = d.Selection(included, (), last.span.to(selection.span))
            found.append(selection)
        return found

    def selector(self, table: Map, key: str) -> d.Selector:
        node = table.items[key]
        return self.embedded.selector(self.string(node, f"`{key}`"), node)

    def places(self, node: Node) -> tuple[d.Selector, ...]:
        """One selector, or a list of them."""
        listed = node.items if isinstance(node, List) else (node,)
        if not listed:
            raise self.refuse(node.span, "missing `select`", "write `select: head`")
        return self.each(listed, lambda n: self.embedded.selector(self.string(n, "a selector"), n))

    def moved(self, node: Node) -> d.Moved:
        table = self.mapping(node, "`moved`", ("from", "to"), "from")
        self.mapping(node, "`moved`", need="to")
        return d.Moved(self.selector(table, "from"), self.selector(table, "to"), node.span)

    def grow(self, node: Node) -> d.GrowBy:
        table = self.mapping(node, "`grow`", ("select", "by"), "select")
        self.mapping(node, "`grow`", need="by")
        select = table.items["select"]
        selection = self.embedded.selection(self.string(select, "`select`"), select)
        rules = self.each(
            self.sequence(table.items["by"], "`by`"),
            lambda n: self.embedded.rule(self.string(n, "a rule"), n),
        )
        if not rules:
            raise self.refuse(table.items["by"].span, "missing `by`", "write `by: [resize]`")
        return d.GrowBy(selection, rules, node.span)

    def init(self, node: Node) -> d.Init:
        table = self.mapping(node, "`init`", ("select", "value"), "select")
        self.mapping(node, "`init`", need="value")
        value = table.items["value"]
        word, like = self.embedded.init(self.string(value, "`value`"), value)
        return d.Init(self.places(table.items["select"]), word, like, node.span)

    def slot(self, kind: str, node: Node) -> d.Slot:
        """A slot: a list, or a mapping with `at`, options and `pipe` or both sides."""
        if isinstance(node, List):
            if kind == "stage":
                raise self.refuse(node.span, "a stage must be a mapping", "write `at: 64`")
            return d.Slot(kind, None, (), self.pipe(node), None, node.span)
        if isinstance(node, Scalar) and kind != "stage":
            raise self.refuse(
                node.span, f"a {kind} must be a list of ops", f"write `[{node.value}]`"
            )
        table = self.mapping(node, "a slot", need="at" if kind == "stage" else "")
        items = table.items
        if "at" in items and kind in ("stem", "head"):
            raise self.refuse(table.keys["at"], f"a {kind} has no `at`", "remove it", "G107")
        at = self.value(items["at"]) if "at" in items else None
        fixed = ("at", "pipe", "encode", "decode") if kind == "stage" else ("at", "pipe")
        names = [n for n in items if n not in fixed]
        options = self.some_bindings(table, names, lambda n: f.OPTIONS.get(n, f.WORD))
        decode = None
        if kind == "stage" and "pipe" not in items:
            self.mapping(node, "a stage without `pipe`", need="encode")
            self.mapping(node, "a stage without `pipe`", need="decode")
            pipe, decode = self.pipe(items["encode"]), self.pipe(items["decode"])
        else:
            pipe = self.pipe(self.mapping(node, "a slot", need="pipe").items["pipe"])
            for side in {"encode", "decode"} & items.keys():
                self.refuse(
                    table.keys[side], f"`{side}` cannot be combined with `pipe`", "remove one"
                )
        return d.Slot(kind, at, tuple(options), pipe, decode, node.span)

    def pipe(self, node: Node) -> d.Pipe:
        items = self.sequence(node, "a pipe")
        if not items:
            raise self.refuse(node.span, "the pipe is empty", "write `- identity`")
        return self.each(items, self.item)

    def item(self, node: Node) -> d.Item:
        """An element of a pipe: `op`, `op: {...}`, `call: = ...` or `group: [...]`."""
        if isinstance(node, Scalar):
            name = self.string(node, "an op")
            call = self.embedded.call(name, node) if name.startswith("=") else None
            return d.Item(call or self.bare(name, node), None, node.span)
        table = self.mapping(node, "an element of a pipe")
        rest = dict(table.items)
        repeat = rest.pop("repeat", None)
        if len(rest) != 1:
            raise self.refuse(
                node.span,
                f"an element of a pipe must have one op, not {len(rest)}",
                "write `- residual: {width: 64}`, and `repeat: 3` below `residual`",
            )
        times = self.value(repeat) if repeat else None
        key, inner = next(iter(rest.items()))
        if key == "group":
            return d.Item(self.pipe(inner), times, node.span)
        if key == "call":
            call = self.embedded.call(self.string(inner, "`call`"), inner)
        else:
            call = self.call(key, table.keys[key], inner, self.in_pipes)
        return d.Item(call, times, node.span)

    def bare(self, name: str, node: Scalar) -> d.Call:
        self.embedded.dotted(name, node)
        return d.Call(name, (), node.span, node.span)

    # --- training --------------------------------------------------------------------------------

    def selected(self, key: str, node: Node) -> list[d.Freeze | d.Release]:
        kind = d.Freeze if key == "freeze" else d.Release
        return [kind(s, s.span) for s in self.selections(node, key)]

    def recipe(self, node: Node) -> d.Recipe:
        table = self.mapping(node, "a recipe")
        items = table.items
        label, listed = items.get("recipe"), items.get("phases")
        name = "main"
        if label:
            said = partial(self.string, label, "`recipe`")
            name = self.attempt(lambda: self.name(said(), label.span), name)
        phases: tuple[Node, ...] = ()
        if listed:
            phases = self.attempt(partial(self.sequence, listed, "`phases`"), phases)
        names = [n for n in items if n not in ("recipe", "phases")]
        return d.Recipe(
            name=name,
            settings=tuple(self.some_bindings(table, names, partial(f.setting, "train"))),
            phases=self.each(phases, self.phase),
            span=node.span,
            name_span=label.span if label else node.span,
        )

    def phase(self, node: Node) -> d.Phase:
        table = self.mapping(node, "a phase", need="name")
        items = self.mapping(node, "a phase", need="for").items
        statements: list[Any] = []
        for key, item in items.items():
            if key in ("freeze", "train"):
                statements += self.selected(key, item)
            elif key == "lr_scale":
                statements += self.scales(item)
            elif key not in ("name", "for"):
                statements += self.some_bindings(table, [key], partial(f.setting, "train"))
        label = items["name"]
        name = self.name(self.string(label, "`name`"), label.span)
        duration = self.duration(items["for"])
        return d.Phase(name, duration, tuple(statements), node.span, label.span)

    def duration(self, node: Node) -> d.Expression:
        if not isinstance(node, Map):
            return self.value(node)
        table = self.mapping(node, "a duration", ("images", "epochs"))
        if len(table.items) != 1:
            raise self.refuse(node.span, "a duration must be one number", "write `{images: 1000}`")
        arguments = tuple(d.Argument("", self.value(v), v.span) for v in table.items.values())
        unit, span = next(iter(table.keys.items()))
        return d.Call(unit, arguments, node.span, span)

    def scales(self, node: Node) -> Iterator[d.LrScale]:
        table = self.mapping(node, "`lr_scale`")
        for name, factor in table.items.items():
            span = table.keys[name]
            plain = span.end_column - span.column == len(name)
            key = Scalar(name, span, 0 if plain else None)
            selector = self.embedded.selector(name, key)
            yield d.LrScale(selector, self.value(factor), key.span.to(factor.span))
