"""What a rule of growth declares: its signature, where it is called, and when it is applied."""

from typing import ClassVar, Literal

from growlang.signatures.signature import Signature


class Rule(Signature):
    """Base of what makes a child of a parent other than by copying.

    The new declaration of a component gives the numbers, and its rules say how they are reached.
    Several rules may grow one component: they are applied by their `order`, however they are
    written, and are together one transform of each tensor:

    1. `resize`: positions and filters of patches, on the parent's grid;
    2. `extend`: rows for new words, classes and tokens, and new conditions;
    3. `heads`: more heads, each as wide as before;
    4. `widen`: all that is left of the widths, of which heads are a part;
    5. `deepen`: last, so that what a new block copies is as large as it is.
    """

    called_as: ClassVar[Literal["by", "transition"]] = "by"
    """Behind `grow SELECTOR by`, or as a recipe's `transition`, whose default is `discard`."""
    order: ClassVar[int] = 0
    """When it is applied among the rules of one component, the least first; no two are equal."""
    gives: ClassVar[str] = ""
    """What a component has more of where the rule has something to do: `many repeats`."""
    source: ClassVar[str] = ""
    """Where the rule is published."""
