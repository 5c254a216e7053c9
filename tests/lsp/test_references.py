"""Every place that names the same thing, in all files of a folder, and other names for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from lsp_texts import SPECS

from growlang.checking import check
from growlang.diagnostics import Edit, GrowlangError, Span
from growlang.lsp.analysis import Point
from growlang.lsp.project import Project
from growlang.lsp.references import highlights, references, rename, renaming
from growlang.tools.formatting import converted


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The fixtures, a twin of the child in YAML, and a file that is no spec of the others."""
    shutil.copytree(SPECS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "whole_grammar.grow").unlink()
    twin = converted(tmp_path / "child.grow", yaml=True).text
    assert twin is not None
    (tmp_path / "twin.grow.yaml").write_text(twin)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "core.grow").write_text("grow 1\nparam width = 1\n")
    return tmp_path.resolve()


def place(path: Path, marked: str) -> Point:
    """The place of `^` in a piece of a file's text."""
    text, piece = path.read_text(), marked.replace("^", "")
    assert text.count(piece) == 1, piece
    at = text.index(piece) + marked.index("^")
    return Point(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


def shown(folder: Path, spans: list[Span]) -> list[str]:
    return sorted(f"{Path(s.filename).relative_to(folder)}:{s.row}:{s.column}" for s in spans)


CASES = {
    ("core.grow", "* de^pth"): ["core.grow:13:68", "core.grow:4:7"],
    ("core.grow", "par^am half = 1"): [],
    ("core.grow", "2 * ha^lf"): ["core.grow:4:19", "core.grow:5:7"],
    ("core.grow", "te^xt  ="): [
        "child.grow:17:38",
        "child.grow:4:14",
        "core.grow:13:59",
        "core.grow:9:3",
        "grandchild.grow:12:59",
        "grandchild.grow:4:8",
        "twin.grow.yaml:25:48",
        "twin.grow.yaml:5:16",
    ],
    ("core.grow", "train sec^ond"): ["child.grow:20:42", "core.grow:27:7", "twin.grow.yaml:28:33"],
    ("blocks.grow", "lib.tw^ice"): ["blocks.grow:13:18", "lib/blocks.grow:9:7"],
    ("blocks.grow", "l^ib.twice"): [
        "blocks.grow:12:19",
        "blocks.grow:13:14",
        "blocks.grow:20:41",
        "blocks.grow:3:29",
    ],
    ("lib/blocks.grow", "pair(width, de^pth = 1)"): [
        "lib/blocks.grow:10:15",
        "lib/blocks.grow:5:19",
        "lib/blocks.grow:6:21",
    ],
    ("lib/blocks.grow", "param ch^annels"): [
        "blocks.grow:12:23",
        "blocks.grow:20:45",
        "lib/blocks.grow:3:7",
    ],
    ("blocks.grow", "data o^ne"): [
        "blocks.grow:17:6",
        "blocks.grow:18:12",
        "blocks.grow:19:17",
        "blocks.grow:21:29",
    ],
    ("blocks.grow", "ima^ge.width"): ["blocks.grow:10:3", "blocks.grow:18:35", "blocks.grow:22:53"],
    ("core.grow", "at = rand^om"): [],
}


@pytest.mark.parametrize("case", CASES)
def test_references(folder: Path, case: tuple[str, str]) -> None:
    path = folder / case[0]
    found = references(Project((folder,)), path, place(path, case[1]))
    assert shown(folder, found) == CASES[case]


def test_highlights_are_of_one_file(folder: Path) -> None:
    path = folder / "core.grow"
    found = highlights(Project((folder,)), path, place(path, "[self, te^xt]"))
    assert [(h.span.row, h.span.column, h.declared) for h in found] == [
        (9, 3, True),
        (13, 59, False),
    ]
    child = folder / "child.grow"
    found = highlights(Project((folder,)), child, place(child, "keep core, te^xt"))
    assert [(h.span.row, h.declared) for h in found] == [(4, False), (17, False)]


# --- other names ---------------------------------------------------------------------------------


def apply(edits: list[Edit]) -> None:
    for span, new, old, _ in sorted(edits, reverse=True):
        path = Path(span.filename)
        lines = path.read_text().split("\n")
        line = lines[span.row - 1]
        assert line[span.column - 1 : span.end_column - 1] == old
        lines[span.row - 1] = line[: span.column - 1] + new + line[span.end_column - 1 :]
        path.write_text("\n".join(lines))


class Told(NamedTuple):
    """Of each spec of a project: the codes of its findings, and the hash of what it means."""

    codes: dict[str, list[str]]
    hashes: dict[str, str | None]


KNOWN: dict[tuple[tuple[str, bytes], ...], Told] = {}
"""By the files of a project, with their texts: all tests begin with the same."""


def told(folder: Path) -> Told:
    specs = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*.grow*"))}
    texts = tuple((name, path.read_bytes()) for name, path in specs.items())
    if texts not in KNOWN:
        hashed = {n: p for n, p in specs.items() if p.suffix == ".grow" and ".hidden" not in n}
        KNOWN[texts] = Told(
            {name: [d.code for d in check(path).diagnostics] for name, path in specs.items()},
            {name: _hash(path) for name, path in hashed.items()},
        )
    return KNOWN[texts]


RENAMED = [
    ("core.grow", "par^am width", None),
    ("core.grow", "param wi^dth", "channels"),
    ("core.grow", "te^xt  =", "captions"),
    ("core.grow", "= pict^ures", "photos"),
    ("core.grow", "train sec^ond", "finish"),
    ("child.grow", "freeze core, te^xt", "captions"),
    ("blocks.grow", "(res2(wi^dth)", "wide"),
    ("blocks.grow", "(re^s2(", "twin"),
    ("blocks.grow", "lib.ch^annels and", "depth"),
    ("blocks.grow", "data bo^th", "all_of_it"),
    ("blocks.grow", "as l^ib", "shelf"),
    ("lib/blocks.grow", "block pa^ir(", "couple"),
    ("lib/blocks.grow", "residual(width) * de^pth", "times"),
    ("child.grow", "phase fro^zen", "cold"),
]


@pytest.mark.parametrize(("name", "marked", "new"), RENAMED)
def test_a_renamed_project_means_the_same(
    folder: Path, name: str, marked: str, new: str | None
) -> None:
    path = folder / name
    before, at = told(folder), place(path, marked)
    if new is None:
        with pytest.raises(GrowlangError, match="no declared name here"):
            renaming(Project((folder,)), path, at)
        return
    old = renaming(Project((folder,)), path, at)
    edits = rename(Project((folder,)), path, at, new)
    found = references(Project((folder,)), path, at)
    assert {edit.span for edit in edits} == set(found)
    apply(edits)
    after = told(folder)
    assert after.codes == before.codes
    # A condition, a recipe and a source of data are told by name; a param and a block are not.
    if "param" in marked or "lib" in marked or "wi^dth" in marked:
        assert after.hashes == before.hashes
    again = rename(Project((folder,)), path, _moved(at, old.span, edits, path), old.name)
    apply(again)
    assert told(folder) == before


def _moved(at: Point, name: Span, edits: list[Edit], path: Path) -> Point:
    """The place of a renamed word, which other edits on its row have moved."""
    before = [
        e
        for e in edits
        if e.span.filename == str(path) and e.span.row == name.row and e.span < name
    ]
    return at._replace(column=name.column + sum(len(e.text) - len(e.old) for e in before))


def _hash(path: Path) -> str | None:
    checked = check(path).checked
    return checked.resolved.spec_hash if checked else None


REFUSED = [
    ("core.grow", "param wi^dth", "Width", "invalid name `Width`"),
    ("core.grow", "param wi^dth", "two words", "invalid name"),
    ("core.grow", "param wi^dth", "core", "invalid name `core`"),
    ("core.grow", "param wi^dth", "and", "invalid name `and`"),
    ("core.grow", "param wi^dth", "a = 1 param b", "invalid name"),
    ("core.grow", "param wi^dth", "", "invalid name"),
    ("core.grow", "param wi^dth", "half", "`half` is taken: core.grow:5 declares a param"),
    ("core.grow", "param wi^dth", "random", "the name is taken: core.grow:21"),
    ("core.grow", "te^xt  =", "time", "`time` is taken"),
    ("core.grow", "te^xt  =", "float", "`float` is reserved: used by PyTorch's modules"),
    ("core.grow", "train sec^ond", "first", "`first` is taken: core.grow:19"),
    ("core.grow", "ti^me  =", "clock", "`time` is part of the language"),
    ("core.grow", "co^re @ 4", "middle", "`core` is part of the language"),
    ("core.grow", "model sm^all", "tiny", "a model cannot be renamed here"),
    ("core.grow", "heads = 2, att^end", "look", "no declared name here"),
    ("blocks.grow", "data o^ne", "two", "`two` is taken: blocks.grow:18"),
    ("lib/blocks.grow", "pair(width, de^pth = 2)", "width", "`width` is taken: blocks.grow:5"),
]


@pytest.mark.parametrize(("name", "marked", "new", "said"), REFUSED)
def test_a_name_that_is_none_or_is_taken_is_refused(
    folder: Path, name: str, marked: str, new: str, said: str
) -> None:
    path = folder / name
    with pytest.raises(GrowlangError, match=said):
        rename(Project((folder,)), path, place(path, marked), new)


def test_a_name_that_a_child_has_is_taken(folder: Path) -> None:
    """The parent's `half` would be the child's own in the child."""
    core, child = folder / "core.grow", folder / "child.grow"
    text = child.read_text().replace("grow 1\n", "grow 1\nparam mine = half\nparam other = 3\n", 1)
    child.write_text(text.replace("patch(2, 8)", "patch(2, mine + other)"))
    with pytest.raises(GrowlangError, match=r"child.grow:2 would change meaning"):
        rename(Project((folder,)), core, place(core, "2 * ha^lf"), "other")
    edits = rename(Project((folder,)), core, place(core, "2 * ha^lf"), "third")
    assert [Path(e.span.filename).name for e in edits].count("child.grow") == 1


def test_a_finding_elsewhere_keeps_no_name(folder: Path) -> None:
    core = folder / "core.grow"
    core.write_text(core.read_text().replace("heads = 2", "heads = 3"))
    edits = rename(Project((folder,)), core, place(core, "* de^pth"), "deep")
    assert shown(folder, [e.span for e in edits]) == ["core.grow:13:68", "core.grow:4:7"]


def test_a_line_that_does_not_parse_keeps_the_names_on_it(folder: Path) -> None:
    core = folder / "core.grow"
    core.write_text(core.read_text().replace("param half = 1", "param half = 1 +"))
    assert rename(Project((folder,)), core, place(core, "* de^pth"), "deep")
    with pytest.raises(GrowlangError, match=r"core.grow:5 does not parse and may use `width`"):
        core.write_text(core.read_text().replace("= 1 +", "= width +"))
        rename(Project((folder,)), core, place(core, "param wi^dth"), "wide")


def test_open_files_are_read_from_the_editor(folder: Path) -> None:
    core, child = folder / "core.grow", folder / "child.grow"
    open_files = {child: child.read_text().replace("keep core, text, time", "keep core, time")}
    found = references(Project((folder,), open_files), core, place(core, "te^xt  ="))
    assert "child.grow:4:14" not in shown(folder, found)


def test_without_a_folder_the_files_beside_are_looked_through(folder: Path) -> None:
    core = folder / "core.grow"
    found = references(Project((), {core: core.read_text()}), core, place(core, "te^xt  ="))
    assert "child.grow:4:14" in shown(folder, found)
