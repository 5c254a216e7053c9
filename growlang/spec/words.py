"""Every word of the language and the places where it belongs, taken from the signatures.

What is not known where it stands is either a slip of the fingers or belongs elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Literal, NamedTuple, get_origin

from pydantic import BaseModel

from growlang.diagnostics import Edit, Span
from growlang.diagnostics.spelling import is_slip, nearest
from growlang.ops import CONDITIONS, OPS
from growlang.spec.changes import DOWNS, UPS
from growlang.spec.data import DATA
from growlang.spec.forms import choices, form
from growlang.spec.model import BINDINGS, POSITIONS, RETAINING, WORDS
from growlang.spec.positions import ROTATED
from growlang.spec.recipe import MOMENTS, Evaluate, Sample, Settings
from growlang.syntax.document import Binding, Call
from growlang.syntax.places import STATEMENTS

VALIDATION_SETTINGS = ("validate", "holdout")
"""Settings of a recipe that say what its loss is measured on; either replaces an inherited one."""
RUN_SETTINGS = ("start", "moments", "transition", *VALIDATION_SETTINGS)
"""Settings of a recipe as a whole, which its phases have in common."""
PHASE_SETTINGS = (
    *("data", "batch", "lr", "lr_schedule", "warmup", "rewarm", "ema", "transform", "grad_clip"),
    *("objective", "optimizer"),
)
"""Settings that a phase may change, or has alone."""
SAID = {
    "start": "where the weights come from: `scratch`, `parent`, `parent.ema` or a path",
    "moments": "whether the optimizer's state is carried from the parent",
    "transition": "how the parent's ends are replaced",
    "validate": "held-out data on which the loss is measured while the recipe trains",
    "holdout": "share of the recipe's own data, such as `2%`, that is held out for this instead",
    "lr": "learning rate, instead of the optimizer's",
    "rewarm": "steps over which the learning rate of what is new rises at the phase's start",
}
"""What the settings that are not in `Settings` mean."""
RUN_CHOICES = {
    "start": ("scratch", "parent", "parent.ema"),
    "moments": ("carry", "reset"),
    "transition": ("discard",),
}
"""What the settings of a run may be."""
INITS = ("zero", "identity", "default", "like")
"""What a place may begin as."""


def is_word(binding: Binding) -> bool:
    """Whether a model's binding is one of `WORDS`: `detail = words(...)` is a condition."""
    called = isinstance(binding.value, Call) and binding.name in RETAINING
    return binding.name in WORDS and not called


Form = Literal["name", "call", "word"]
"""How a word is written: bound or given as `word = ...`, called, or alone as a value."""
FORMS: dict[Form, tuple[Form, ...]] = {
    "name": ("name", "call"),
    "call": ("call", "word", "name"),
    "word": ("word", "call"),
}
"""In which form a word may stand elsewhere that is written in one, the likeliest first."""
SHORT = 84
"""Characters of a list of what may stand in a place that is shown beside where a word belongs."""


class Home(NamedTuple):
    """A place where a word belongs: how it is written there, in what, and an example."""

    word: str
    form: Form
    body: str
    """The keyword of what it stands in, such as `train`; empty where that is a call."""
    example: str


class Meant(NamedTuple):
    """What is said of an unknown word, and the edits that write the one that was meant."""

    help: str
    edits: tuple[Edit, ...] = ()


