"""Reads all that there is of a text, whatever is wrong in the rest of it.

What recovery leaves out of the document is cut into statements by lines and indentation, and each
is parsed alone, in a body like that in which it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from lark import Token, UnexpectedInput

from growlang.diagnostics import Findings
from growlang.lsp.reading import moved
from growlang.resolve.files import in_yaml
from growlang.spec.recipe import Evaluate, Sample, Settings
from growlang.spec.words import PHASE_SETTINGS, RUN_SETTINGS
from growlang.syntax import document as d
from growlang.syntax.building import build
from growlang.syntax.grow import DEPTH_LIMIT, EDITION, below, parser
from growlang.syntax.layout import begins_line, statement_starts
from growlang.syntax.parser import parse_tokens
from growlang.syntax.recovery import recover

MADE_UP = "_"
"""The name of what stands around a statement that is parsed alone."""
AROUND = {
    "": ("grow 1 ", ""),
    "model": ("grow 1 model _ { ", " }"),
    "train": ("grow 1 train _ { ", " }"),
    "phase": ("grow 1 train _ { phase _ for 1 { ", " } }"),
    "sample": ("grow 1 sample { ", " }"),
    "evaluate": ("grow 1 evaluate { ", " }"),
    "block": ("grow 1 block _() { ", " }"),
}
"""The bodies in which statements stand."""
HEADS = (*AROUND, "stage")
"""The keywords of statements that have a body."""
SIDES = {"encode": "stem  ", "decode": "stem  "}
"""A side of a stage is parsed alone as a slot of the same length."""

SET: dict[str, Collection[str]] = {
    "train": (*Settings.model_fields, *RUN_SETTINGS),
    "phase": PHASE_SETTINGS,
    "sample": Sample.model_fields,
    "evaluate": Evaluate.model_fields,
}
"""What is set in which body."""
BODIES = {"stage": " encode identity decode identity }", "block": " identity }"}
"""What closes a head that is parsed alone, where a body is more than statements."""
VERBS = ("KEEP", "DROP", "MOVED", "GROW", "INIT", "FREEZE", "LR_SCALE")
"""The keywords that begin a statement at the start of a line, unless a list goes on there."""
LINES, PIECES = 8, 300
"""Most lines of a statement of which each stretch is tried alone, and most statements."""


class Reading(NamedTuple):
    """What there is of a text."""

    document: d.Document
    """What parses, in its place."""
    islands: tuple[d.Document, ...] = ()
    """Statements that parse alone, in bodies that are made up."""
    lost: tuple[Token, ...] = ()
    """The tokens of all the rest, in order."""

    @property
    def trees(self) -> tuple[d.Document, ...]:
        """The document and the statements that stand alone."""
        return (self.document, *self.islands)

    def parent(self) -> str | None:
        """The file that the model grows from."""
        found = (m.grows.file for tree in self.trees for m in tree.models if m.grows)
        pairs = pairwise(self.lost)
        unread = (b[1:-1] for a, b in pairs if a == "grows" and b.type == "STRING")
        return next(found, None) or next(unread, None)

    def imports(self) -> dict[str, str]:
        """The imported files by the names that they get."""
        lost = zip(self.lost, self.lost[1:], self.lost[2:], self.lost[3:], strict=False)
        unread = {str(n): f[1:-1] for i, f, a, n in lost if (i, a) == ("import", "as")}
        return unread | {i.name: i.file for tree in self.trees for i in tree.imports}


class _Piece(NamedTuple):
    """Tokens of one statement, or of the head of one, and the body in which they stand."""

    section: str
    tokens: Sequence[Token]


def read(text: str, path: Path) -> Reading | None:
    """What there is of a text in the syntax that its file's name tells; None if it is no YAML."""
    name = str(path)
    if in_yaml(path):
        from growlang.yaml.read import read_partly

        found = read_partly(text, name).result
        return Reading(found) if found else None
    if found := _built(partial(parser().parse, text), text, name):
        return Reading(found)
    tokens, kept, _ = recover(text, name, parser(), Findings(), bodies=True)
    document = _built(partial(parse_tokens, parser(), kept), text, name)
    taken = {id(token) for token in kept} if document else set()
    islands, lost, tried = list[d.Document](), list[Token](), 0
    for piece in _pieces(tokens[:-1]):
        if all(id(token) in taken for token in piece.tokens):
            continue
        tried += 1
        whole, rest = _alone(piece, text, name) if tried <= PIECES else (None, piece.tokens)
        islands += [whole] if whole else []
        lost += [token for token in rest if id(token) not in taken]
    return Reading(document or d.Document(name, text, EDITION), tuple(islands), tuple(lost))


