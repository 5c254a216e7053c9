"""Where in the language a point stands, told from the text before it, which need not parse."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from growlang.lsp.analysis import Point
from growlang.spec.recipe import Settings

TOKEN = re.compile(
    r'#[^\n]*|"(?:\\.|[^"\\\n])*(?:"|(?=\n)|\Z)|[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*\.?'
    r"|[0-9][0-9_.A-Za-z%]*|->|[^\s]"
)
WORD = re.compile(r"[a-z_][a-z0-9_.]*")
STATEMENTS = {
    "": ("param", "import", "block", "model", "data", "train", "sample", "evaluate"),
    "model": ("keep", "drop", "retain", "moved", "grow", "init", "stem", "stage", "core", "head"),
    "train": ("phase",),
    "phase": ("freeze", "train", "lr_scale"),
    "sides": ("encode", "decode"),
}
"""The keywords that begin a statement, by what is around it."""
SELECTING = ("keep", "drop", "retain", "moved", "grow", "init", "freeze", "lr_scale")
"""The keywords that selectors follow."""
CHOOSING = (*SELECTING, "=", ",", ">", "->", "except", "like")
"""After these a slot's keyword is a selector."""
PIPES = ("stem", "stage", "core", "head", "encode", "decode")
BODIES = ("model", "train", "sample", "evaluate")
"""The keywords of statements whose body holds statements."""
OPENING, CLOSING = "({[", ")}]"


@dataclass
class Frame:
    """An open bracket: its sign, what stands before it, and the tokens inside so far.

    `indent` is the column of the first token of the line that opens it.
    """

    sign: str = ""
    owner: str = ""
    indent: int = 0
    row: int = 0
    tokens: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Context:
    """What surrounds a point.

    `section` is the innermost of model, train, phase, sample, evaluate, block, sides or nothing;
    `statement` is the keyword of the statement, `by` behind that of a `grow`, or the name of a
    binding; `call` and `argument`
    are those of the innermost open call; `given` are the argument names that it has already.
    """

    word: str
    section: str
    statement: str
    call: str = ""
    argument: str = ""
    given: tuple[str, ...] = ()
    position: int = 0
    valued: bool = False
    """Whether the point stands behind the `=` of a binding."""
    quiet: bool = False
    """Whether the point stands in a comment or a string."""
    begins: bool = False
    """Whether the word is the first of its line, where a statement may begin."""


def offset(text: str, point: Point) -> int:
    """The index of a point in a text."""
    start = 0
    for _ in range(point.row - 1):
        start = text.find("\n", start) + 1 or len(text)
    return min(start + point.column - 1, len(text))


def word_at(text: str, point: Point) -> str:
    """The dotted word around a point; empty where there is none."""
    at = offset(text, point)
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)]
    for match in WORD.finditer(line):
        if match.start() <= at - start <= match.end():
            return match[0]
    return ""


def word_before(text: str, point: Point) -> str:
    """The word that ends at a point, with the steps of a selector before it; may be empty."""
    found = re.search(r"[a-z_][a-z0-9_.\[\]*]*$", text[: offset(text, point)])
    return found[0] if found else ""


def context(text: str, point: Point) -> Context:
    """The context of a point."""
    before = text[: offset(text, point)]
    frames, last = _frames(text, len(before))
    comment = last.startswith("#") and "\n" not in before[before.rfind("#") :]
    string = last.startswith('"') and before.endswith(last) and not re.fullmatch(r'".*"', last)
    word = word_before(text, point)
    line = before[: len(before) - len(word)].rpartition("\n")[2]
    around = _context(frames, word, comment or string)
    return replace(around, begins=not line.strip())


def _frames(text: str, end: int) -> tuple[list[Frame], str]:
    """The brackets that are open before an offset, and the last token there.

    Lines and indentation tell where a statement begins, so that a bracket too many or too few
    spoils no statement but its own.
    """
    frames, last = [Frame()], ""
    row = indent = behind = 0
    for match in TOKEN.finditer(text, 0, end):
        last = match[0]
        gap = text.count("\n", behind, match.start())
        row, behind = row + gap, match.start()
        first = gap > 0
        if last.startswith("#"):
            continue
        if first or not indent:
            indent = match.start() - text.rfind("\n", 0, match.start())
        if first and last[0].isalpha():
            rest = text[match.end() : match.end() + 80]
            _begin(frames, last, indent, rest, match.end() == end)
        _take(frames, last, indent, row, first)
    line = text[text.rfind("\n", 0, end) + 1 : end]
    if line and not line.strip():
        _begin(frames, "", len(line) + 1, "", True)
    return frames, last


