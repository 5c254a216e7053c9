"""The slots of a model: their options, and an example of each that a model must have."""

from __future__ import annotations

from growlang.signatures.signature import Signature
from growlang.signatures.tables import Table
from growlang.spec.changes import DOWNS, UPS
from growlang.spec.model import CORE_SKIPS, POSITIONS, Slot
from growlang.spec.positions import ROTATED

OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "stage": {"down": tuple(DOWNS), "up": tuple(UPS)},
    "core": {"position": POSITIONS, "skips": CORE_SKIPS},
}
"""Options of the slots, and what each may be."""
CALLED: dict[str, Table[Signature]] = {"down": DOWNS, "up": UPS, "position": ROTATED}
"""What options may call; a bare name is such a call too."""
HOLLOW = Slot.model_construct(at=None, position=None, skips=None, pipe=[None])
"""Stands for a slot that is missing or was refused."""
SLOTS = {
    "stem": "stem patch(4, width)",
    "core": "core @ 16 transformer(width, heads = 16) * 12",
    "head": "head unpatch(4)",
}
"""An example of each slot that a model must have."""
SLOTS_OF_TOKENS = {
    "stem": "stem embed(width)",
    "core": "core transformer(width, heads = 12, causal = true) * 12",
    "head": "head unembed",
}
"""Those of a model of tokens."""
