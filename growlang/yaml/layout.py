"""The one layout of the YAML syntax. It has no options.

Keys and items keep their order. The parts of a spec, of a model and of a recipe stand on lines of
their own, and so do slots and the elements of a pipe. Any other mapping or list stays on one line
where its author left it there, it fits and no comment is inside. Comments keep their order and
what they hang at. Texts are plain where no reader of YAML takes them for anything else, otherwise
in double quotes; numbers stay as they are spelled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

from growlang.diagnostics import Findings, KeyPath
from growlang.yaml.comments import Held, blanks, entries, hang, held, places
from growlang.yaml.nodes import List, Map, Node, Scalar, compose

WIDTH = 100
_SIDES = "pipe|encode|decode"
_PIPE = (
    rf"(blocks/\w+/pipe|model/(stem|core|head)(/pipe)?|model/stages/\d+/({_SIDES}))(/\d+(/group)?)*"
)
_TALL = re.compile(
    r"(imports|blocks(/\w+)?|model(/(conditions|moved|grow|init|stages(/\d+)?))?|data"
    rf"|train(/\d+(/phases)?)?|{_PIPE})?"
)
"""Paths of the collections that never stand on one line."""
_PLAIN = re.compile(r"(= )?[A-Za-z_./][A-Za-z0-9_./@<>()*+-]*( [A-Za-z0-9_./<>()=*+-]+)*")
_RESERVED = re.compile(r"null|true|false|y|n|yes|no|on|off|[-+]?\.(inf|nan)", re.IGNORECASE)
_HIDDEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def fmt(text: str, filename: str) -> str:
    """A text in the YAML syntax, which can be read, in the canonical layout."""
    composed = compose(text, filename, Findings())
    assert composed is not None, "the text can be read"
    root, lines = places(composed.node), text.split("\n")
    remarks = hang(root, composed.comments, lines)
    return layout(composed.node, held(remarks), blanks(root, lines))


def layout(node: Node, comments: Mapping[KeyPath, Held], spaced: Set[KeyPath] = frozenset()) -> str:
    """A spec as text, its comments with it, and empty lines above the entries in `spaced`."""
    page = _Page(comments, spaced)
    lines = page.body(node, (), 0)
    return "".join("\n" * line.blank + f"{line.text()}\n" for line in lines)


@dataclass(slots=True)
class _Line:
    indent: int
    code: str = ""
    comment: str = ""
    blank: bool = False

    def text(self) -> str:
        """The line as it is written."""
        gap = "  " if self.code and self.comment else ""
        return " " * self.indent + self.code + gap + self.comment


class _Page:
    def __init__(self, comments: Mapping[KeyPath, Held], spaced: Set[KeyPath]) -> None:
        self.comments, self.spaced = comments, spaced
        self.opened = {path[:end] for path in comments for end in range(len(path))}
        self.opened |= {path for path, found in comments.items() if found.last}

    def body(self, node: Node, path: KeyPath, indent: int) -> list[_Line]:
        """The lines of a mapping or a list, an entry after the other."""
        lines: list[_Line] = []
        for inner, _, value in entries(node, path):
            head = "-" if isinstance(node, List) else f"{_text(str(inner[-1]))}:"
            lines += self.entry(head, value, inner, indent)
        if lines:
            lines[0].blank = False
        last = self.comments[path].last if path in self.comments else []
        return lines + [_Line(indent, "", r.text, r.blank) for r in last]

    def entry(self, head: str, node: Node, path: KeyPath, indent: int) -> list[_Line]:
        """The lines of an entry, the comments above it first."""
        kept = self.comments.get(path, Held())
        above = [_Line(indent, "", r.text, r.blank) for r in kept.above]
        lines = self.value(head, node, path, indent)
        first = next(i for i, line in enumerate(lines) if line.code)
        above += lines[:first]
        lines = lines[first:]
        lines[0].blank = path in self.spaced
        if kept.behind and lines[0].comment:
            above.append(_Line(indent, "", kept.behind.text))
        elif kept.behind:
            lines[0].comment = kept.behind.text
        return above + lines

    def value(self, head: str, node: Node, path: KeyPath, indent: int) -> list[_Line]:
        """A key or a dash, and what belongs to it behind it or below."""
        if not self.tall(node, path):
            code = f"{head} {flat(node)}"
            if isinstance(node, Scalar) or not node.items or indent + len(code) <= WIDTH:
                return [_Line(indent, code)]
        lines = self.body(node, path, indent + 2)
        if head != "-":
            return [_Line(indent, head), *lines]
        first = next(line for line in lines if line.code)
        for line in lines[: lines.index(first)]:
            line.indent = indent
        first.indent, first.code = indent, f"- {first.code}"
        return lines

    def tall(self, node: Node, path: KeyPath) -> bool:
        """Whether a node stands on lines of its own even where it would fit on one."""
        if isinstance(node, Scalar) or not node.items:
            return False
        return node.block or path in self.opened or bool(_TALL.fullmatch("/".join(map(str, path))))


def flat(node: Node) -> str:
    """A node on one line."""
    match node:
        case Map(items):
            return "{" + ", ".join(f"{_text(k)}: {flat(v)}" for k, v in items.items()) + "}"
        case List(items):
            return "[" + ", ".join(map(flat, items)) + "]"
        case Scalar(str(text)):
            return _text(text)
        case Scalar(value):
            return node.spelling or json.dumps(value)


def _text(text: str) -> str:
    """A string, plain where no reader of YAML takes it for anything else."""
    if _PLAIN.fullmatch(text) and not _RESERVED.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _HIDDEN.sub(lambda m: f"\\u{ord(m[0]):04x}", quoted)