def _take(frames: list[Frame], token: str, indent: int, row: int, first: bool) -> None:
    """Open or close a bracket, or add a token to the innermost one."""
    tokens = frames[-1].tokens
    if token == "{":
        around = next(f.owner for f in reversed(frames) if f.sign in ("", "{"))
        frames.append(Frame(token, _section(tokens) or around, indent, row))
    elif token in OPENING:
        frames.append(Frame(token, _owner(tokens), indent, row))
    elif token == "}" and not first and frames[-1].row < row:
        return  # it closes a body that was opened above, where its author closes none
    else:
        if token in CLOSING and len(frames) > 1:
            frames.pop()
        frames[-1].tokens.append(token)


def _begin(frames: list[Frame], token: str, indent: int, behind: str, typed: bool) -> None:
    """Close what a statement that begins a line shows to be closed, and open its body.

    `typed` tells that the token ends where something is being written: it may be any.
    """
    bound = re.match(r"\s*=(?!=)", behind) is not None
    if indent == 1 and token in STATEMENTS[""] and not bound:
        del frames[1:]
        return
    block = max(i for i, f in enumerate(frames) if f.sign in ("", "{"))
    begins = typed or bound or token in STATEMENTS.get(frames[block].owner, ())
    inner = frames[block + 1 : block + 2]
    if begins and any(indent <= f.indent or f.row == frames[block].row for f in inner):
        del frames[block + 1 :]
    if block == 0 and indent > 1 and not inner:
        section = _around(frames[0].tokens, token, bound)
        if section:
            frames.append(Frame("{", section, indent - 1))


def _around(tokens: list[str], token: str, bound: bool) -> str:
    """The section of a statement that is indented, while no body is open; empty if unknown."""
    last = next((t for t in reversed(tokens) if t in STATEMENTS[""]), "")
    if last in BODIES and (bound or token in STATEMENTS.get(last, ())):
        return last
    if bound:
        return "train" if token in Settings.model_fields else "model"
    return next((s for s in ("model", "train") if token in STATEMENTS[s]), "")


def _context(frames: list[Frame], word: str, quiet: bool) -> Context:
    block = max(i for i, f in enumerate(frames) if f.sign in ("", "{"))
    section = frames[block].owner
    tokens = frames[block].tokens
    if block == len(frames) - 1 and word and tokens and tokens[-1] in word:
        tokens = tokens[:-1]
    statement, valued = _statement(tokens, section)
    calls = [f for f in frames[block + 1 :] if f.sign == "(" and _is_call(f)]
    if not calls:
        return Context(word, section, statement, valued=valued, quiet=quiet)
    inside = calls[-1].tokens
    if frames[-1] is calls[-1] and word and inside and inside[-1] == word:
        inside = inside[:-1]
    names = [inside[i - 1] for i in range(1, len(inside)) if inside[i] == "="]
    last = len(inside) - 1 - inside[::-1].index(",") if "," in inside else -1
    current = inside[last + 1 :]
    argument = current[0] if len(current) > 1 and current[1] == "=" else ""
    return Context(
        word,
        section,
        statement,
        calls[-1].owner,
        argument,
        tuple(names),
        inside.count(","),
        valued,
        quiet,
    )


def _owner(tokens: list[str]) -> str:
    """What stands before a bracket: a name, the slot whose options it opens, or `grows`."""
    if tokens[-2:-1] == ["@"]:
        return tokens[-3] if tokens[2:] else ""
    if tokens[-2:-1] == ["grows"]:
        return "grows"
    return tokens[-1] if tokens else ""


def _is_call(frame: Frame) -> bool:
    """Whether a parenthesis holds arguments or options, and not a part of a pipe."""
    if frame.owner in PIPES:
        return frame.owner in ("stage", "core") and frame.tokens[1:2] in ([], ["="])
    return bool(WORD.fullmatch(frame.owner))


def _section(tokens: list[str]) -> str:
    """What a brace opens, from the tokens before it."""
    known = ("model", "train", "phase", "sample", "evaluate", "block", "stage")
    for i in range(len(tokens) - 1, -1, -1):
        if tokens[i] in known and (i + 1 == len(tokens) or tokens[i + 1] != "="):
            return "sides" if tokens[i] == "stage" else tokens[i]
    return ""


def _statement(tokens: list[str], section: str) -> tuple[str, bool]:
    """The keyword or the bound name of the last statement, and whether its `=` was written."""
    keywords = STATEMENTS.get(section, ())
    for i in range(len(tokens) - 1, -1, -1):
        token = tokens[i]
        if i + 1 < len(tokens) and tokens[i + 1] == "=":
            named = i > 0 and tokens[i - 1] in ("param", "data")
            return (tokens[i - 1] if named else token), True
        if token in keywords and (i == 0 or tokens[i - 1] not in CHOOSING):
            return ("by" if token == "grow" and _is_ruled(tokens[i + 1 :]) else token), False
    return "", False


def _is_ruled(tokens: list[str]) -> bool:
    """Whether a `by` follows the first selector, and is not one itself."""
    return any(t == "by" and tokens[i] not in CHOOSING for i, t in enumerate(tokens[1:]))