def meant(
    span: Span,
    word: str,
    known: Iterable[str],
    otherwise: str,
    written: Form,
    *,
    body: str = "",
    taken: Collection[str] = (),
    rivals: Iterable[str] = (),
    beyond: str = "",
) -> Meant:
    """What an unknown word was meant to be, or where it belongs; `otherwise` if neither is clear.

    `span` begins with the word; `known` may stand in its place; those that are `taken` stand there
    already, and `rivals` are other names in reach that it may be a slip for. `beyond` is said where
    the word is neither a slip nor belongs elsewhere.
    """
    names = [*known]
    near = nearest(word, names, n=2)
    place = belongs(word, written, body) or ("" if near else _slip_elsewhere(word, written, body))
    slip = bool(near) and is_slip(word, near[0])
    if not near or (place and not slip):
        short = 0 < len(otherwise) < SHORT
        said = f"{otherwise}, or {beyond}" if otherwise and beyond else otherwise
        return Meant(f"{place}; {otherwise}" if place and short else place or said)
    help = f"did you mean `{near[0]}`?" + (f" {place}" if place else "")
    if beyond and not place and not slip:
        help += f" Or {beyond}"
    sure = word not in homes() and is_slip(
        word, near[0], [*names, *rivals], inside=written != "name"
    )
    if near[0] in taken:
        return Meant(f"`{near[0]}` is there already: remove this one")
    if near[1:] and not sure:
        return Meant(help)
    place_of_word = span._replace(end_row=span.row, end_column=span.column + len(word))
    return Meant(help, (Edit(place_of_word, near[0], word, safe=sure),))


def belongs(word: str, written: Form, body: str = "") -> str:
    """Where a word of the language belongs that cannot stand in `body`; empty if there is none."""
    forms = FORMS[written]
    found = [h for h in homes().get(word, ()) if h.form in forms]
    if any(h.form == written and body and h.body == body for h in found):
        return ""
    near = ("for", body) if body in ("train", "phase") else (body,)
    found.sort(key=lambda h: (forms.index(h.form), h.body not in near))
    examples = list(dict.fromkeys(h.example for h in found))
    if not examples:
        return ""
    shown = [*examples[:2], "others"] if examples[2:] else examples
    return f"`{word}` belongs in {', '.join(shown[:-1])}{' or ' * bool(shown[1:])}{shown[-1]}"


def _slip_elsewhere(word: str, written: Form, body: str) -> str:
    """Where a word belongs that is spelt nearly so, and is no word of the language as it is."""
    if word in homes() or len(word) <= 3:
        return ""
    near = nearest(word, _written_as(written), cutoff=0.8)
    place = belongs(near[0], written, body) if near else ""
    return f"did you mean `{near[0]}`? {place}" if place else ""


@cache
def _written_as(form: Form) -> tuple[str, ...]:
    """The words that are written in a form somewhere."""
    return tuple(word for word, found in homes().items() if any(h.form == form for h in found))


@cache
def homes() -> dict[str, tuple[Home, ...]]:
    """The places of each word of the language."""
    found: dict[str, tuple[Home, ...]] = {}
    for home in (*_settings(), *_model(), *_data(), *_growth(), *_statements()):
        found[home.word] = (*found.get(home.word, ()), home)
    return found


def _statements() -> Iterator[Home]:
    for word, (body, example) in STATEMENTS.items():
        yield Home(word, "name", body or "file", f"`{example}`")


def _settings() -> Iterator[Home]:
    """Settings of recipes, phases and sections, and what they may be."""
    from growlang.rules import TRANSITIONS

    for model, body in ((Settings, "train"), (Sample, "sample"), (Evaluate, "evaluate")):
        for home in _fields(model, "%s", body):
            outer = home.example.replace("`", "")
            own = home.form == "name" and home.body == body
            yield home._replace(example=f"`{body} {{ {outer} }}`") if own else home
    for name, words in RUN_CHOICES.items():
        yield Home(name, "name", "train", f"`train {{ {name} = {words[0]} }}`")
        yield from (Home(word, "word", "train", f"`{name} = {word}`") for word in words)
    yield Home("validate", "name", "train", "`train { validate = NAME }`")
    yield Home("holdout", "name", "train", "`train { holdout = 2% }`")
    for call in TRANSITIONS:
        yield Home(call, "call", "train", f"`transition = {call}(...)`")
    for call, signature in MOMENTS.items():
        yield Home(call, "call", "train", f"`moments = {call}(...)`")
        yield from _fields(signature, f"moments = {call}(%s)", "train")
    for unit in ("epochs", "images"):
        yield Home(unit, "call", "for", f"`phase NAME for {unit}(N)`")
        yield Home(unit, "name", "for", f"`phase NAME for {unit}(N)`")
    for alone in ("lr", "rewarm"):
        yield Home(alone, "name", "phase", f"`phase NAME for 10k {{ {alone} = ... }}`")
    yield Home("steps", "name", "for", "`phase NAME for 10k`")
    yield Home("steps", "call", "for", "`phase NAME for 10k`")


