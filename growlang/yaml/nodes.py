"""Reads YAML 1.2 as nodes with places: scalars, lists and mappings, and nothing else of YAML.

Anchors, tags, merge keys and duplicate keys are refused. A plain scalar is what YAML 1.2 says it
is: `1e-4` is a number and `no` a string. Refused is what readers of YAML disagree about: `010`,
which YAML 1.1 takes for 8, and the line ends that YAML 1.1 alone knows.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

import yaml

from growlang.diagnostics import Findings, Note, Span
from growlang.syntax.building import LARGEST
from growlang.syntax.document import Comment
from growlang.syntax.grow import DEPTH_LIMIT
from growlang.yaml.broken import explained

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_ODD = re.compile(r"[-+]?(0[0-9_]+|0[xob][0-9a-fA-F_]+|\.inf|\.nan)", re.IGNORECASE)
_UNSAYABLE = re.compile("[\0\r\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""What no text in Grow can hold, so that every spec can be converted."""
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
_COMMENT = re.compile("#[^\n]*")
_LONGEST_KEY = 1000
"""Most characters of a key: readers of YAML look no further for its colon than 1024."""
_WORDS = {"": None, "~": None} | {
    form: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for form in (word, word.capitalize(), word.upper())
}


NOWHERE = Span("", 0, 0, 0, 0)
"""The place of a node that has none in the text."""


class Scalar(NamedTuple):
    """A value.

    `inset` is the number of columns between its start and its text (a quote); None where columns
    say nothing, since the text stands on several lines or has escapes. `spelling` is that of a
    number.
    """

    value: int | float | str | bool | None
    span: Span
    inset: int | None = 0
    spelling: str = ""


class List(NamedTuple):
    """A sequence; `block` where it has no brackets."""

    items: tuple["Node", ...]
    span: Span
    block: bool = False


class Map(NamedTuple):
    """A mapping with strings as keys; `block` where it has no braces."""

    items: dict[str, "Node"]
    keys: dict[str, Span]
    span: Span
    block: bool = False


Node = Scalar | List | Map


class Composed(NamedTuple):
    """The one document of a text, and the comments in it."""

    node: Node
    comments: tuple[Comment, ...]


class Refused(Exception):
    """What stands there is not part of the language; the finding is recorded."""


def compose(text: str, filename: str, findings: Findings) -> Composed | None:
    """The one document of a text; None, with a finding, where it is refused."""
    try:
        return _Composer(text, filename, findings).composed()
    except Refused:
        return None
    except yaml.YAMLError as error:
        findings.record(explained(error, text, filename))
        return None