def _built(parse: Callable[[], Any], text: str, name: str) -> d.Document | None:
    """What a parse gives; None where there is nothing, or it is nested too deep."""
    try:
        found = build(parse, text, name, Findings())
    except UnexpectedInput:
        return None
    return None if below(found, DEPTH_LIMIT) else found


def _pieces(tokens: Sequence[Token]) -> Iterator[_Piece]:
    """The tokens by statements; a head ends behind its brace."""
    starts = statement_starts([*tokens, Token("$END", "")])
    heads: list[tuple[int, str]] = []  # the column and the keyword of what is open
    begin = 0
    for at in range(1, len(tokens) + 1):
        head = tokens[at - 1].type == "LBRACE"
        ends = at == len(tokens) or head or tokens[at - 1].type == "RBRACE"
        if not ends and not _begins(tokens, at, begin, starts):
            continue
        piece = tokens[begin:at]
        column = piece[0].column or 1
        if begins_line(tokens, begin):
            heads = [h for h in heads if h[0] < column]
        yield _Piece(heads[-1][1] if heads else "", piece)
        if head:
            heads.append((column, next((str(t) for t in reversed(piece) if t in HEADS), "")))
        elif piece[-1].type == "RBRACE" and not begins_line(tokens, begin) and heads:
            heads.pop()
        begin = at


def _begins(tokens: Sequence[Token], at: int, begin: int, starts: dict[int, bool]) -> bool:
    """Whether a statement begins at a token, behind one that begins at `begin`."""
    if tokens[at].type == "RBRACE":
        return True
    deeper = (tokens[at].column or 1) > (tokens[begin].column or 1)
    if not begins_line(tokens, at):
        return False
    verb = tokens[at].type in VERBS and tokens[at - 1].type not in ("COMMA", "EXCEPT", "BY")
    return tokens[at] in SIDES or (at in starts and (starts[at] or verb or not deeper))


def _alone(piece: _Piece, text: str, name: str) -> tuple[d.Document | None, Sequence[Token]]:
    """The document of the most lines of a piece that parse alone, and the other tokens."""
    tokens = [token for token in piece.tokens if token.type != "RBRACE"]
    lines = [at for at in range(len(tokens)) if begins_line(tokens, at) or at == 0][:LINES]
    stretches = combinations([*lines, len(tokens)], 2)
    for start, end in sorted(stretches, key=lambda stretch: stretch[0] - stretch[1]):
        part = piece._replace(tokens=tokens[start:end])
        if found := _parsed(part, text, name):
            return found, [*tokens[:start], *tokens[end:]]
    return None, tokens


def _parsed(piece: _Piece, text: str, name: str) -> d.Document | None:
    """The document of a statement that stands alone; None where it does not parse."""
    first, last = piece.tokens[0], piece.tokens[-1]
    row, column = first.line or 1, first.column or 1
    written = text[first.start_pos or 0 : last.end_pos or 0]
    if first in SIDES:
        written = SIDES[first] + written[len(first) :]
    closing = BODIES.get(first, " }") if last.type == "LBRACE" else ""
    likely = "model" if first in SIDES or piece.section == "stage" else piece.section
    if not likely and "=" in piece.tokens[1:2]:
        likely = next((s for s, names in SET.items() if first in names), "model")
    for section in dict.fromkeys([likely, *AROUND]):
        before, after = AROUND.get(section, AROUND[""])
        whole = f"{before}\n{' ' * (column - 1)}{written}{closing}{after}"
        if found := _built(partial(parser().parse, whole), whole, name):
            island: d.Document = moved(found, row - 2)
            return island
    return None
