"""Predicates of `where`: computed over columns, and written as the language writes them."""

from typing import Any

import numpy as np
import pytest

from growlang.diagnostics import GrowlangError
from growlang_runtime.data.predicates import kept, written

COLUMNS: dict[str, Any] = {
    "width": np.array([100, 600, 512]),
    "height": np.array([900, 512, 10]),
    "caption": np.array(["a cat", "", "dog"]),
}
W, H = ("row", "width"), ("row", "height")


@pytest.mark.parametrize(
    ("where", "text", "rows"),
    [
        ((">=", ("min", W, H), 512), "min(row.width, row.height) >= 512", [1]),
        ([">=", ["max", ["row", "width"], 512], 600], "max(row.width, 512) >= 600", [1]),
        (("<", ("*", W, H), 100_000), "(row.width * row.height) < 100000", [0, 2]),
        (("<=", ("/", W, H), 1.5), "(row.width / row.height) <= 1.5", [0, 1]),
        ((">", ("-", ("+", W, 1), 600), 0), "((row.width + 1) - 600) > 0", [1]),
        (("==", ("-", W), -100), "(- row.width) == -100", [0]),
        (("not", (">", H, 500)), "not (row.height > 500)", [2]),
        (("and", (">", W, 200), (">", H, 200)), "(row.width > 200) and (row.height > 200)", [1]),
        (("or", ("==", W, 100), ("<", H, 20)), "(row.width == 100) or (row.height < 20)", [0, 2]),
        (("!=", ("row", "caption"), ""), 'row.caption != ""', [0, 2]),
        (True, "True", [0, 1, 2]),
    ],
)
def test_rows_that_are_kept(where: Any, text: str, rows: list[int]) -> None:
    assert kept(where, 3, COLUMNS.__getitem__).tolist() == rows
    assert written(where) == text


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (("+", W, 1), r"where\(row.width \+ 1\) gives numbers, not true or false"),
        (("len", W), "`len` is not supported in where"),
        ((">", ("row", "caption"), 3), "cannot evaluate .*: row.caption is a string, but not 3"),
        (("==", W, "a"), 'cannot evaluate .*: "a" is a string, but not row.width'),
        (("+", ("row", "caption"), "a"), 'row.caption and "a" is a string'),
    ],
)
def test_what_is_no_predicate_is_refused(where: Any, message: str) -> None:
    with pytest.raises(GrowlangError, match=message):
        kept(where, 3, COLUMNS.__getitem__)
