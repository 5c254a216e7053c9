from __future__ import annotations

from pathlib import Path

import pytest
from fixture_specs import SHIPPED
from work import calls

from growlang.syntax.grow import read

ERRORS = Path(__file__).parent / "fixtures" / "errors"


def places(text: str) -> list[tuple[str, int]]:
    """Code and row of each finding in a text that does not parse."""
    reading = read(text, "spec.grow")
    assert reading.result is None
    return [(item.code, item.span.row) for item in reading.findings]


def test_eight_mistakes_in_eight_statements_are_eight_findings() -> None:
    found = places((ERRORS / "eight_slips.grow").read_text())
    assert [row for _, row in found] == [3, 7, 8, 10, 11, 12, 15, 20]


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.grow")), ids=lambda p: p.stem)
def test_one_broken_line_is_one_finding_there(path: Path) -> None:
    lines = path.read_text().split("\n")
    for row, line in enumerate(lines, 1):
        code = line.split("#")[0].rstrip()
        if "=" not in code or code.endswith(("{", "[", "(", ",")) or row == 1:
            continue
        broken = code.replace("=", "= =", 1)
        text = "\n".join([*lines[: row - 1], broken, *lines[row:]])
        assert places(text) == [("G001", row)], broken


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("grow 1\nmodel m {\n  stem conv(8)\ndata a = b(3)\ntrain { batch = = 3 }", [4, 5]),
        ("grow 1\ntrain {\n  phase a for 1 {\n    freeze core\n  phase b for 2\n}", [5]),
        ("grow 1\nmodel m\n  image = image(8)\n  stem conv(8)\n}", [2]),
        ("grow 1\ntrain\n  batch = 8\n  phase a for 1\n}", [2]),
        ("grow 1\n}\nparam a = 3\n}\nparam b 3", [2, 4, 5]),
        ("param a 3\nparam b = 3\nparam c 3", [1, 1, 3]),
        ("grow one\nparam a = 3\nparam c 3", [1, 3]),
        ("grow 1\nstage @ 64 {\n  encode a decode b\n}\nparam b 3", [2, 5]),
        (
            "grow 1\nmodel m {\n  stage @ 64 {\n    encode a | | b decode c\n  }\n  head b c\n}",
            [4, 6],
        ),
        ('grow 1\ndata a = w(\n  "x",\n  image = "a"\n  caption = "b"\n)\nparam b 3', [5, 7]),
        ("grow 1\nparam a = (1 +\nparam b = 2\nparam c 3", [2, 4]),
        ("grow 1\nif width {\n  x = 3\n}\nparam c 3", [2, 5]),
        ("grow 1\nmodel m grows {\n  keep core\n  drop = \n}\n", [2, 4]),
    ],
)
def test_what_follows_a_mistake_is_read_on(text: str, rows: list[int]) -> None:
    assert [row for _, row in places(text)] == rows


@pytest.mark.parametrize(
    "line",
    [
        "a = f(\n",
        "a = [\n",
        "{\n",
        "}\n",
        "model m {\n",
        "param a 3\n",
        "((((((((",
        "stage @ 3 {\n",
        '"\n',
        "a = \n",
        "a\n",
        "@@@@@@@\n",
        "train { phase a\n",
    ],
)
def test_work_grows_with_the_text_and_no_faster(line: str) -> None:
    def work(size: int) -> int:
        text = "grow 1\n" + line * (size // len(line)) + "\n}"
        return calls(lambda: places(text))

    work(100)  # makes the parser, once a process
    short, long = work(6_000), work(24_000)
    assert long < 4.2 * short
    assert long < 100 * 24_000
