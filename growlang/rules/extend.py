"""More rows."""

from typing import Literal

from growlang.rules.base import Rule
from growlang.signatures.signature import argument


class Extend(Rule):
    """More words, classes, tokens of a condition or channels of it, or a condition that is new.

    `exact` is exact for

    - `words` with a whole multiple of the vocabulary: a word's new row is a copy of its old one
      (of other sizes, words are hashed to other rows);
    - `classes`, `embed` and `unembed`: what was known gives what it gave, and the old logits are
      the same; probabilities change with the new ones;
    - more tokens of a condition, which are masked where a caption ends;
    - a condition of another width, whose new channels are read by zeros;
    - a new condition, whose sublayers add nothing at first.

    New rows are drawn with `random`, and are the mean of the old ones with `mean` (Hewitt 2021).
    """

    call = "extend"
    listed = 5
    order = 2
    gives = "many rows, tokens and conditions"
    source = "arXiv 0902.2206 (hashed words), Hewitt 2021 (means)"
    how: Literal["exact", "random", "mean"] = argument(
        "`exact`: what was known computes the same, or refused; new rows are drawn at `random`, or "
        "are the `mean` of the old ones",
        "exact",
    )
