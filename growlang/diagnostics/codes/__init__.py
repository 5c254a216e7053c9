"""The table of diagnostic codes: name, severity and meaning of each."""

from __future__ import annotations

from growlang.diagnostics.codes.code import Code
from growlang.diagnostics.codes.growth import GROWTH
from growlang.diagnostics.codes.language import LANGUAGE
from growlang.diagnostics.codes.models import MODELS
from growlang.diagnostics.codes.training import TRAINING

__all__ = ["CODES", "FAMILIES", "Code"]

FAMILIES = {
    "G0": "Syntax",
    "G1": "Names and imports",
    "G2": "Shapes and arguments",
    "G3": "Growth and mapping",
    "G4": "Schedule",
    "G5": "Data and environment",
    "G9": "Internal",
}
"""What the codes that begin alike are about."""

CODES = {**LANGUAGE, **MODELS, **GROWTH, **TRAINING}
