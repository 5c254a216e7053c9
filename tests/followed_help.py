"""Follows the words of a help: the specs that one gets by doing to a spec what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from growlang.diagnostics import Diagnostic, Edit, Span
from growlang.tools.fix import edited

QUOTED = re.compile(r"`([^`]+)`")
VERBS = ("keep", "drop", "retain", "moved")
SLOT = re.compile(r"^ *(stem|core|head|stage @ \d+) .*$", re.M)


def followed(path: Path, found: Diagnostic) -> Iterator[str]:
    """The texts that the help of a finding may mean, without those that leave the spec as it is."""
    text = path.read_text()
    help, span = found.help, found.span
    pieces = QUOTED.findall(help)
    for candidate in (
        *_renamed(text, span, help),
        *_written(text, span, pieces),
        *_given(text, span, pieces),
        *_listed(text, span, help),
        *_added(text, pieces),
        *_removed(text, span, help),
        *_grown(path, text, help, pieces),
    ):
        if candidate != text:
            yield candidate


def _at(text: str, span: Span, new: str) -> str:
    return edited(text, [Edit(span, new, "")])


def _word(text: str, span: Span) -> Span:
    """The name, number or string that a span begins with."""
    rest = text.split("\n")[span.row - 1][span.column - 1 :]
    word = re.match(r"\w+|\S", rest)
    end = span.column + (len(word[0]) if word else 0)
    return span._replace(end_row=span.row, end_column=end)


def _renamed(text: str, span: Span, help: str) -> Iterator[str]:
    """`did you mean X?`; X for a name that is not lower case."""
    if meant := re.search(r"did you mean `([^`]+)`(?: for `(\w+)`)?", help):
        yield from _each_word(text, span, meant[1])
        if meant[2]:
            yield re.sub(rf"\b{meant[2]}\b", meant[1], text)
    if "lower case" in help:
        word = _word(text, span)
        yield _at(text, word, text.split("\n")[word.row - 1][word.column - 1 :].split()[0].lower())


def _each_word(text: str, span: Span, new: str) -> Iterator[str]:
    """The text with the new word for each of those that are underlined, one at a time."""
    row = text.split("\n")[span.row - 1]
    for word in re.finditer(r"\w+(\[[^]]*\])?", row[: span.end_column - 1]):
        if word.start() >= span.column - 1:
            place = span._replace(
                column=word.start() + 1, end_row=span.row, end_column=word.end() + 1
            )
            yield _at(text, place, new)


def _listed(text: str, span: Span, help: str) -> Iterator[str]:
    """`there are A, B`: one of them for a word that is underlined, or for all that is."""
    listing = re.search(r"(?:: |there (?:are|is) |one of |holds |such as )([^;]+)", help)
    for item in listing[1].split(", ") if listing else ():
        item = item.strip("`").removeprefix("or ")
        yield _at(text, span, item)
        yield _at(text, span, f'"{item}"')
        yield _at(text, span, f"[{', '.join(listing[1].split(', '))}]" if listing else "")
        yield from _each_word(text, span, item)


def _written(text: str, span: Span, pieces: list[str]) -> Iterator[str]:
    """`write X`: in place of what is underlined, of its first word, before, or behind it."""
    start, end = (
        span._replace(end_row=span.row, end_column=span.column),
        span._replace(row=span.end_row, column=span.end_column),
    )
    for piece in pieces:
        yield _at(text, span, piece)
        yield _at(text, _word(text, span), piece)
        yield _at(text, start, f"{piece} ")
        yield _at(text, start, f"{piece} | ")
        yield _at(text, end, piece)
        yield _at(text, end, f" | {piece}")
        if name := re.match(r"(\w+) ([=@]) ", piece):  # another value of what stands there
            yield re.sub(rf"\b{name[1]} *{name[2]} *(\[.*?\]|[\w.]+)", piece, text, count=1)


def _given(text: str, span: Span, pieces: list[str]) -> Iterator[str]:
    """`write X in it`: as the last argument of the call that is underlined; or X is a call or a
    declaration of data that stands elsewhere with other values."""
    last = span._replace(
        row=span.end_row, column=span.end_column - 1, end_column=span.end_column - 1
    )
    for piece in pieces:
        yield _at(text, last, f", {piece}")
        if stands := re.match(r"(data \w+) *= ", piece):
            yield re.sub(rf"^{stands[1]} *=.*$", piece, text, count=1, flags=re.M)
        if call := re.match(r"(\w+)\(", piece):
            yield re.sub(rf"\b{call[1]}\([^()]*\)", piece, text, count=1)


def _added(text: str, pieces: list[str]) -> Iterator[str]:
    """`add X and Y`: as statements of a body, or of the file."""
    rows = text.split("\n")
    for added in (pieces, *([piece] for piece in pieces)):
        new = "\n".join(added)
        yield "\n".join([*rows, new])
        yield "\n".join([new, *rows])
        for at in (i for i, row in enumerate(rows) if row.endswith("{")):
            yield "\n".join([*rows[: at + 1], new, *rows[at + 1 :]])
            for end in (i for i, row in enumerate(rows) if row == "}" and i > at):
                yield "\n".join([*rows[:end], new, *rows[end:]])
                break
    for piece in pieces:
        yield re.sub(r"\{", f"{{ {piece} ", text, count=1) if "{ phase" in text else text
        yield text.replace("train {", f"train {{ {piece} ", 1)


def _removed(text: str, span: Span, help: str) -> Iterator[str]:
    """`remove it`: what is underlined, its rows, or up to the comma beside it; or an argument."""
    if "remove" not in help and "leave" not in help:
        return
    if argument := re.search(r"remove `(\w+)`", help):
        yield re.sub(rf', {argument[1]} = ("[^"]*"|\w+)', "", text, count=1)
    rows = text.split("\n")
    yield _at(text, span, "")
    yield "\n".join([*rows[: span.row - 1], *rows[span.end_row :]])
    row = rows[span.row - 1]
    before, behind = row[: span.column - 1], row[span.end_column - 1 :]
    for cut in (
        before.rstrip().removesuffix(",") + behind,
        before + behind.lstrip().removeprefix(","),
        before.rstrip().removesuffix("(") + behind.removeprefix(")"),
        re.sub(r"\w+ *= *$", "", before).rstrip().removesuffix(",") + behind,
        re.sub(r"\( *\w+ *= *$", "", before) + behind.removeprefix(")"),
        re.sub(r"\b(freeze|train|keep|drop) *$", "", before) + behind,
    ):
        yield "\n".join([*rows[: span.row - 1], cut, *rows[span.row :]])


def _grown(path: Path, text: str, help: str, pieces: list[str]) -> Iterator[str]:
    """`drop X` instead of keeping it, its declaration as the help has it, and what moves."""
    for alternative in (help, *help.split(", or "), *help.split("; or ")):
        said = [p for p in QUOTED.findall(alternative) if p.split()[0] in VERBS]
        if not said:
            continue
        body = text
        for verb, _, name in (p.partition(" ") for p in said):
            if verb != "moved":
                body = _released(body, name)
        declared = _declared(path, alternative, said) if "declare it here" in alternative else ""
        new = "\n".join([*said, declared])
        at = body.index("{", body.index("model ")) + 1
        yield f"{body[:at]}\n{new}{body[at:]}"


def _released(text: str, names: str) -> str:
    """The text without what another statement says of these components."""
    for name in names.split(", "):
        one = re.escape(name)
        text = re.sub(rf"^ *grow {one} by .*\n", "", text, flags=re.M)
        text = re.sub(r"\b(keep|drop|retain) all\b", rf"\1 all except {name}", text)
        text = re.sub(rf"(\b(?:keep|drop|retain)\b.*), {one}\b(?!\[)", r"\1", text)
        text = re.sub(rf"(\b(?:keep|drop|retain)) {one}, ", r"\1 ", text)
        text = re.sub(rf"^ *(keep|drop|retain) {one}\n", "", text, flags=re.M)
    return text


def _declared(path: Path, help: str, said: list[str]) -> str:
    """The parent's declaration of what is dropped, with what the help puts there."""
    parent = re.search(r'grows "([^"]+)"', path.read_text())
    assert parent is not None
    dropped = next(p.removeprefix("drop ") for p in said if p.startswith("drop "))
    slots = SLOT.finditer((path.parent / parent[1]).read_text())
    line = next(m[0] for m in slots if m[1] == dropped)
    for piece in QUOTED.findall(help.partition("declare it here")[2].partition(";")[0]):
        name = piece.split(" @ ")[0].split(" = ")[0]
        line = re.sub(rf"\b{name} *[=@] *(\[.*?\]|\d+)", piece, line)
    return line
