"""Colours of the Grow language, as a lexer of Pygments: for documents, terminals and notebooks.

Keywords may be names, and line ends carry no meaning. So the lexer knows, as the parser does,
whether an operand or a statement comes next: a word in the place of an operand is a name.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pygments.lexer import RegexLexer, default, include, words
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)

SLOTS = ("stem", "core", "head", "stage")
SIDES = ("encode", "decode")
DECLARATIONS = ("import", "as", "param", "data", "model", "block", "train", "phase")
SELECTIONS = ("keep", "drop", "retain", "moved", "grow", "freeze", "lr_scale", "except", "like")
KEYWORDS = (*DECLARATIONS, *SELECTIONS, "grows", "by", "for", "init", "sample", "evaluate")
CONSTANTS = ("true", "false")
OPERATORS = ("and", "or", "not")

_NAME = r"[a-z_][a-z0-9_]*\b"
_GAP = r"(?:\s|#[^\n]*(?=\n|\Z))*"
_BOUND = rf"{_NAME}(?={_GAP}=(?!=))"
_CALLED = rf"{_NAME}(?={_GAP}\()"
_RELEASE = rf"train\b(?={_GAP}{_NAME}(?!{_GAP}\{{))"
"""`train SELECTORS` of a phase: a recipe has a brace behind its name."""
_QUALIFIER = rf"{_NAME}(?={_GAP}\.)"
NUMBER = (
    r"[0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][+-]?[0-9]{1,3})?"
    r"(?:[kMB](?![A-Za-z0-9_])|%|(?![A-Za-z0-9_]))"
)


def _words(*chosen: str) -> words:
    return words(chosen, suffix=r"\b")


class GrowLexer(RegexLexer):
    """Splits a spec, or a piece of one, into the tokens that Pygments colours."""

    name = "Grow"
    aliases: ClassVar[list[str]] = ["grow"]
    filenames: ClassVar[list[str]] = ["*.grow"]

    tokens: ClassVar[dict[str, list[Any]]] = {
        # Where a statement may begin, or an operator go on with the last one.
        "root": [
            include("literals"),
            (_words(*SLOTS), Keyword.Type, ("op", "options", "place")),
            (_words(*SIDES), Keyword.Type, "op"),
            (_BOUND, Name.Attribute),
            (_words("param", "data"), Keyword, "constant"),
            (_words("import", "as"), Keyword, "namespace"),
            (_words("model"), Keyword, "class"),
            (_RELEASE, Keyword, "selector"),
            (_words("train", "phase"), Keyword, "label"),
            (_words("block"), Keyword, ("op", "block")),
            (_words("init"), Keyword, ("like", "init")),
            (_words(*SELECTIONS), Keyword, "selector"),
            (_words("grows"), Keyword, ("options", "parent")),
            (_words("by", "for"), Keyword, "value"),
            (_words("sample", "evaluate"), Keyword),
            (r"\|", Operator, "op"),
            (r"->|,", Punctuation, "selector"),
            (r"\.", Punctuation, "member"),
            include("operators"),
            (r"\(", Punctuation, ("group", "op")),
            (r"\[", Punctuation, "inside"),
            (r"[{}]", Punctuation),
            (_NAME, Name),
            (r"\w+", Error),
        ],
        "space": [(r"\s+", Whitespace), (r"#[^\n]*", Comment.Single)],
        "literals": [
            include("space"),
            (r'"', String.Double, "string"),
            (NUMBER, Number),
            (_words(*CONSTANTS), Keyword.Constant),
        ],
        "string": [
            (r'"', String.Double, "#pop"),
            (r"\\.", String.Escape),
            (r'[^"\\\n]+', String.Double),
            default("#pop"),
        ],
        "operators": [
            (_words(*OPERATORS), Operator.Word, "value"),
            (r"[<>=!]=|[<>=+\-*/]", Operator, "value"),
        ],
        # Behind an operator: one operand, then back.
        "value": [
            include("space"),
            (_words(*CONSTANTS), Keyword.Constant, "#pop"),
            (_CALLED, Name.Function, ("#pop", "call")),
            (rf"(?!(?:{'|'.join(OPERATORS)})\b){_NAME}", Name, "#pop"),
            (r"\(", Punctuation, ("#pop", "inside")),
            default("#pop"),
        ],
        "op": [
            include("space"),
            (_QUALIFIER, Name),
            (r"\.", Punctuation),
            (_CALLED, Name.Function, ("#pop", "call")),
            (_NAME, Name.Function, "#pop"),
            (r"\(", Punctuation, ("#pop", "group", "op")),
            default("#pop"),
        ],
        "selector": [
            include("space"),
            (_words("all"), Keyword.Constant, "#pop"),
            include("member"),
        ],
        "member": [
            include("space"),
            (_words(*SLOTS, *SIDES), Name.Builtin, "#pop"),
            (_CALLED, Name.Function, ("#pop", "call")),
            (_NAME, Name, "#pop"),
            default("#pop"),
        ],
        "call": [include("space"), (r"\(", Punctuation, ("#pop", "inside"))],
        # Behind the word of a declaration: its name.
        "constant": [include("space"), (_NAME, Name.Constant, "#pop"), default("#pop")],
        "namespace": [include("space"), (_NAME, Name.Namespace, "#pop"), default("#pop")],
        "class": [include("space"), (_NAME, Name.Class, "#pop"), default("#pop")],
        "label": [include("space"), (_NAME, Name.Label, "#pop"), default("#pop")],
        "parent": [include("space"), (r'"', String.Double, ("#pop", "string")), default("#pop")],
        # Behind a slot: its place, its options, its first op.
        "place": [include("space"), (r"@", Operator, ("#pop", "at")), default("#pop")],
        "at": [
            include("space"),
            (NUMBER, Number, "#pop"),
            (_QUALIFIER, Name),
            (r"\.", Punctuation),
            (_NAME, Name, "#pop"),
            (r"\(", Punctuation, ("#pop", "inside")),
            default("#pop"),
        ],
        "options": [
            include("space"),
            (rf"\((?={_GAP}{_BOUND})", Punctuation, ("#pop", "inside")),
            default("#pop"),
        ],
        # A block's name and parameters, up to its brace; what follows is an op.
        "block": [
            include("space"),
            (_NAME, Name.Function),
            (r"\(", Punctuation, "parameters"),
            (r"\{", Punctuation, "#pop"),
            default("#pop"),
        ],
        "parameters": [
            include("literals"),
            include("operators"),
            (_NAME, Name.Attribute),
            (r"\[", Punctuation, "inside"),
            (r",", Punctuation),
            include("closing"),
        ],
        # `like` is a keyword behind the `=` of init alone.
        "init": [
            include("literals"),
            (_words(*SLOTS, *SIDES), Name.Builtin),
            (_words("all"), Keyword.Constant),
            (_NAME, Name),
            (r"[.,]", Punctuation),
            (r"\[", Punctuation, "inside"),
            (r"=", Operator, "#pop"),
            default("#pop"),
        ],
        "like": [
            include("space"),
            (_words("like"), Keyword, ("#pop", "selector")),
            (_NAME, Name, "#pop"),
            default("#pop"),
        ],
        # Within brackets every word is a name, but for the operators and constants.
        "group": [include("closing"), include("root")],
        "inside": [
            include("literals"),
            (_words(*OPERATORS), Operator.Word),
            (_BOUND, Name.Attribute),
            (_CALLED, Name.Function),
            (_words(*SLOTS, *SIDES), Name.Builtin),
            (_NAME, Name),
            (r"\|", Operator, "op"),
            (r"\.\.|[<>=!]=|[<>=+\-*/]", Operator),
            (r"[.,]", Punctuation),
            include("closing"),
            (r"[(\[]", Punctuation, "#push"),
            (r"\w+", Error),
        ],
        "closing": [(r"[)\]]", Punctuation, "#pop"), (r"(?=[{}])", Punctuation, "#pop")],
    }