class _Composer:
    def __init__(self, text: str, filename: str, findings: Findings) -> None:
        self.text, self.filename, self.findings = text, filename, findings
        self.events: Iterator[Any] = yaml.parse(text, Loader=LOADER)
        self.depth = 0
        self.scalars: list[tuple[int, int]] = []
        """Where the texts of scalars begin and end: a `#` in them begins no comment."""

    def composed(self) -> Composed:
        for row, line in enumerate(self.text.split("\n"), 1):
            for match in _LINE_ENDS.finditer(line):
                place = Span(self.filename, row, match.start() + 1, row, match.end() + 1)
                sign = f"U+{ord(match[0]):04X}"
                message = f"{sign} is a line break for some YAML parsers and not for others"
                self.refuse("G003", message, place, "remove it")
        return Composed(self.document(), self.comments())

    def comments(self) -> tuple[Comment, ...]:
        """The comments of the text, which was read to its end."""
        found = []
        lines = [0, *(match.end() for match in re.finditer("\n", self.text))]
        behind = 0
        for start, end in [*self.scalars, (len(self.text), 0)]:
            for match in _COMMENT.finditer(self.text, behind, start):
                row = bisect_right(lines, match.start())
                column = match.start() - lines[row - 1] + 1
                span = Span(self.filename, row, column, row, column + len(match[0]))
                found.append(Comment(match[0], span))
            behind = end
        return tuple(found)

    def document(self) -> Node:
        next(self.events)
        first = next(self.events)
        if isinstance(first, yaml.StreamEndEvent):
            span = Span(self.filename, 1, 1, 1, 1)
            self.refuse("G002", "the file is empty", span, "begin it with `grow: 1`")
        if first.tags:
            self.refuse("G001", "tags are not supported", self.span(first), "remove them")
        node = self.node(next(self.events))
        next(self.events)
        further = next(self.events)
        if isinstance(further, yaml.DocumentStartEvent):
            self.refuse(
                "G001", "a file holds one YAML document", self.span(further), "remove the rest"
            )
        return node

    def node(self, event: Any) -> Node:
        span = self.span(event)
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            message = "anchors and aliases are not supported"
            self.refuse("G001", message, span, "write the value out, or name it in `params`")
        if event.tag is not None:
            self.refuse("G001", "tags are not supported", span, "remove it")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, span)
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            self.refuse("G001", f"lists are nested more than {DEPTH_LIMIT} deep", span, "")
        found = (
            self.sequence(event)
            if isinstance(event, yaml.SequenceStartEvent)
            else self.mapping(event)
        )
        self.depth -= 1
        return found

    def scalar(self, event: Any, span: Span) -> Scalar:
        text = event.value
        start, end = event.start_mark.index, event.end_mark.index
        inset = 1 if event.style in ("'", '"') else 0
        exact = self.text[start + inset : end - inset] == text
        if event.style in ("|", ">"):
            start = self.text.find("\n", start, end)  # a comment may stand before
        self.scalars.append((start, end))
        if odd := _UNSAYABLE.search(text):
            message = f"invalid character U+{ord(odd[0]):04X}"
            self.refuse("G003", message, span, "remove it")
        if event.style:
            return Scalar(text, span, inset if exact else None)
        if text in _WORDS:
            return Scalar(_WORDS[text], span)
        if _ODD.fullmatch(text):
            self.refuse(
                "G003",
                f"`{text}` is read differently by different YAML parsers",
                span,
                "write a plain decimal number, or put a string in quotes",
            )
        if not (_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text)):
            return Scalar(text, span, 0 if exact else None)
        value = float(text)
        if not math.isfinite(value) or abs(value) > LARGEST:
            message = f"the number is above {LARGEST:.0e}"
            self.refuse("G003", message, span, "write a smaller one")
        return Scalar(int(text) if _INTEGER.fullmatch(text) else value, span, 0, text)

    def sequence(self, start: Any) -> List:
        items = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event))
        return List(tuple(items), self.around(start, event, items), not start.flow_style)

    def mapping(self, start: Any) -> Map:
        items: dict[str, Node] = {}
        keys: dict[str, Span] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event)
            if not isinstance(key, Scalar) or not isinstance(key.value, str) or key.value == "<<":
                self.refuse("G001", "keys must be names", key.span, "")
            assert isinstance(key, Scalar) and isinstance(key.value, str)
            if len(key.value) > _LONGEST_KEY:
                message = f"the key is longer than {_LONGEST_KEY} characters"
                self.refuse("G001", message, key.span, "write a shorter one")
            if key.value in keys:
                self.findings.add(
                    "G102",
                    f"duplicate key `{key.value}`",
                    key.span,
                    help="remove or rename one",
                    notes=[Note("the first is here", keys[key.value])],
                )
            keys.setdefault(key.value, key.span)
            value = self.node(next(self.events))
            items.setdefault(key.value, value)
        span = self.around(start, event, list(items.values()))
        return Map(items, keys, span, not start.flow_style)

    def around(self, start: Any, end: Any, inside: list[Node]) -> Span:
        """From the start of a collection to its bracket or, without one, to its last item."""
        if start.flow_style or not inside:
            return self.span(start).to(self.span(end))
        return self.span(start).to(inside[-1].span)

    def span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        return Span(self.filename, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def refuse(self, code: str, message: str, span: Span, help: str) -> NoReturn:
        self.findings.add(code, message, span, help=help)
        raise Refused
