"""Where statements may begin in a text that does not parse, told by its lines and brackets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lark import Token, UnexpectedCharacters
from lark.parsers.lalr_interactive_parser import InteractiveParser

from growlang.syntax.document import Cut

BAD = "BAD"
"""The type of a token that holds what the lexer refused."""
NUMBER_LIKE = re.compile(r"\d\w*(\.\w+)?|\w+|.", re.DOTALL)
"""What is shown as one malformed word."""
FOLLOWS = {
    "import": ("STRING",),
    "param": ("NAME",),
    "block": ("NAME",),
    "model": ("NAME", "LBRACE", BAD),
    "data": ("NAME",),
    "train": ("NAME", "LBRACE"),
    "sample": ("LBRACE",),
    "evaluate": ("LBRACE",),
    "phase": ("NAME",),
}
"""What follows a keyword where it is no name."""
WORDS = re.compile(r"[a-z_][a-z0-9_]*")
RESERVED = {"STEM", "CORE", "HEAD", "STAGE"}
JOINING = {"AND", "OR", "FOR", "GROWS", "EXCEPT", "AS", "BY", "LIKE"}
"""Words that go on with the statement of the line before."""


def begins_line(tokens: Sequence[Token], at: int) -> bool:
    """Whether a token is the first of its line."""
    return at == 0 or (tokens[at - 1].line or 0) < (tokens[at].line or 0)


def read_tokens(interactive: InteractiveParser, text: str) -> list[Token]:
    """The tokens of a text, with one of type BAD for what the lexer refuses, and an end."""
    thread = interactive.lexer_thread
    assert thread.state is not None
    counter = thread.state.line_ctr
    found: list[Token] = []
    while True:
        try:
            found += thread.lex(interactive.parser_state)  # type: ignore[no-untyped-call]
            break
        except UnexpectedCharacters:
            start = counter.char_pos
            line = text.find("\n", start)
            rest = text[start : len(text) if line < 0 else line].rstrip("\r")
            word = NUMBER_LIKE.match(rest)
            shown = rest if rest.startswith('"') or word is None else word[0]
            if found and found[-1].type == BAD and found[-1].end_pos == start:
                counter.feed(shown)  # one finding stands for a run of them
                continue
            bad = Token(BAD, shown, start, counter.line, counter.column)
            counter.feed(shown)
            bad.end_pos = start + len(shown)
            found.append(bad)
    end = text.rstrip()
    row = end.count("\n") + 1
    column = len(end) - (end.rfind("\n") + 1) + 1
    found.append(Token("$END", "", len(text), row, column))
    return found


def statement_starts(tokens: Sequence[Token]) -> dict[int, bool]:
    """Where statements may begin, outside of brackets; True where what follows fits as well."""
    inside = _bracketed(tokens)
    starts = {}
    for at, token in enumerate(tokens[:-1]):
        before = tokens[at - 1] if at else None
        fits = _fits(tokens, at)
        word = token[0].isalpha() or token[0] == "_"
        if not word or inside[at] or token.type in JOINING:
            continue
        after_brace = before is not None and before.type in ("LBRACE", "RBRACE")
        if after_brace or begins_line(tokens, at):
            starts[at] = fits
    return starts


def _fits(tokens: Sequence[Token], at: int) -> bool:
    """Whether a word and what follows it can only begin a statement."""
    token, follower = tokens[at], tokens[at + 1]
    if token.type in RESERVED:
        return at == 0 or tokens[at - 1].type not in ("COMMA", "DOT")
    if token in FOLLOWS:
        return follower.type in FOLLOWS[token] or follower.type == "EQUAL"
    return follower.type == "EQUAL"


def _bracketed(tokens: Sequence[Token]) -> list[bool]:
    """For each token whether it lies in round or square brackets that are closed."""
    change = [0] * (len(tokens) + 1)
    stack: list[int] = []
    for at, token in enumerate(tokens[:-1]):
        if token.type in ("LPAR", "LSQB"):
            stack.append(at)
        elif token.type in ("RPAR", "RSQB"):
            if stack and (tokens[stack[-1]].type == "LPAR") == (token.type == "RPAR"):
                change[stack.pop() + 1] += 1
                change[at] -= 1
        elif token.type in ("LBRACE", "RBRACE") or (
            token.type != "NAME"
            and begins_line(tokens, at)
            and tokens[at + 1].type != "EQUAL"
            and _fits(tokens, at)
        ):
            stack.clear()
    depth, inside = 0, []
    for step in change[:-1]:
        depth += step
        inside.append(depth > 0)
    return inside


def cut_of(tokens: Sequence[Token], starts: Mapping[int, bool], kept: Sequence[Token]) -> Cut:
    """What a text lacks of which only these tokens are kept; `starts` are its statements'."""
    taken = {id(token) for token in kept}
    names: set[str] = set()
    sections: set[str] = set()
    depth, section = 0, ""
    for at, token in enumerate(tokens[:-1]):
        if depth == 0 and at in starts:
            section = str(token) if token in FOLLOWS else ""
        if id(token) in taken:
            depth += {"LBRACE": 1, "RBRACE": -1}.get(token.type, 0)
        else:
            sections.add(section)
            names.update(WORDS.findall(token))
    return Cut(frozenset(names), frozenset(sections))
