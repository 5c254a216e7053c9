"""What the documentation shows: specs that check, fragments that parse, commands that print it."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from fixture_specs import SHIPPED

from growlang.checking import check
from growlang.syntax.grow import read

ROOT = SHIPPED.parent
sys.path.append(str(ROOT / "docs"))

from console import checkout, printed  # noqa: E402

REFERENCE = ROOT / "docs" / "reference"
GENERATED = (ROOT / "docs" / "errors", REFERENCE / "commands.md", REFERENCE / "python.md")
"""Pages whose examples are fixtures, or are run when the page is written."""
PAGES = [
    path
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if not any(path == g or g in path.parents for g in GENERATED)
]
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
EDIT = re.compile(r"<!-- edit (\S+): (.+?) -> (.+?) -->\n+\Z")
RUN = ("console", "python")
IN_EMOJI = ("tutorial", "python", "retaining", "changing_a_run")
"""Pages that a reader follows in the folder of the example."""
SAVED = (*IN_EMOJI, "your_own_images")
"""Pages whose specs are there for the commands behind them."""
CONTEXTS = (
    "grow 1\n{}",
    "grow 1 model m {{\n{}\n}}",
    "grow 1 train {{\n{}\n}}",
    "grow 1 train {{ phase p for 1 {{\n{}\n}} }}",
    "grow 1 sample {{\n{}\n}}",
)
"""Where a fragment may stand."""


class Fence(NamedTuple):
    """A fenced block of a page; `edits` are made in files before it, out of the reader's sight."""

    page: Path
    line: int
    kind: str
    text: str
    edit: tuple[str, str, str] | None


def fences() -> Iterator[Fence]:
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in FENCE.finditer(text):
            indent, kind, body = match.groups()
            if "--8<--" in body:  # a file of the project, which is checked as such
                continue
            body = "".join(line.removeprefix(indent) for line in body.splitlines(keepends=True))
            before = EDIT.search(text[: match.start()])
            line = text.count("\n", 0, match.start()) + 1
            yield Fence(page, line, kind, body, before and before.groups())  # type: ignore[arg-type]


FENCES = list(fences())


def of_kind(kind: str) -> list[object]:
    return [
        pytest.param(f, id=f"{f.page.relative_to(ROOT)}:{f.line}") for f in FENCES if f.kind == kind
    ]


def named(text: str) -> str:
    """The file of a spec on a page: a comment in its first line, or the model's name."""
    first = re.match(r"# (\S+\.grow)\n", text)
    model = re.search(r"^model (\w+)", text, re.MULTILINE)
    return first[1] if first else f"{model[1]}.grow" if model else "library.grow"


@pytest.mark.parametrize("fence", of_kind("grow"))
def test_a_spec_is_clean_and_a_fragment_parses(fence: Fence) -> None:
    if not re.search(r"^grow 1\b", fence.text, re.MULTILINE):
        readings = (read(context.format(fence.text), "fragment.grow") for context in CONTEXTS)
        assert any(reading.is_sound for reading in readings)
        return
    with checkout() as folder:
        for other in FENCES:
            if other.page == fence.page and other.kind == "grow" and "grow 1" in other.text:
                path = folder / "specs" / named(other.text)
                path.parent.mkdir(exist_ok=True)
                path.write_text(other.text, "utf-8")
        report = check(folder / "specs" / named(fence.text))
        assert [f"{item.span}: {item.message}" for item in report.diagnostics] == []


@pytest.mark.parametrize("page", sorted({f.page for f in FENCES if f.kind in RUN}))
def test_commands_and_code_print_what_the_page_shows(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands and blocks of Python run in the order of the page, the blocks in one namespace.

    A block of text below one of Python is what that prints.
    """
    names: dict[str, object] = {}
    shown = [f for f in FENCES if f.page == page]
    with checkout() as top:
        folder = top / "examples" / "emoji" if page.stem in IN_EMOJI else top
        monkeypatch.chdir(folder)
        for fence, below in zip(shown, [*shown[1:], None], strict=True):
            if fence.kind == "grow" and page.stem in SAVED and "grow 1" in fence.text:
                (folder / named(fence.text)).write_text(fence.text, "utf-8")
            if fence.kind == "console":
                run_commands(fence, folder)
            if fence.kind == "python":
                assert run_python(fence, names) == printed_below(fence, below), fence.line


def run_commands(fence: Fence, folder: Path) -> None:
    if fence.edit:
        name, old, new = fence.edit
        text = (folder / name).read_text("utf-8")
        assert text.count(old) == 1
        (folder / name).write_text(text.replace(old, new), "utf-8")
    for command, shown in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", fence.text, re.M):
        found, expected = printed(command, folder), shown.strip("\n")
        if not re.fullmatch(pattern(expected), f"{found}\n"):
            assert found == expected, command


def pattern(shown: str) -> str:
    """What matches an output: `...` stands for what differs from machine to machine.

    On a line of its own that is any number of lines.
    """
    lines = [re.escape(line).replace(r"\.\.\.", ".*") + "\n" for line in shown.split("\n")]
    return "".join("(?:.*\n)*?" if line == ".*\n" else line for line in lines)


def printed_below(fence: Fence, below: Fence | None) -> str:
    """The block of text that directly follows a block, if there is one."""
    after = fence.line + fence.text.count("\n") + 3
    return below.text if below and below.kind == "text" and below.line == after else ""


def run_python(fence: Fence, names: dict[str, object]) -> str:
    out = io.StringIO()
    code = compile("\n" * fence.line + fence.text, fence.page, "exec")
    with redirect_stdout(out):
        exec(code, names)
    return out.getvalue()
