"""From the function of the parent to that of the child."""

from growlang.rules.base import Rule
from growlang.signatures.signature import argument


class Bridge(Rule):
    """A transition that starts as the parent's function and fades to the child's."""

    call = "bridge"
    called_as = "transition"
    for_: int = argument("steps of the fade", alias="for", ge=1)
