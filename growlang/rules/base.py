"""What a rule of growth declares: its signature, and where it is called."""

from typing import ClassVar, Literal

from growlang.signatures.signature import Signature


class Rule(Signature):
    """Base of what makes a child of a parent other than by copying.

    This version checks how rules are written and cannot apply them yet.
    """

    called_as: ClassVar[Literal["by", "transition"]] = "by"
    """Behind `grow SELECTOR by`, or as a recipe's `transition`, whose default is `discard`."""
