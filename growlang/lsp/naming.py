"""Goes through the tree of a file and notes what it declares and what it uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from lark import Token
from pydantic import BaseModel

from growlang.diagnostics import Span
from growlang.lsp.known import SETTINGS, find, signature_of
from growlang.lsp.names import Declaration, Names, Use
from growlang.lsp.tolerant import MADE_UP, Reading
from growlang.resolve.slots import choices_of
from growlang.rules import RULES
from growlang.signatures.signature import Signature
from growlang.spec.data import DATA
from growlang.spec.forms import Choices, choices, form, positions
from growlang.spec.model import BINDINGS, CONDITIONS, INPUTS, WORDS
from growlang.spec.recipe import MOMENTS
from growlang.spec.words import is_word
from growlang.syntax import document as d

WORD = re.compile(r"[a-z_][a-z0-9_]*")
NOTHING, INITS = Choices(), Choices(("zero", "identity", "default"))
PARENT = Choices(("scratch", "parent", "parent.ema"))


def names(reading: Reading) -> Names:
    """The names of a text, those in what does not parse too."""
    trees = (reading.document, *reading.islands)
    blocks = {block.name for tree in trees for block in tree.blocks}
    walk = _Walk(reading.document.text, frozenset(blocks))
    walk.lost(reading.lost, reading.document.filename)
    for tree in trees:
        walk.document(tree)
    return Names(
        tuple(sorted(set(walk.declared), key=lambda item: (item.span, item.kind))),
        tuple(sorted(set(walk.used), key=lambda item: (item.span, item.kind))),
    )


class _Walk:
    """One pass over the trees of a text; `blocks` are the names of its blocks."""

    def __init__(self, text: str, blocks: frozenset[str]) -> None:
        self.lines, self.blocks = text.split("\n"), blocks
        self.declared: list[Declaration] = []
        self.used: list[Use] = []

    # --- notes -----------------------------------------------------------------------------------

    def words(self, span: Span) -> list[tuple[str, Span]]:
        """The words of the first row of a span."""
        line = self.lines[span.row - 1] if span.row <= len(self.lines) else ""
        end = span.end_column - 1 if span.end_row == span.row else len(line)
        start = span.column - 1
        return [
            (m[0], span._replace(column=m.start() + 1, end_row=span.row, end_column=m.end() + 1))
            for m in WORD.finditer(line, start, end)
        ]

    def declare(self, kind: str, name: str, span: Span, owner: str = "") -> None:
        """Note a declaration, whose name stands at the start of a span."""
        found = self.words(span)
        if name != MADE_UP and found and found[0][0] == name:
            self.declared.append(Declaration(kind, name, found[0][1], owner))

    def use(self, kind: str, name: str, span: Span, owner: str = "") -> None:
        """Note the use of a name that stands at the start of a span."""
        found = self.words(span)
        if found and found[0][0] == name:
            self.used.append(Use(kind, name, found[0][1], owner))

    def path(self, kind: str, path: str, span: Span, owner: str = "") -> None:
        """Note the words of a dotted name; where there are others before it, they are an import."""
        parts, found = path.split("."), self.words(span)
        if [word for word, _ in found[: len(parts)]] != parts:
            return
        if not parts[1:]:
            self.used.append(Use(kind, path, found[0][1], owner))
        elif parts[0] in INPUTS:
            self.used.append(Use("input", parts[0], found[0][1]))
            self.used += [Use("field", path, place) for _, place in found[1 : len(parts)]]
        else:
            self.used.append(Use("import", parts[0], found[0][1]))
            self.used.append(Use(kind, path, found[len(parts) - 1][1], owner))

    # --- values ----------------------------------------------------------------------------------

    def value(self, value: d.Expression, allowed: Choices = NOTHING, owner: str = "") -> None:
        """An expression where these choices may stand, in the block `owner`."""
        match value:
            case d.Name(path, span) if path in allowed.words or path == "self":
                self.used += [Use("choice", path, place) for _, place in self.words(span)]
            case d.Name(path, span) if find(allowed.calls, path):
                self.use("op", path, span)
            case d.Name(path, span) if allowed.conditions:
                self.path("condition", path, span)
            case d.Name(path, span):
                self.path("value", path, span, owner)
            case d.Call(name, arguments, _, span):
                self.use("op", name, span)
                self.arguments(arguments, find(allowed.calls, name), name, owner)
            case d.ListOf(items):
                for item in items:
                    if item.name:
                        self.use("argument", item.name, item.span)
                    self.value(item.value, allowed, owner)
            case d.Operation(_, operands):
                for operand in operands:
                    self.value(operand, NOTHING, owner)
            case _:
                pass

    def arguments(
        self,
        given: Sequence[d.Argument],
        signature: type[Signature] | None,
        called: str,
        owner: str = "",
    ) -> None:
        """The arguments of a call of something that the language has."""
        fields = form(signature).fields if signature else {}
        order = positions(signature, [argument.name for argument in given]) if signature else []
        for position, argument in enumerate(given):
            name = argument.name or (order[position] if position < len(order) else "")
            allowed = NOTHING
            if signature and name in fields:
                allowed = choices(signature, fields[name][0])
            if argument.name:
                self.use("argument", argument.name, argument.span, called)
            if name == "drop" and isinstance(argument.value, d.ListOf):
                for item in argument.value.items:
                    self.use("condition", item.name, item.span)
                    self.value(item.value)
            else:
                self.value(argument.value, allowed, owner)

    def row(self, value: d.Expression) -> None:
        """A condition on a row of data."""
        match value:
            case d.Name(path, span) if path.startswith("row."):
                self.used += [Use("field", path, place) for _, place in self.words(span)]
            case d.Operation(_, operands):
                for operand in operands:
                    self.row(operand)
            case d.Call(name, arguments, _, span):
                self.use("op", name, span)
                for argument in arguments:
                    self.row(argument.value)
            case _:
                self.value(value)

    def data(self, value: d.Expression) -> None:
        """A source of data."""
        match value:
            case d.Name(path, span):
                self.use("data", path, span)
            case d.Call("mix", arguments, _, span):
                self.use("op", "mix", span)
                for argument in arguments:
                    self.use("data", argument.name, argument.span)
                    self.value(argument.value)
            case d.Call(name, arguments, _, span) if name.endswith(".where"):
                self.use("data", name.removesuffix(".where"), span)
                self.used += [Use("op", "where", place) for _, place in self.words(span)[1:2]]
                for argument in arguments:
                    self.row(argument.value)
            case _:
                self.value(value, Choices(calls=DATA))

    # --- the file --------------------------------------------------------------------------------

    def document(self, document: d.Document) -> None:
        """All statements of a file."""
        for binding in document.params:
            self.declare("param", binding.name, binding.name_span)
            self.value(binding.value)
        for statement in document.imports:
            self.declare("import", statement.name, statement.name_span)
        for block in document.blocks:
            self.block(block)
        for model in document.models:
            self.model(model)
        for binding in document.data:
            self.declare("data", binding.name, binding.name_span)
            self.data(binding.value)
        for recipe in document.recipes:
            self.recipe(recipe)
        for section in document.sections:
            for setting in section.settings:
                self.setting(setting, section.kind)

    def block(self, block: d.Block) -> None:
        """A block: its parameters and its pipe."""
        if block.name == MADE_UP:
            above = (n for n in self.declared if n.kind == "block" and n.span < block.pipe[0].span)
            nearest = max(above, key=lambda n: n.span, default=None)
            self.pipe(block.pipe, nearest.name if nearest else "")
            return
        self.declare("block", block.name, block.name_span)
        for (name, default), span in zip(block.parameters, block.parameter_spans, strict=True):
            self.declare("parameter", name, span, block.name)
            if default is not None:
                self.value(default, owner=block.name)
        self.pipe(block.pipe, block.name)

    def pipe(self, pipe: d.Pipe, owner: str = "") -> None:
        """The items of a pipe, in the block `owner` or in a slot."""
        for item in pipe:
            if isinstance(item.body, d.Call):
                self.call(item.body, owner)
            else:
                self.pipe(item.body, owner)
            if item.repeat is not None:
                self.value(item.repeat, owner=owner)

    def call(self, call: d.Call, owner: str) -> None:
        """The call of a block or an op."""
        signature = signature_of(call.name) if "." not in call.name else None
        if signature is not None and call.name not in self.blocks:
            self.use("op", call.name, call.name_span)
            self.arguments(call.arguments, signature, call.name, owner)
            return
        self.path("block", call.name, call.name_span)
        for argument in call.arguments:
            if argument.name:
                self.use("parameter", argument.name, argument.span, call.name)
            self.value(argument.value, owner=owner)

    # --- the model -------------------------------------------------------------------------------

    def model(self, model: d.Model) -> None:
        """A model and its statements."""
        self.declare("model", model.name, model.name_span)
        for given in model.grows.params if model.grows else ():
            self.use("given", given.name, given.span)
            self.value(given.value)
        for statement in model.statements:
            match statement:
                case d.Binding():
                    self.binding(statement)
                case d.Slot():
                    self.slot(statement)
                case _:
                    self.growth(statement)

    def binding(self, binding: d.Binding) -> None:
        """An input, a condition, `time`, or a word such as `skips`."""
        name = binding.name
        if is_word(binding):
            self.use("setting", name, binding.name_span)
            self.value(binding.value, Choices(WORDS[name]))
            return
        self.declare("input" if name in INPUTS else "condition", name, binding.name_span)
        self.value(binding.value, Choices(calls=BINDINGS.get(name, CONDITIONS)))

    def slot(self, slot: d.Slot) -> None:
        """A slot: its place, its options and its pipes."""
        self.declare("slot", slot.kind, slot.span)
        if slot.at is not None:
            self.value(slot.at)
        for option in slot.options:
            self.use("argument", option.name, option.name_span, slot.kind)
            self.value(option.value, choices_of(slot.kind, option.name))
        self.pipe(slot.pipe)
        self.pipe(slot.decode or ())

    def growth(self, statement: d.Verb | d.Moved | d.GrowBy | d.Init) -> None:
        """What becomes of a part of the parent, or how a part of the model begins."""
        match statement:
            case d.Verb(_, selection):
                self.selection(selection, "kept")
            case d.Moved(old, new):
                self.selector(old, "kept")
                self.selector(new)
            case d.GrowBy(selection, rules):
                self.selection(selection)
                for rule in rules:
                    self.use("op", rule.name, rule.span, "by")
                    self.arguments(rule.arguments, find(RULES, rule.name), f"by {rule.name}")
            case d.Init(selectors, _, like):
                for selector in selectors:
                    self.selector(selector)
                if like:
                    self.selector(like, "kept")

    def selection(self, selection: d.Selection, kind: str = "component") -> None:
        """Selectors, and those behind `except`."""
        for selector in (*selection.included, *selection.excluded):
            self.selector(selector, kind)

    def selector(self, selector: d.Selector, kind: str = "component") -> None:
        """The component that a selector begins with."""
        step = selector.steps[0].name
        self.use("choice" if step == "all" else kind, step, selector.span)

    # --- training --------------------------------------------------------------------------------

    def recipe(self, recipe: d.Recipe) -> None:
        """A recipe: its settings and phases."""
        if recipe.name_span != recipe.span:
            self.declare("recipe", recipe.name, recipe.name_span)
        for setting in recipe.settings:
            self.setting(setting, "train")
        for phase in recipe.phases:
            self.declare("phase", phase.name, phase.name_span)
            self.value(phase.duration, owner="")
            for statement in phase.statements:
                match statement:
                    case d.Binding():
                        self.setting(statement, "train")
                    case d.Freeze(selection) | d.Release(selection):
                        self.selection(selection)
                    case d.LrScale(selector, factor):
                        self.selector(selector)
                        self.value(factor)

    def setting(self, setting: d.Binding, section: str) -> None:
        """A setting of a recipe, a phase, `sample` or `evaluate`."""
        name, value = setting.name, setting.value
        self.use("setting", name, setting.name_span, section)
        model: type[BaseModel] = SETTINGS[section]
        if name in ("data", "validate") and section == "train":
            self.data(value)
        elif name == "start":
            self.start(value)
        elif name in model.model_fields:
            self.value(value, choices(model, name))
        else:
            self.value(value, RUN.get(name, NOTHING))

    def start(self, value: d.Expression) -> None:
        """Where a recipe starts: its parent may be a recipe by its name."""
        if not isinstance(value, d.Call):
            self.value(value, PARENT)
            return
        self.use("op", value.name, value.name_span)
        for argument in value.arguments:
            if argument.name:
                self.use("argument", argument.name, argument.span, value.name)
            if argument.name in ("", "recipe") and isinstance(argument.value, d.Constant):
                named = argument.value.value
                span = argument.value.span
                self.used += [
                    Use("recipe", w, place) for w, place in self.words(span) if w == named
                ]
            else:
                self.value(argument.value)

    # --- what does not parse ---------------------------------------------------------------------

    def lost(self, tokens: Iterable[Token], filename: str) -> None:
        """The words of what does not parse: declarations by the keyword before them, and uses."""
        behind = before = Token("", "")
        depth = 0
        block = Declaration("block", "", Span(filename, 0, 0, 0, 0))
        for token in tokens:
            row, column = token.line or 1, token.column or 1
            span = Span(filename, row, column, row, column + len(token))
            same = before.line == row
            kind = DECLARING.get(before) if same else None
            depth = (depth if same else 0) + (token in ("(", "[")) - (token in (")", "]"))
            if WORD.fullmatch(token) and kind:
                self.declare(kind, str(token), span)
                block = Declaration(kind, str(token), span)
            elif block.kind == "block" and block.span.row == row and before in ("(", ","):
                self.declare("parameter", str(token), span, block.name)
            elif token == "=" and before.type == "NAME" and same and not depth:
                if not DECLARING.get(behind):
                    self.bound(before, filename)
            elif token.type == "NAME":
                self.use("any", str(token), span)
            behind, before = before, token

    def bound(self, token: Token, filename: str) -> None:
        """A name before the `=` of a statement that is indented: a condition, or a setting."""
        row, column = token.line or 1, token.column or 1
        settings = {name for model in SETTINGS.values() for name in model.model_fields}
        if column > 1 and token not in settings:
            span = Span(filename, row, column, row, column + len(token))
            self.declare("input" if token in INPUTS else "condition", str(token), span)


RUN: Mapping[str, Choices] = {
    "moments": Choices(("carry", "reset"), MOMENTS),
    "transition": Choices(("discard",)),
}
DECLARING = {
    "param": "param",
    "as": "import",
    "block": "block",
    "model": "model",
    "data": "data",
    "train": "recipe",
    "phase": "phase",
}
"""What is declared behind a keyword."""
