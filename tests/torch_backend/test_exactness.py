"""The table of exactness, row by row, in float64 with random weights, gates and biases included.

What is called exact computes what its parent does, and its gradients are the parent's by T^T; what
is refused as inexact would not.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from exactness.cases import Case, cases
from exactness.measure import measured

ROWS = cases()
EXACT = 1e-10


@pytest.mark.parametrize("case", ROWS, ids=[case.title for case in ROWS])
def test_a_row_of_the_table(case: Case, tmp_path: Path) -> None:
    found = measured(case, tmp_path)
    assert found.verdict == case.expected, str(found.report)
    codes = {d.code for d in found.report.diagnostics}
    match case.expected:
        case "exact":
            assert found.error is not None and found.error < EXACT
            assert found.gradient is not None and found.gradient < EXACT
            assert codes == set()
        case "impossible":
            assert codes == {"G321"}
            assert found.error is None
        case _:
            assert found.error is not None and case.above <= found.error <= case.below
            promised = case.by.startswith(("widen(exact)", "extend(exact)"))
            refused = promised and case.expected in ("inexact", "dead")
            assert codes == ({"G320"} if refused else set())


def test_the_rows_have_names_of_their_own() -> None:
    assert len({case.title for case in ROWS}) == len(ROWS)