def _fields(model: type[BaseModel], template: str, body: str = "") -> Iterator[Home]:
    """The arguments of a signature in a template such as `adamw(%s)`, and their choices."""
    for name, (field, info) in form(model).fields.items():
        yield Home(name, "name", body, f"`{template % f'{name} = ...'}`")
        allowed = choices(model, field)
        value = f"{name} = [%s]" if get_origin(info.annotation) is list else f"{name} = %s"
        inside = template % value
        if allowed.itself:
            yield Home("self", "word", "", f"`{inside % 'self, ...'}`")
        yield from (Home(word, "word", body, f"`{inside % word}`") for word in allowed.words)
        for call, signature in allowed.calls.items():
            yield Home(call, "call", body, f"`{inside % f'{call}(...)'}`")
            yield from _fields(signature, inside % f"{call}(%s)")


def _model() -> Iterator[Home]:
    """Bindings, conditions, ops and options of a model."""
    for name, table in BINDINGS.items():
        call, signature = next(iter(table.items()))
        yield Home(name, "name", "model", f"`model NAME {{ {name} = {call}(...) }}`")
        yield Home(call, "call", "model", f"`{name} = {call}(...)`")
        yield from _fields(signature, f"{call}(%s)")
    for name, words in WORDS.items():
        yield Home(name, "name", "model", f"`model NAME {{ {name} = {words[0]} }}`")
        yield from (Home(word, "word", "model", f"`{name} = {word}`") for word in words)
    for call, condition in CONDITIONS.items():
        yield Home(call, "call", "model", f"`NAME = {call}(...)` in a model")
        yield from _fields(condition, f"{call}(%s)")
    for call, op in OPS.items():
        yield Home(call, "call", "pipe", f"a pipe, such as `stem {call}`")
        yield from _fields(op, f"{call}(%s)")
    for side, changes in (("down", DOWNS), ("up", UPS)):
        yield Home(side, "name", "stage", f"`stage @ 32 ({side} = {side})`")
        yield from (Home(c, "word", "stage", f"`stage @ 32 ({side} = {c})`") for c in changes)
        for call, change in changes.items():
            yield from _fields(change, f"stage @ 32 ({side} = {call}(%s))")
    yield Home("position", "name", "core", "`core @ 16 (position = sincos)`")
    yield Home("skips", "name", "core", "`core (skips = long)`")
    yield Home("prepend", "name", "core", "`core (prepend = [label]) ...`")
    yield Home(
        "prepend_times", "name", "core", "`core (prepend = [label], prepend_times = 32) ...`"
    )
    yield Home("prepend_at", "name", "core", "`core (prepend = [label], prepend_at = 4) ...`")
    for word in POSITIONS:
        yield Home(word, "word", "core", f"`core @ 16 (position = {word})`")
    for call, rotated in ROTATED.items():
        yield from _fields(rotated, f"core @ 16 (position = {call}(%s))")


def _data() -> Iterator[Home]:
    for call, signature in DATA.items():
        yield Home(call, "call", "data", f"`data NAME = {call}(...)`")
        yield from _fields(signature, f"{call}(%s)")
    yield Home("mix", "call", "data", "`data NAME = mix(A = 0.8, B = 0.2)`")
    yield Home("where", "call", "data", "`data NAME = OTHER.where(row.width >= 512)`")


def _growth() -> Iterator[Home]:
    from growlang.rules import RULES

    for call, signature in RULES.items():
        yield Home(call, "call", "grow", f"`grow core by {call}(...)`")
        yield from _fields(signature, f"grow core by {call}(%s)")
    for word in INITS[:-1]:
        yield Home(word, "word", "init", f"`init SELECTOR = {word}`")
