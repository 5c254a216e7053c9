"""`diff --only`: the part of a mapping that categories and selectors name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from growlang.applying import Mapping
from growlang.diagnostics import GrowlangError
from growlang.diagnostics.spelling import nearest
from growlang.growth.mapping import CATEGORIES
from growlang.net import ComponentName
from growlang.spec.selectors import Places
from growlang.syntax import document as d
from growlang.syntax import grow

MEANT = {"kept": ("copied", "retained"), "new": ("initialised", "reinitialised")}
"""Words for several categories."""


def narrowed(mapping: Mapping, only: Sequence[str], components: Iterable[ComponentName]) -> Mapping:
    """The entries that are of one of the categories and of one of the selectors that `only` has.

    Where it has none of a kind, that kind leaves nothing out. `components` are those of both nets.
    Raises GrowlangError for what is neither a category nor names anything.
    """
    known = list(dict.fromkeys(components))
    categories: set[str] = set()
    chosen: set[str] = set()
    places = Places(known, [entry.name for entry in mapping])
    selectors = False
    for text in only:
        word = text.strip()
        if word in MEANT or word in CATEGORIES:
            categories.update(MEANT.get(word, (word,)))
            continue
        chosen |= _matching(word, places)
        selectors = True
    entries = tuple(
        entry
        for entry in mapping
        if (not categories or entry.category in categories)
        and (not selectors or entry.name in chosen)
    )
    touched = {entry.component for entry in entries}
    verdicts = tuple(v for v in mapping.verdicts if v.place in touched)
    return replace(mapping, entries=entries, verdicts=verdicts)


def _matching(text: str, places: Places) -> frozenset[str]:
    """What a selector, or several, names. Raises GrowlangError where one names nothing."""
    document = grow.read(f"grow 1 model m {{ keep {text} }}", "--only").result
    statements = document.models[0].statements if document and document.models else ()
    if len(statements) != 1 or not isinstance(statements[0], d.Verb):
        raise _unknown(text, places)
    selection = statements[0].selection
    for selector in (*selection.included, *selection.excluded):
        if not places.matching(selector):
            raise _unknown(text, places)
    return places.chosen(selection)


def _unknown(text: str, places: Places) -> GrowlangError:
    words = [*CATEGORIES, *MEANT]
    components = [component.selector for component in places.components]
    close = nearest(text, [*words, *components])
    meant = f"did you mean `{close[0]}`? " if close else ""
    return GrowlangError(
        f"`--only {text}` is neither a category nor a selector of these nets",
        help=f"{meant}categories: {', '.join(words)}; components: {', '.join(components)}",
    )
