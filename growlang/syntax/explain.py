"""Says what is wrong where a text does not parse, in the words of the language."""

from __future__ import annotations

import re
from difflib import get_close_matches

from lark import UnexpectedInput
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from growlang.diagnostics import Findings, Note, Span

WORDS = {
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "EQUAL": "`=`",
    "COMMA": "`,`",
    "VBAR": "`|`",
    "STAR": "`*`",
    "AT": "`@`",
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": 'a string in `"`',
    "FOR": "`for` and a number of steps",
    "AS": "`as`",
    "BY": "`by`",
    "$END": "the end of the file",
}
SLIPS = {
    "'": 'strings stand in double quotes: `"text"`',
    ":": "write `name = value`",
    ";": "statements need no separator",
    "%": "a percentage is written without a space: `5%`",
}
PAIRS = {"}": "{", ")": "(", "]": "["}


def explain(error: UnexpectedInput, text: str, filename: str, findings: Findings) -> None:
    """Record the one finding that stands for a parser's error."""
    if isinstance(error, UnexpectedCharacters):
        _character(error, text, filename, findings)
    elif isinstance(error, UnexpectedToken):
        _token(error, text, filename, findings)


def _character(error: UnexpectedCharacters, text: str, filename: str, findings: Findings) -> None:
    character = text[error.pos_in_stream] if error.pos_in_stream is not None else ""
    word = re.match(r"\d\w*(\.\w+)?|\w+|.", text[error.pos_in_stream or 0 :])
    shown = word[0] if word else character
    span = Span(filename, error.line, error.column, error.line, error.column + len(shown))
    if character == '"':
        line = text.split("\n")[error.line - 1]
        span = Span(filename, error.line, error.column, error.line, len(line) + 1)
        findings.add("G003", "the string is not closed on its line", span, help='end it with `"`')
    elif character.isdigit():
        findings.add(
            "G003",
            f"`{shown}` is not a number",
            span,
            help="a number takes `_`, an exponent, or one suffix: `k`, `M`, `B`, `%`",
        )
    elif character.isupper():
        findings.add(
            "G003",
            f"`{shown}` is not a name",
            span,
            help="names are lower case: `[a-z_][a-z0-9_]*`",
        )
    else:
        help = SLIPS.get(character, "")
        findings.add("G003", f"`{character}` means nothing here", span, help=help)


def _token(error: UnexpectedToken, text: str, filename: str, findings: Findings) -> None:
    expected = _words(error.accepts or error.expected)
    help = f"expected {expected}" if expected else ""
    if error.token.type == "$END":
        row, column = _end(text)
        opened = _unclosed(text, filename)
        span = Span(filename, row, column, row, column + 1)
        if opened is None:
            findings.add("G001", "the file ends in the middle of a statement", span, help=help)
            return
        findings.add(
            "G001",
            f"the file ends inside `{opened[0]}`",
            span,
            help="close it",
            notes=[Note("it opens here", opened[1])],
        )
        return
    line, column = error.token.line or 1, error.token.column or 1
    span = Span(filename, line, column, line, column + len(error.token.value))
    if not re.match(r"(\s|#[^\n]*\n)*grow\b", text):
        findings.add(
            "G002", "the file does not begin with its edition", span, help="begin it with `grow 1`"
        )
        return
    if error.token == "=":
        help = (
            "the name before it was read as part of the statement above: is a value missing there?"
        )
    else:
        before, here = text[: error.token.start_pos or 0], text[: error.token.end_pos or 0]
        help = _meant(before) or _meant(here) or help or _swallowed(before)
    findings.add("G001", f"`{error.token}` cannot stand here", span, help=help)


KEYWORDS = (
    "import",
    "param",
    "block",
    "model",
    "data",
    "train",
    "sample",
    "evaluate",
    "phase",
    "freeze",
    "lr_scale",
    "keep",
    "drop",
    "moved",
    "init",
    "stem",
    "core",
    "head",
    "stage",
    "encode",
    "decode",
)


def _meant(before: str) -> str:
    """The keyword that the word before the error is close to, if it is close to one."""
    word = re.search(r"([a-z_][a-z0-9_]*)\s*$", before)
    if word is None or word[1] in KEYWORDS:
        return ""
    close = get_close_matches(word[1], KEYWORDS, n=1, cutoff=0.7)
    return f"did you mean `{close[0]}` for `{word[1]}`?" if close else ""


def _swallowed(before: str) -> str:
    """What to say where the word before the error is a keyword that was read as a name."""
    word = re.search(r"([a-z_]+)\s*$", before)
    if word is None or word[1] not in KEYWORDS:
        return ""
    return f"`{word[1]}` was read as part of the statement above: is a value missing there?"


def _words(terminals: set[str]) -> str:
    """The terminals in readable words; empty if there are too many to help."""
    keywords = {t for t in terminals if t not in WORDS and t != "COMPARISON"}
    if "NAME" in terminals:
        keywords = set()
    words = sorted({WORDS[t] for t in terminals if t in WORDS})
    words += sorted(f"`{k.lower()}`" for k in keywords if k.isalpha())
    if not words or len(words) > 6:
        return ""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _unclosed(text: str, filename: str) -> tuple[str, Span] | None:
    """The innermost bracket that is open at the end of the text."""
    stack: list[tuple[str, Span]] = []
    for row, line in enumerate(text.split("\n"), 1):
        for match in re.finditer(r'"(?:\\.|[^"\\])*"|#.*|[][(){}]', line):
            sign = match[0]
            if sign in PAIRS.values():
                column = match.start() + 1
                stack.append((sign, Span(filename, row, column, row, column + 1)))
            elif sign in PAIRS and stack and stack[-1][0] == PAIRS[sign]:
                stack.pop()
    return stack[-1] if stack else None


def _end(text: str) -> tuple[int, int]:
    lines = text.rstrip().split("\n")
    return len(lines), len(lines[-1]) + 1
