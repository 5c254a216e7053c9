"""The table of diagnostic codes: name, severity and meaning of each."""

from __future__ import annotations

from typing import NamedTuple

from growlang.diagnostics import Severity


class Code(NamedTuple):
    """One kind of finding. `name` is stable, like the code itself."""

    name: str
    meaning: str
    severity: Severity = "error"


CODES = {
    "G001": Code("syntax", "The text does not follow the grammar."),
    "G002": Code("edition", "The file does not begin with an edition that is known."),
    "G003": Code("bad-token", "A character, number, name or string is malformed."),
    "G101": Code("unknown-name", "A name is used that nothing binds."),
    "G102": Code("duplicate-name", "The same name is bound twice in one place."),
    "G103": Code("unreadable-file", "A parent or an imported file cannot be read."),
    "G104": Code("cycle", "Files, params or blocks refer to each other in a circle."),
    "G105": Code("shadowed-choice", "A name in scope is also a choice of the argument."),
    "G106": Code("unknown-call", "An op, block, encoder or other call does not exist."),
    "G107": Code("unknown-setting", "A setting, option or model binding does not exist."),
    "G108": Code("unused", "A param, import, block or data is bound and not used.", "warning"),
    "G201": Code("bad-value", "A value has the wrong type or is out of range."),
    "G202": Code("missing-argument", "A required argument is not given."),
    "G203": Code("unknown-argument", "A call has no argument of that name, or too many."),
    "G204": Code("resolution", "Resolutions of two places do not meet."),
    "G205": Code("width", "Widths of two places do not meet."),
    "G206": Code("skips", "Encode and decode sides have different numbers of skips."),
    "G207": Code("heads", "The number of heads does not divide the width."),
    "G208": Code("attend", "A name in `attend` is not a condition of the model."),
    "G209": Code("stage-order", "Stages do not fall strictly to the core."),
    "G210": Code("missing-slot", "A model lacks its image, stem, core or head."),
    "G211": Code("not-available", "The language has it; this version cannot build it yet."),
    "G301": Code("unaccounted", "A component of the parent is neither kept, dropped nor moved."),
    "G302": Code("kept-differs", "A kept component would not have the parent's tensors."),
    "G303": Code("kept-and-declared", "A component is kept and declared anew."),
    "G304": Code("no-such-component", "A growth statement names nothing in the parent."),
    "G305": Code("moved-differs", "Moved tensors do not fit their new place."),
    "G306": Code("accounted-twice", "Two growth statements speak of the same component."),
    "G307": Code("no-parent", "A growth statement stands in a model without a parent."),
    "G310": Code("orphaned", "A change would orphan the weights trained from the spec before it."),
    "G311": Code("recomputed", "A change keeps every tensor but not what is computed with it."),
    "G401": Code("all-frozen", "A phase freezes every tensor."),
    "G402": Code("empty-selector", "A selector matches nothing."),
    "G403": Code("no-phases", "A recipe has no phases."),
    "G404": Code("missing-setting", "A recipe lacks a setting that has no default."),
    "G405": Code("bad-start", "The recipe cannot start where it says."),
}
