"""The engine's work is linear in the number of tensors, and both syntaxes have one meaning."""

from __future__ import annotations

from pathlib import Path

import pytest
from exactness.cases import Case, cases, net, report, write
from work import calls

from growlang.checking import check
from growlang.growth.blocks import Deepening, paired
from growlang.growth.choice import Manner
from growlang.growth.engine import Asked, grow
from growlang.syntax.grow import read
from growlang.yaml.convert import to_yaml

WIDENED = Asked(Manner("exact"))
EVENLY = Deepening("interleave")


def grown(depth: int) -> int:
    """The calls that growing a chain in width and depth takes; what is cached is cached before."""
    case = Case("stack", {"depth": depth}, {"depth": 2 * depth, "width": 16})
    parent, child = net(case, "parent").net, net(case, "child").net
    names = [component.name for component in child.components]

    def work() -> None:
        blocks = [paired(child, parent, name, EVENLY) for name in names]
        pairs = {path: pair for found in blocks for path, pair in found.pairs.items()}
        assert grow(child, parent, pairs, dict.fromkeys(names, WIDENED)).transforms

    work()
    return calls(work)


def test_the_work_is_linear_in_the_number_of_tensors() -> None:
    one, two, four = grown(4), grown(8), grown(16)
    assert four - two <= 2.1 * (two - one)


@pytest.mark.parametrize(
    "title", ["depth: depth and width at once, 2 -> 4 and x2", "dwt, idwt: x2"]
)
def test_both_syntaxes_give_the_same_mapping(title: str, tmp_path: Path) -> None:
    case = next(c for c in cases() if c.title == title)
    written = report(case, tmp_path).checked
    twin = tmp_path / "child.grow.yaml"
    document = read(write(case, tmp_path).read_text(), "child.grow").result
    assert document is not None
    twin.write_text(to_yaml(document))
    other = check(twin, case.texts).checked
    assert written and written.mapping and other and other.mapping
    assert [e.transform for e in written.mapping] == [e.transform for e in other.mapping]
    assert written.mapping.verdicts == other.mapping.verdicts
    assert written.spec_hash == other.spec_hash
