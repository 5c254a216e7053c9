"""Says what is wrong where a text does not parse, in the words of the language."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache

from lark import Token

from growlang.diagnostics import Diagnostic, Edit, Note, Span
from growlang.syntax.places import RESERVED, STATEMENTS, elsewhere
from growlang.syntax.slips import VALUES, character, number, slip, unit

WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": 'a string in `"`',
    "FOR": "`for` and a number of steps",
    "$END": "the end of the file",
}
"""What the terminals that are no fixed text are called."""
OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "COMPARISON", "AND", "OR", "DOT", "LSQB", "VBAR"}
"""What may follow nearly everything, so that naming it helps nobody."""
CAPITALS = {
    "True": "write `true`",
    "False": "write `false`",
    "None": "omit the setting to use its default",
}
HABITS = {
    "def": "block",
    "let": "param",
    "var": "param",
    "const": "param",
    "net": "model",
    "network": "model",
    "class": "model",
    "from": "import",
    "extends": "grows",
    "inherits": "grows",
    "delete": "drop",
    "remove": "drop",
    "reuse": "keep",
    "fit": "train",
    "recipe": "train",
    "dataset": "data",
}
"""The keyword that is meant by a word of other languages."""
ABSENT = {
    **dict.fromkeys(
        ("if", "elif", "else"), "the language has no conditionals; a child spec says what differs"
    ),
    **dict.fromkeys(("for", "while"), "the language has no loops; `* n` repeats an op"),
    "return": "a block is the pipe in its braces",
    "lambda": "the language has no functions; `block name(args) { pipe }` names a pipe",
}
"""What to do without a word of other languages."""
KEYWORDS = (
    *("import", "param", "block", "model", "data", "train", "sample", "evaluate", "phase"),
    *("freeze", "lr_scale", "keep", "drop", "retain", "moved", "init", "stem", "core", "head"),
    *("stage", "encode", "decode"),
)
ARGUMENTS = {"head": "heads"}
"""The argument that is meant by a word that is never a name."""
OPENING = {"}": "{", ")": "(", "]": "["}


def place(token: Token, filename: str) -> Span:
    """The span of a token that lies in one line."""
    line, column = token.line or 1, token.column or 1
    return Span(filename, line, column, line, column + max(1, len(token)))


def malformed(token: Token, before: Token | None, filename: str) -> Diagnostic:
    """The finding for what the lexer refused; `before` is the token before it."""
    span = place(token, filename)
    if token.startswith('"'):
        message, help = "unterminated string", 'end it with `"`'
    elif token[0].isdigit():
        message, help = f"invalid number `{token}`", number(token)
    elif token[0].isupper():
        message = f"invalid name `{token}`"
        help = CAPITALS.get(token, "names are lower case: `[a-z_][a-z0-9_]*`")
    else:
        # What has no shape of its own is shown by its number.
        shown = token if token.isprintable() else f"U+{ord(token[0]):04X}"
        message, help = f"unexpected character `{shown}`", character(token[0], before)
    wrong = {"True": "true", "False": "false"}.get(token)
    return Diagnostic(
        "G003", message, span, help, edits=(Edit(span, wrong, token, safe=True),) if wrong else ()
    )


def unexpected(
    tokens: Sequence[Token],
    begin: int,
    at: int,
    accepted: Collection[str],
    signs: Mapping[str, str],
    filename: str,
    body: str,
) -> Diagnostic:
    """The finding for a token that cannot stand where it does.

    `begin` is where its statement begins; `accepted` are the terminals that could stand there;
    `signs` the text of each terminal that has a fixed one; `body` the keyword of the body around
    the statement.
    """
    token, expected = tokens[at], _words(accepted, signs)
    if token.type == "$END":
        return _end(tokens[:at], place(token, filename), expected, filename)
    before, span = tokens[at - 1] if at else None, place(token, filename)
    opened = _innermost(tokens[begin:at]) if token in OPENING else None
    if opened in ("(", "[") and opened != OPENING[token]:
        notes = (Note("opened here", place(opened, filename)),)
        return Diagnostic(
            "G001",
            f"`{opened}` is not closed before `{token}`",
            span,
            f"write `{')' if opened == '(' else ']'}` before it",
            notes,
        )
    return Diagnostic(
        "G001",
        f"unexpected `{token}`",
        span,
        _misplaced(tokens, begin, at, body)
        or slip(tokens, at, accepted)
        or _reserved(before, token, accepted)
        or _value(before, token)
        or _word(token, before, accepted)
        or (f"expected {expected}" if expected else "")
        or _swallowed(before),
        edits=(Edit(span, "=", token, safe=True),) if token == "==" and "EQUAL" in accepted else (),
    )


def _misplaced(tokens: Sequence[Token], begin: int, at: int, body: str) -> str:
    """Where a statement belongs, or a setting, that stands in another body."""
    token, first = tokens[at], tokens[begin]
    if at == begin and not body and token.type == "NAME" and tokens[at + 1] == "=":
        return f"write `param {token} = ...`; a setting belongs in a body such as `train {{ ... }}`"
    if at == begin or (at == begin + 1 and token != "="):
        return elsewhere(str(first), body)
    beside = token.type == "NAME" or token in RESERVED
    return elsewhere(str(tokens[at - 1]), body) if beside and tokens[at - 1] != first else ""


def _reserved(before: Token | None, token: Token, accepted: Collection[str]) -> str:
    """What to do about a word of the language that stands for a name."""
    if token == "=" and before in STATEMENTS and before in RESERVED:
        return f"`{before}` takes no `=`: `{STATEMENTS[before].example}`"
    if token not in RESERVED or "NAME" not in accepted:
        return ""
    if before is not None and before in ("(", ",") and token in ARGUMENTS:
        return f"did you mean `{ARGUMENTS[token]}`?"
    place = elsewhere(str(token), "name")
    if token in ("encode", "decode"):
        return place
    other = f"it is a reserved word: write another name, such as `{token}_1`"
    return f"{other}; {place}" if place else other


def _value(before: Token | None, token: Token) -> str:
    if token == "=":
        if before is not None and before.type in ("TRUE", "FALSE"):
            return "a boolean cannot be a name"
        return (
            "the name before it was read as part of the statement above: is a value missing there?"
        )
    if token == "," and before is not None:
        return "settings and statements need no separator"
    if token in (")", "]"):
        return "remove it, or open the bracket that it closes"
    if token == "{":
        return "lists are written in `[ ]`: `[name = value]`; a body belongs to a named statement"
    return ""


def _word(token: Token, before: Token | None, accepted: Collection[str]) -> str:
    """What a word that is no keyword was meant to be, or the `=` that it lacks."""
    beginning = before is not None and (before.line or 0) < (token.line or 0)
    if beginning and token in ABSENT:
        return ABSENT[token]
    for word in (token,) if beginning or before is None else (before, token):
        if word.type != "NAME":
            continue
        if word in ABSENT:
            return ABSENT[word]
        if meant := keyword(str(word)):
            return f"did you mean `{meant}` for `{word}`?"
    missing = "EQUAL" in accepted and token.type in VALUES
    if missing and before is not None and token.line == before.line:
        return f"missing `=`? write `{before} = {token}`"
    return ""


def _swallowed(before: Token | None) -> str:
    """What to say where the word before the error is a keyword that was read as a name."""
    if before is None or before not in KEYWORDS:
        return ""
    return f"`{before}` was read as part of the statement above: is a value missing there?"


def _words(terminals: Collection[str], signs: Mapping[str, str]) -> str:
    """The terminals in readable words; empty if there are too many to help."""
    telling = [t for t in terminals if t not in OPERATORS] or list(terminals)
    if "NAME" in telling:  # a keyword may be a name, so each of them would be listed
        telling = [t for t in telling if not signs.get(t, "").isidentifier()]
    words = sorted({WORDS.get(t) or f"`{signs[t]}`" for t in telling if t in WORDS or t in signs})
    if not words or len(words) > 6:
        return ""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def unfinished(
    statement: Sequence[Token], accepted: Collection[str], signs: Mapping[str, str], filename: str
) -> Diagnostic:
    """The finding for a statement after which, by the layout, the next one begins too early."""
    opened = _innermost(statement)
    if opened is not None and opened != "{":
        return Diagnostic("G001", f"`{opened}` is not closed", place(opened, filename), "close it")
    last = statement[-1]
    if help := unit(statement[-2:]):
        return Diagnostic("G001", f"unexpected `{last}`", place(last, filename), help)
    expected = "a value" if last.type == "EQUAL" else _words(accepted, signs)
    message = f"incomplete statement after `{last}`"
    help = f"expected {expected}" if expected else ""
    return Diagnostic("G001", message, place(last, filename), help)


def _end(tokens: Sequence[Token], span: Span, expected: str, filename: str) -> Diagnostic:
    opened = _innermost(tokens)
    if opened is None:
        help = f"expected {expected}" if expected else ""
        return Diagnostic("G001", "the last statement is incomplete", span, help)
    notes = (Note("opened here", place(opened, filename)),)
    return Diagnostic("G001", f"`{opened}` is never closed", span, "close it", notes)


def _innermost(tokens: Sequence[Token]) -> Token | None:
    """The innermost bracket that is open at the end of the tokens."""
    stack: list[Token] = []
    for token in tokens:
        if token in OPENING.values():
            stack.append(token)
        elif token in OPENING and stack and stack[-1] == OPENING[token]:
            stack.pop()
    return stack[-1] if stack else None


@lru_cache(maxsize=1024)
def keyword(word: str) -> str:
    """The keyword that a word is or was probably meant to be; empty if it is close to none."""
    if word in KEYWORDS:
        return word
    close = get_close_matches(word, KEYWORDS, n=1, cutoff=0.7)
    return HABITS.get(word) or (close[0] if close else "")
