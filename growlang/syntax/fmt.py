"""The one layout of the language. It has no options.

Lines are 100 wide, blocks two deep. What belongs together stands in columns: the `=` of
neighbouring bindings, the pipes of slots, phases, recipes on one line, comments. An empty line or a
statement of another kind ends a column. A body stays on one line where its author left it there and
it fits. Comments keep their order, and their line's statement or the statement below them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from growlang.diagnostics import Findings, stage
from growlang.syntax import document as d
from growlang.syntax.columns import (
    WIDTH,
    columns,
    first_token,
    flat,
    joined_parts,
    last_token,
)
from growlang.syntax.grow import read
from growlang.syntax.scan import Bracket, Node, Statement, Token, statements

COMMENT_COLUMN = 46
"""Where comments behind a statement stand, unless the statement is longer."""
FAR = 24
"""Columns between a comment and a longer neighbour's from which on they do not share a column."""


def fmt(document: d.Document) -> str:
    """The text of a document that was read from Grow, in the canonical layout."""
    found, last = statements(document)
    page = _Page()
    page.statements(found, 0)
    page.deeper = 0
    for remark in last:
        page.remark(remark.text, own=True, blank=remark.blank)
    return page.text()


@stage
def fmt_text(findings: Findings, text: str, filename: str) -> str | None:
    """A text in the canonical layout; None, with findings, where it is not one to format."""
    reading = read(text, filename)
    document = findings.of(reading)
    return fmt(document) if document and reading.is_sound else None


@dataclass(slots=True)
class _Line:
    indent: int
    code: str = ""
    comment: str = ""
    blank: bool = False

    @property
    def width(self) -> int:
        return self.indent + len(self.code)


class _Page:
    """Writes statements as lines; `deeper` is the indent of a statement's further lines."""

    def __init__(self) -> None:
        self.lines: list[_Line] = []
        self.deeper = 0

    # --- lines -----------------------------------------------------------------------------------

    def start(self, indent: int, blank: bool = False) -> None:
        """Begin a line."""
        self.lines.append(_Line(indent, blank=blank and bool(self.lines)))

    def put(self, text: str, space: int = 0) -> None:
        """Add to the line; to a new one if a comment has closed it, except for `,` and `{`."""
        line = self.lines[-1]
        if line.comment and not (line.code and text in (",", "{")):
            self.start(self.deeper)
            line = self.lines[-1]
        line.code += " " * (space if line.code else 0) + text

    def remark(self, text: str, own: bool = False, blank: bool = False) -> None:
        """Add a comment, behind the line's code unless it is to have a line of its `own`."""
        if not self.lines:
            self.start(0)
        elif own or self.lines[-1].comment:
            if self.lines[-1].code or self.lines[-1].comment:
                self.start(self.deeper, blank)
            else:
                self.lines[-1].indent = self.deeper
        self.lines[-1].comment = text

    def remarks(self, token: Token) -> None:
        """Add the comments of a separator, which stand behind what it separates."""
        for before in token.before:
            self.remark(before.text, own=True)
        if token.after:
            self.remark(token.after)

    def fits(self, text: str | None, more: int = 0) -> bool:
        """Whether there is room for a text on the line."""
        line = self.lines[-1]
        return text is not None and not line.comment and line.width + len(text) + more <= WIDTH

    def text(self) -> str:
        """All lines, their comments in columns."""
        columns = _comment_columns(self.lines)
        written = []
        for line, column in zip(self.lines, columns, strict=True):
            if line.blank:
                written.append("")
            code = " " * line.indent + line.code
            written.append((code.ljust(column) + line.comment).rstrip())
        return "\n".join(written) + "\n"

    # --- statements ------------------------------------------------------------------------------

    def statements(self, found: Sequence[Statement], indent: int) -> None:
        """Write the statements of one body."""
        flat = columns(found, indent)
        for index, statement in enumerate(found):
            first = statement.first
            blanks = [*(r.blank for r in first.before), first.blank]
            if index == 0:
                blanks[0] = blanks[0] and indent == 0
            elif indent == 0 and statement.kind != found[index - 1].kind:
                blanks[0] = blanks[0] or not any(blanks)
            self.deeper = indent
            for remark, blank in zip(first.before, blanks, strict=False):
                self.remark(remark.text, own=True, blank=blank)
            first.before = []
            self.start(indent, blanks[-1])
            self.statement(statement, indent, flat[index])

    def statement(self, statement: Statement, indent: int, flat: str | None) -> None:
        """Write a statement on one line as `flat` has it, or on several."""
        self.deeper = indent + 2
        last = statement.close or last_token(statement.nodes[-1])
        if flat is not None:
            self.put(flat)
        elif statement.open is None or statement.close is None:
            after, last.after = last.after, ""
            self.write(statement.nodes)
            last.after = after
        else:
            self.write(statement.nodes, more=2)
            self.put("{", statement.open.space)
            self.remarks(statement.open)
            self.statements(statement.body, indent + 2)
            self.deeper = indent + 2
            for remark in statement.close.before:
                self.remark(remark.text, own=True, blank=remark.blank)
            self.start(indent)
            self.put("}")
        if last.after:
            self.remark(last.after)

    # --- nodes -----------------------------------------------------------------------------------

    def write(self, nodes: Sequence[Node], more: int = 0) -> None:
        """Write nodes, on further lines where they do not fit; `more` columns stay free."""
        if self.flat(nodes, more):
            return
        chunks = _chunks(nodes)
        for index, chunk in enumerate(chunks):
            head = chunk[0]
            if index and isinstance(head, Token) and head.text == "|":
                self.remarks(head)
                self.start(self.deeper)
                self.put("|")
                chunk = chunk[1:]
            elif index and not self.fits(flat(chunk), more + 1):
                self.start(self.deeper)
            self.brackets(chunk, more)

    def flat(self, nodes: Sequence[Node], more: int) -> bool:
        """Write nodes on the line, and the comment behind them, if they fit."""
        last = last_token(nodes[-1])
        after, last.after = last.after, ""
        text = flat(nodes)
        last.after = after
        if text is None or not self.fits(text, more):
            return False
        self.put(text, first_token(nodes[0]).space)
        if after:
            self.remark(after)
        return True

    def brackets(self, nodes: Sequence[Node], more: int) -> None:
        """Write nodes, opening the last bracket that lets the line fit."""
        for index, node in enumerate(nodes):
            if self.flat(nodes[index:], more + 1):
                return
            if isinstance(node, Token):
                self.token(node)
                continue
            later = next((i for i, n in enumerate(nodes) if i > index and _opens(n)), None)
            close = later is not None and self.fits(flat(nodes[index:later]), more + 2)
            if _opens(node) and not (close and self.flat([node], 0)):
                self.open(node)
            elif not _opens(node):
                self.put(flat([node]) or "", node.open.space)

    def token(self, token: Token) -> None:
        """Write a token and its comments."""
        for remark in token.before:
            self.remark(remark.text, own=True)
        self.put(token.text, token.space)
        if token.after:
            self.remark(token.after)

    def open(self, bracket: Bracket) -> None:
        """Write a bracket on several lines: its content on one, or each part on its own."""
        self.token(bracket.open)
        base, outer = _code_indent(self.lines), self.deeper
        pipe = bool(bracket.separators) and bracket.separators[0].text == "|"
        joined = None if pipe else joined_parts(bracket)
        self.deeper = base + 2
        if joined is not None and not bracket.close.before and base + 2 + len(joined) <= WIDTH:
            self.start(base + 2)
            self.put(joined)
        else:
            self.parts(bracket, base + 2, pipe)
        self.deeper = base + 2
        for remark in bracket.close.before:
            self.remark(remark.text, own=True)
        self.start(base)
        self.put(bracket.close.text)
        self.deeper = outer
        if bracket.close.after:
            self.remark(bracket.close.after)

    def parts(self, bracket: Bracket, indent: int, pipe: bool) -> None:
        """Write each part of a bracket on a line of its own."""
        separators = [*bracket.separators, None]
        for index, part in enumerate(bracket.parts):
            self.deeper = indent
            first, separator = first_token(part[0]), separators[index]
            for remark in first.before:
                self.remark(remark.text, own=True)
            first.before = []
            self.start(indent)
            if pipe and index:
                self.put("|")
            self.deeper = indent + 2
            self.write(part, more=1)
            last = index == len(bracket.parts) - 1
            if not pipe and (not last or (index and bracket.open.open_list)):
                self.put(",")
            if separator:
                self.deeper = indent
                self.remarks(separator)


