"""Whatever is wrong on one line of a spec, the features answer for all the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lsp_texts import CORE, SPECS, analysed, point, project, source

from growlang.lsp.analysis import Analysis, Point
from growlang.lsp.completion import complete
from growlang.lsp.definition import definition
from growlang.lsp.folding import folds
from growlang.lsp.formatting import formatting
from growlang.lsp.hover import hover
from growlang.lsp.names import Declaration, Use
from growlang.lsp.project import Project
from growlang.lsp.symbols import Symbol, symbols
from growlang.syntax.fmt import fmt_text

WAYS: dict[str, Callable[[str], str]] = {
    "cut off": lambda line: line[: len(line) // 2],
    "(": lambda line: f"{line} (",
    "{": lambda line: f"{line} {{",
    "}": lambda line: f"{line} }}",
    "quote": lambda line: f'{line} "',
    "sign": lambda line: f"{line} ?",
    "number": lambda line: f"1 {line}",
    "gone": lambda line: "",
    "words": lambda line: "  some words",
    "misspelt": lambda line: line.replace("width", "widht").replace("e", "ee", 1),
}
"""What can be wrong with a line."""
FILES = ("core.grow", "child.grow", "blocks.grow", "lib/blocks.grow", "grandchild.grow")
TELLING = ("grows", "import")
"""Where the words of these are gone, the names of other files mean nothing."""


SAMPLED = pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
"""Every third row is broken by default."""


def variants(text: str, way: str, every: int = 1) -> Iterator[tuple[int, str]]:
    """A text with one row after another broken, and the number of that row."""
    lines = text.split("\n")
    for row, line in enumerate(lines, 1):
        broken = WAYS[way](line)
        if line.strip() and broken != line and row % every == 0:
            yield row, "\n".join([*lines[: row - 1], broken, *lines[row:]])


def resolved(path: Path) -> list[tuple[Use, Declaration]]:
    """What is used in a good text, with its declarations."""
    good = Project((SPECS,))
    found = good.source(path)
    assert found is not None
    uses = [(use, good.declaration(path, use)) for use in found.names.used]
    return [(use, declared) for use, declared in uses if declared]


@SAMPLED
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_definitions_are_found_on_every_other_line(name: str, way: str, every: int) -> None:
    path = (SPECS / name).resolve()
    text = path.read_text()
    uses, lines = resolved(path), text.split("\n")
    assert uses
    for row, broken in variants(text, way, every):
        told = any(word in lines[row - 1] for word in TELLING)
        still = any(word in broken.split("\n")[row - 1] for word in (".grow",))
        open_files = Project((SPECS,), {path: broken})
        for use, declared in uses:
            here = declared.span.filename == str(path)
            if row in (use.span.row, declared.span.row if here else 0) or (told and not still):
                continue
            at = Point(use.span.row, use.span.column)
            found = definition(open_files, Analysis(path, broken), at)
            assert found == declared.span, (row, broken.split("\n")[row - 1], use)


@pytest.mark.parametrize("way", ["cut off", "words", "gone"])
def test_a_line_that_was_good_before_tells_which_file_the_names_are_from(way: str) -> None:
    path = (SPECS / "child.grow").resolve()
    text = path.read_text()
    broken = dict(variants(text, way))[3]
    now = analysed("child.grow", broken, analysed("child.grow", text))
    open_files = project(now)
    for use, declared in resolved(path):
        found = definition(open_files, now, Point(use.span.row, use.span.column))
        assert found == declared.span, use


def flat(found: list[Symbol] | tuple[Symbol, ...]) -> list[str]:
    return [name for s in found for name in (s.name, *flat(s.children))]


@SAMPLED
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_the_outline_lacks_no_other_line(name: str, way: str, every: int) -> None:
    path = (SPECS / name).resolve()
    text = path.read_text()
    whole = source(Analysis(path, text))
    rows = {s.name: s.span.row for s in symbols(whole)}
    rows |= {c.name: c.span.row for s in symbols(whole) for c in s.children}
    for row, broken in variants(text, way, every):
        found = flat(symbols(source(Analysis(path, broken))))
        lacking = {n for n, at in rows.items() if at != row and n not in found}
        assert lacking <= {"encode", "decode"}, (row, broken.split("\n")[row - 1])


@SAMPLED
@pytest.mark.parametrize("way", WAYS)
def test_hover_answers_on_every_other_line(way: str, every: int) -> None:
    path = (SPECS / "core.grow").resolve()
    good = analysed("core.grow", CORE)
    uses = [*source(good).names.used, *source(good).names.declared]
    said = {use: hover(project(good), good, Point(use.span.row, use.span.column)) for use in uses}
    for row, broken in variants(CORE, way, every):
        now = analysed("core.grow", broken)
        read = project(now)
        for use, text in said.items():
            declared = read.declaration(path, use) if isinstance(use, Use) else use
            elsewhere = use.span.row != row and getattr(use, "kind", "") != "field"
            own = isinstance(use, Use) and use.kind in ("op", "argument", "setting")
            if text and elsewhere and (own or declared):
                assert hover(read, now, Point(use.span.row, use.span.column)), (row, use)


@SAMPLED
@pytest.mark.parametrize("way", [way for way in WAYS if way != "words"])
def test_formatting_lays_out_all_other_statements(way: str, every: int) -> None:
    tidy = fmt_text(CORE, "").result
    assert tidy is not None
    lines = tidy.split("\n")
    for row, broken in variants(tidy, way, every):
        if row == 1:
            continue  # without its edition, no text is one of the language
        untidy = broken.replace("sampler = ", "sampler=").replace("half  = ", "half=")
        found = formatting(Analysis(SPECS / "core.grow", untidy))
        text = untidy.split("\n")
        for edit in reversed(found):
            start, end = edit.span.row - 1, edit.span.end_row - 1
            text[start:end] = edit.text.removesuffix("\n").split("\n") if edit.text else []
        assert "".join("\n".join(text).split()) == "".join(untidy.split())
        laid_out = ("param half", "sample ")
        changed = [n for n, line in enumerate(lines, 1) if n != row and line.startswith(laid_out)]
        assert any(lines[n - 1] in text for n in changed), (row, untidy.split("\n")[row - 1])


def test_rows_that_do_not_parse_stay_as_they_are() -> None:
    text = "grow 1\n\nparam   a = (1\nparam   b = 2\n"
    (edit,) = formatting(Analysis(SPECS / "core.grow", text))
    assert (edit.span.row, edit.text) == (4, "param b = 2\n")


@SAMPLED
@pytest.mark.parametrize("way", WAYS)
def test_statements_fold_on_every_other_line(way: str, every: int) -> None:
    heads = {7: 14, 19: 25, 27: 29}
    for row, broken in variants(CORE, way, every):
        found = {
            fold.first: fold.last for fold in folds(source(Analysis(SPECS / "core.grow", broken)))
        }
        for first, last in heads.items():
            if row < first or row > last + 1:
                assert found.get(first) == last, (row, broken.split("\n")[row - 1])


# --- completion ----------------------------------------------------------------------------------


def labels(text: str, name: str = "core.grow") -> list[str]:
    """The completions at `^` in a text that is opened as it is."""
    analysis = analysed(name, (at := point(text))[0])
    return [c.label for c in complete(project(analysis), analysis, at[1])]


WRITTEN = {
    "image = image(16)\n": "image = image(16\n",
    "param half = 1\n": "param half = \n",
    "model small {\n": "model small\n",
    "text  = words(24": "text  = wrods(24",
    "stem      patch": "stem      ptach",
    "}\n\ndata": "\n\ndata",
    "time  = fourier(width)": "time  = fourier(width) }",
    "tokens = 5": "tokens = [5",
}


@pytest.mark.parametrize("old", WRITTEN)
def test_completion_goes_on_below_a_mistake(old: str) -> None:
    assert CORE.count(old) == 1
    broken = CORE.replace(old, WRITTEN[old])
    assert labels(broken.replace("attend = [self, text]", "attend = [self, te^]")) == ["text"]
    assert {"mlp = ", "bias = "} <= set(labels(broken.replace("attend = [self, text]", "^")))
    assert "residual" in labels(broken.replace("residual(width) | unpatch", "res^ | unpatch"))
    assert "head" in labels(broken.replace("  head ", "  he^\n  head "))
    assert labels(broken.replace("= adamw(", "= ad^(")) == ["adamw", "adam"]
    assert labels(broken.replace("batch     = 8", "ba^")) == ["batch = "]
    assert "pictures" in labels(broken.replace("= pictures", "= ^"))
    assert labels(broken.replace("depth = 2 * half", "depth = 2 * wi^")) == ["width"]


def test_the_parents_places_are_known_from_the_first_key() -> None:
    text = 'grow 1\nmodel child grows "core.grow" {\n  keep ^\n}\n'
    assert {"core", "text", "stem", "head"} <= set(labels(text, "new.grow"))
    assert labels(text.replace("keep ^", "keep core.transformer[0].^"), "new.grow")
    assert labels(text.replace('"core.grow"', '"core.grow" (wi^)'), "new.grow")[0] == "width = "


def test_hover_shows_values_that_are_known_beside_a_mistake() -> None:
    text, at = point(CORE.replace("heads = 2", "heads = 3").replace("* depth", "* de^pth"))
    analysis = analysed("core.grow", text)
    assert analysis.checked is None
    assert hover(project(analysis), analysis, at) == "`depth` = `2` (line 4)"


def test_shapes_stay_where_their_lines_went() -> None:
    good = analysed("core.grow", CORE)
    text, at = point(CORE.replace("\nmodel", "\n\n\nparam oh =\nmodel").replace("un^", "un"))
    at = at._replace(row=CORE[: CORE.index("unpatch")].count("\n") + 4, column=35)
    text = CORE.replace("\nmodel", "\n\n\nparam oh =\nmodel")
    found = hover(project(now := analysed("core.grow", text, good)), now, at)
    assert found.startswith("**3 x 16 x 16 grid**"), found
