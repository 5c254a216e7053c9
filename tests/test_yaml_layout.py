from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from drawing import examples
from fixture_specs import SPECS, assert_golden
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fmt import FIXTURES, PARSED, named, sampled
from test_yaml import parsed, twin

from growlang.syntax.document import without_spans
from growlang.yaml.layout import fmt


def fmt_yaml(text: str) -> str:
    return fmt(text, "spec.grow.yaml")


def holds(text: str) -> str:
    """The formatted text, once everything that a formatter promises was found to hold."""
    after, before = fmt_yaml(text), parsed(text)
    assert fmt_yaml(after) == after
    assert without_spans(parsed(after)) == without_spans(before)
    assert [c.text for c in parsed(after).comments] == [c.text.rstrip() for c in before.comments]
    assert after.endswith("\n")
    assert not any(line != line.rstrip() for line in after.split("\n"))
    return after


@pytest.mark.parametrize("path", sampled([p for p in PARSED if p.parent.name != "errors"]))
def test_what_convert_writes_is_in_the_canonical_layout(path: Path) -> None:
    written = twin(path)
    assert holds(written) == written


@pytest.mark.parametrize("path", named(sorted((FIXTURES / "fmt").glob("*.yaml"))))
def test_the_layout_is_as_expected(path: Path, request: pytest.FixtureRequest) -> None:
    found = holds(path.read_text())
    assert_golden(path.with_suffix(".txt"), found, request.config.getoption("--update"))


TWINS = [twin(SPECS / "core.grow"), twin(SPECS / "child.grow"), twin(FIXTURES / "fmt/long.grow")]


def broken_up(text: str, share: float, random: Random) -> str:
    """A text with comments, empty lines and other line ends wherever YAML allows them."""

    def chance() -> bool:
        return random.random() < share

    lines = []
    for line in text.split("\n"):
        while chance():
            lines.append(random.choice(["", f"{' ' * random.randrange(9)}# {random.random()}"]))
        parts = line.split(", ") if '"' not in line and "#" not in line and "{" in line else [line]
        line = parts[0]
        for part in parts[1:]:
            gap = random.choice(
                [" ", "  # in\n" + " " * 20, "\n\n" + " " * 20, " # \" '\n# -\n   "]
            )
            line += f",{gap if chance() else ' '}{part}"
        lines.append(f"{line} # {random.random()}" if chance() and "#" not in line else line)
    return "\n".join(lines)


BROKEN_UP = st.builds(
    broken_up,
    st.sampled_from(TWINS),
    st.sampled_from([0.02, 0.1, 0.5]),
    st.integers(0, 2**32).map(Random),
)


@settings(max_examples=examples(60))
@given(BROKEN_UP)
def test_comments_and_line_ends_may_stand_anywhere(text: str) -> None:
    holds(text)