def _opens(node: Node) -> bool:
    """Whether a bracket has something to put on lines of its own."""
    return isinstance(node, Bracket) and (bool(node.parts) or flat([node]) is None)


def _code_indent(lines: Sequence[_Line]) -> int:
    """Indent of the last line that has code."""
    return next(line.indent for line in reversed(lines) if line.code)


def _chunks(nodes: Sequence[Node]) -> list[list[Node]]:
    """Nodes cut where a line may end: before `|` and operators, behind commas."""
    cut = "|" if any(isinstance(n, Token) and n.text == "|" for n in nodes) else ""
    chunks: list[list[Node]] = [[]]
    for before, node in pairwise([None, *nodes]):
        assert node is not None
        binary = isinstance(node, Token) and node.text in ("and", "or", "+", "-") and node.space
        comma = isinstance(before, Token) and before.text == ","
        pipe = isinstance(node, Token) and node.text == "|"
        if chunks[-1] and (pipe if cut else comma or (binary and before and _ends(before))):
            chunks.append([])
        chunks[-1].append(node)
    return chunks


def _ends(node: Node) -> bool:
    """Whether an operand may end with this node, so that a `-` behind it is binary."""
    return isinstance(node, Bracket) or node.text[-1].isalnum() or node.text[-1] in '_"%'


def _comment_columns(lines: Sequence[_Line]) -> list[int]:
    """The column of each line's comment: one for those of a paragraph that are near each other."""
    columns = [line.indent for line in lines]
    paragraph: list[int] = []
    for index, line in enumerate([*lines, None]):
        if line is None or line.blank or (paragraph and line.indent != lines[paragraph[-1]].indent):
            shared = 0
            for i in sorted(paragraph, key=lambda i: -lines[i].width):
                least = lines[i].width + 2
                own = max(COMMENT_COLUMN, least)
                if not shared or shared - own > FAR:
                    shared = own
                room = WIDTH - len(lines[i].comment)
                columns[i] = next((c for c in (shared, own) if c <= room), least)
            paragraph = []
        if line is not None and line.code and line.comment:
            paragraph.append(index)
    return columns
