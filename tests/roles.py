"""What each word of a spec is, as the language's own lexer and parser say.

The highlighters are held to it: the Pygments lexer in test_editors.py, and the TextMate grammar in
editors/vscode/test/, which runs `python tests/roles.py FILE...` and reads the JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lark import Lark, Token, Tree

from growlang.syntax.building import comments
from growlang.syntax.grow import GRAMMAR

TERMINALS = {
    "STRING": "string",
    "NUMBER": "number",
    "TRUE": "constant",
    "FALSE": "constant",
    "AND": "operator",
    "OR": "operator",
    "NOT": "operator",
    "NAME": "name",
    **dict.fromkeys(["STEM", "CORE", "HEAD", "STAGE", "ENCODE", "DECODE"], "slot"),
}
"""The role of a terminal where the rules above it do not give another; the other words' is
`keyword`, and signs have none."""
NAMED = {
    "import_": "import",
    "param": "param",
    "data": "data",
    "block": "block",
    "model": "model",
    "train": "section",
    "phase": "section",
    "binding": "binding",
    "option": "argument",
    "named": "argument",
    "parameter": "argument",
}
"""The role of a name that stands directly in a rule."""


class Word(NamedTuple):
    """A word, number, string or comment; rows and columns count from 1."""

    role: str
    row: int
    column: int
    text: str


def words(text: str) -> list[Word]:
    """The words of a text that parses, with their roles, in order."""
    tree = _tokens(_parser().parse(text), ())
    found = [Word(role, t.line or 0, t.column or 0, str(t)) for role, t in tree if role]
    for comment in comments(text, ""):
        found.append(Word("comment", comment.span.row, comment.span.column, comment.text))
    return sorted(found, key=lambda word: word[1:])


def spread(text: str, between: str) -> str:
    """The tokens of a text, without its comments, with the same space between all of them."""
    return between.join(str(token) for _, token in _tokens(_parser().parse(text), ())) + "\n"


@cache
def _parser() -> Lark:
    """The language's parser, which here leaves no token out of its tree."""
    return Lark(
        GRAMMAR.read_text(encoding="utf-8"),
        parser="lalr",
        lexer="basic",
        keep_all_tokens=True,
    )


def _tokens(node: Tree[Token], above: tuple[Tree[Token], ...]) -> Iterator[tuple[str, Token]]:
    above = (*above, node)
    for child in node.children:
        if isinstance(child, Tree):
            yield from _tokens(child, above)
        elif child is not None:
            yield _role(child, above), child


def _role(token: Token, above: tuple[Tree[Token], ...]) -> str:
    rules = [str(node.data) for node in above]
    if rules[-1] in ("step_name", "dotted_name"):
        return "place"
    if rules[-2:] == ["step_name", "name"] and token == "all":
        return "constant"
    if rules[-1] == "name":
        return _role_of_name(token, above[:-1])
    return TERMINALS.get(token.type, "keyword" if token[0].isalpha() else "")


def _role_of_name(token: Token, above: tuple[Tree[Token], ...]) -> str:
    """The role of a name; the last one of `lib.pair(8)` is what is called."""
    rules = [str(node.data) for node in above]
    if "dotted" in rules[-2:]:
        dotted = above[rules.index("dotted", len(rules) - 2)]
        around = above[above.index(dotted) - 1]
        last = dotted.children[-1] is above[-1]
        return {"pipe_call": "op", "call": "call"}.get(str(around.data), "name") if last else "name"
    return NAMED.get(rules[-1], "name")


def main() -> None:
    """Print, for each file and for its tokens on one line, the text and its words."""
    corpus = []
    for name in sys.argv[1:]:
        text = Path(name).read_text(encoding="utf-8")
        for title, shown in ((name, text), (f"{name}, on one line", spread(text, " "))):
            corpus.append({"name": title, "text": shown, "words": words(shown)})
    json.dump(corpus, sys.stdout)


if __name__ == "__main__":
    main()
