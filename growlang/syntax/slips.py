"""The usual slips in a text that does not parse, and what was meant by each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from unicodedata import normalize

from lark import Token

SIGNS = {
    "'": 'strings are written in double quotes: `"text"`',
    "`": 'strings are written in double quotes: `"text"`',
    ":": "write `name = value`",
    ";": "statements need no separator",
    "%": "a percentage is written without a space: `5%`",
    "&": "write `and`",
    "!": "write `not`",
    "$": "no string interpolation: name the param itself",
    "\\": "a statement may continue on the next line as it is",
    "^": "no power operator; write the product",
    **dict.fromkeys("×·∗", "write `*`"),
    **dict.fromkeys("–—−", "write `-`"),
    **dict.fromkeys("“”„‘’‚", 'strings are written in plain double quotes: `"text"`'),
}
"""What is meant by a character that the language does not have."""
PAIRS_OF_SIGNS = {
    ("/", "/"): "comments begin with `#`; a division is one `/`",
    ("*", "*"): "no power operator; write the product",
    ("+", "="): "a name is defined once; write `name = value`",
    ("-", "="): "a name is defined once; write `name = value`",
    ("/", "*"): "comments begin with `#`",
    ("=", "="): "a name is defined with one `=`",
    ("|", "|"): "one `|` joins two ops",
}
"""What is meant by two signs that stand side by side."""
VALUES = ("NAME", "NUMBER", "STRING", "TRUE", "FALSE")
UNITS = ("images", "epochs")
"""What a phase may be counted in but steps."""
SELECTING = ("freeze", "keep", "drop", "retain")


def character(sign: str, before: Token | None) -> str:
    """What was meant by a character of no meaning; empty where that is not clear."""
    if sign == ":" and before is not None and before.type == "NUMBER":
        return "remove it; a range of indices is written `0..11`"
    plain = normalize("NFKC", sign)
    if plain != sign and plain.isascii() and len(plain) == 1:
        return SIGNS.get(sign) or f"write `{plain}`" if plain.strip() else "write a plain space"
    return SIGNS.get(sign, "")


def number(text: str) -> str:
    """How a number is written that is malformed."""
    if text[-1] in "Kmb" and text[:-1].replace("_", "").replace(".", "").isdigit():
        return f"write `{text[:-1]}{ {'K': 'k', 'm': 'M', 'b': 'B'}[text[-1]] }`"
    return "a number takes `_`, an exponent, or one suffix: `k`, `M`, `B`, `%`"


def slip(tokens: Sequence[Token], at: int, accepted: Collection[str]) -> str:
    """What was meant by the token at `at`, which cannot stand there; empty if it is no known slip.

    `tokens` end with one of type $END; `accepted` are the terminals that could stand there.
    """
    token, behind = tokens[at], tokens[min(at + 1, len(tokens) - 1)]
    if not at:
        return _signs(token, behind)
    before = tokens[max(0, at - 2) : at]
    return (
        _signs(before[-1], token)
        or _signs(token, behind)
        or _slot(before, token, behind)
        or _block(before, token)
        or _pipe(before, token, behind, accepted)
        or _beside(before[-1], token, behind)
        or _statement(before, token)
    )


def _signs(before: Token, token: Token) -> str:
    """Two signs side by side, or a `==`."""
    if before.end_pos == token.start_pos:
        meant = PAIRS_OF_SIGNS.get((str(before), str(token)))
        if meant:
            return meant
    return PAIRS_OF_SIGNS["=", "="] if token == "==" else ""


def _slot(before: Sequence[Token], token: Token, behind: Token) -> str:
    """The resolution of a stage or a core without its `@`."""
    first, last = before[0], before[-1]
    if last in ("stage", "core"):
        bracket = token in ("(", "[") and behind.type == "NUMBER"
        if token.type == "NUMBER" or bracket:
            return f"write `{last} @ {behind if bracket else token}`"
    elif first in ("stage", "core") and last in ("(", "at") and token.type == "NUMBER":
        return f"write `{first} @ {token}`"
    return ""


def _block(before: Sequence[Token], token: Token) -> str:
    """A block without the brackets of its arguments."""
    first, last = before[0], before[-1]
    if first == "block" and last.type == "NAME":
        return f"its arguments stand in brackets, and may be none: `block {last}() {{ ... }}`"
    return ""


def _pipe(before: Sequence[Token], token: Token, behind: Token, accepted: Collection[str]) -> str:
    """Ops that are joined or repeated by another sign, or by none."""
    sign = token in ("->", ">", "+") or (token == "," and behind.type == "NAME")
    if sign and "VBAR" in accepted:
        return "`|` joins the ops of a pipe"
    if token == "(" and before[0] == ")" and before[-1].type == "NAME":
        return f"is a `|` missing? write `| {before[-1]}(...)`"
    if token.type == "NUMBER":
        if {"VBAR", "STAR"} <= set(accepted):
            return f"missing `*`? write `* {token}`"
        if [str(t) for t in before] == [")", "x"]:
            return f"`*` repeats an op: write `* {token}`"
    return ""


def _beside(before: Token, token: Token, behind: Token) -> str:
    """A name with a dash, a prefix of a string, a number without its digit, a unit."""
    adjacent = before.end_pos == token.start_pos
    if token == "-" and adjacent and before.type == "NAME" and behind.type == "NAME":
        return f"names cannot contain `-`: write `{before}_{behind}`"
    if token.type == "STRING" and adjacent and before.type == "NAME":
        return f"strings have no prefix: write `{token}`"
    if token == "." and behind.type == "NUMBER" and before.type != "NAME":
        return f"a number begins with a digit: `0.{behind}`"
    if token == "." and before.type == "NUMBER":
        return f"write `{before}.0`, or `{before}`"
    if before.type == "NUMBER" and token == "steps":
        return f"a plain number counts steps: write `for {before}`"
    if before.type == "NUMBER" and token in UNITS:
        return f"write `for {token}({before})`"
    if before in UNITS and token.type == "NUMBER":
        return f"write `for {before}({token})`"
    return ""


def unit(end: Sequence[Token]) -> str:
    """What to do where a statement ends with a number and its unit; empty where it does not."""
    number, name = end[0], end[-1]
    if (number.type, name.type) != ("NUMBER", "NAME") or number.line != name.line:
        return ""
    if name in UNITS:
        return f"only a phase is counted so: `phase NAME for {name}({number})`"
    return f"a number has no unit: remove `{name}`"


def _statement(before: Sequence[Token], token: Token) -> str:
    """A list in round brackets; a statement without its name, or with a sign too many."""
    first, last = before[0], before[-1]
    if token == "," and first == "(" and last.type in VALUES:
        return "lists are written in `[ ]`"
    if token == "{" and last in ("model", "phase"):
        name = "NAME" if last == "model" else "NAME for N"
        return f"give it a name: `{last} {name} {{`"
    if token == "=" and last == "grow":
        return "write `grow 1`"
    if token == "[" and last in SELECTING:
        return f"`{last}` takes a list without brackets: `{last} stem, head`"
    if last == "=" and first in SELECTING:
        return f"write `{first} {token}`, without `=`"
    return ""
