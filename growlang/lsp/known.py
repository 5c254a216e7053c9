"""What the language has: signatures by the place where they are called, and their help."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from growlang.diagnostics import GrowlangError
from growlang.lsp.context import PIPES, Context
from growlang.net import Component, Net
from growlang.ops import CHANGES, OPS
from growlang.rules import RULES, TRANSITIONS
from growlang.signatures.signature import Signature
from growlang.signatures.tables import Table
from growlang.spec.changes import DOWNS, UPS
from growlang.spec.data import DATA
from growlang.spec.forms import NO_CALLS, choices
from growlang.spec.model import BINDINGS, CONDITIONS
from growlang.spec.objectives import OBJECTIVES
from growlang.spec.optimizers import OPTIMIZERS
from growlang.spec.recipe import MOMENTS, Evaluate, Sample, Settings
from growlang.spec.samplers import SAMPLERS
from growlang.spec.schedules import SCHEDULES

SETTINGS: dict[str, type[Settings] | type[Sample] | type[Evaluate]] = {
    "train": Settings,
    "phase": Settings,
    "sample": Sample,
    "evaluate": Evaluate,
}


EXTENSIBLE: tuple[Table[Signature], ...] = (
    *(OPS, CONDITIONS, DATA),
    *(OBJECTIVES, OPTIMIZERS, SCHEDULES, SAMPLERS),
)
"""Tables to which packages add."""


def signatures(where: Context) -> Table[Signature]:
    """What may be called at a place that is not inside another call."""
    if where.statement == "by":
        return RULES
    if where.section == "model" and where.valued:
        return BINDINGS.get(where.statement, CONDITIONS)
    if where.statement in PIPES or where.section in ("block", "sides"):
        return OPS
    if where.statement in ("data", "validate"):
        return DATA
    if where.section == "train" and where.statement == "moments":
        return MOMENTS
    model = SETTINGS.get(where.section)
    if model and where.statement in model.model_fields:
        return choices(model, where.statement).calls
    return NO_CALLS


@cache
def every() -> dict[str, type[Signature]]:
    """Each signature of the language by its name; a rule of growth as `by NAME`."""
    found: dict[str, type[Signature]] = {
        **DOWNS,
        **UPS,
        **OPS,
        **CHANGES,
        **CONDITIONS,
        **DATA,
        **TRANSITIONS,
        **MOMENTS,
        **{f"by {name}": rule for name, rule in RULES.items()},
    }
    for table in BINDINGS.values():
        found |= table
    todo: list[tuple[type[BaseModel], str]] = [
        (m, n) for m in (*SETTINGS.values(), *RULES.values()) for n in m.model_fields
    ]
    while todo:
        model, name = todo.pop()
        for call, signature in choices(model, name).calls.items():
            if call not in found:
                found[call] = signature
                todo += [(signature, n) for n in signature.model_fields]
    return found


def signature_of(name: str) -> type[Signature] | None:
    """The signature of a name, built in or installed; None of an installed one that fails."""
    return every().get(name) or next(filter(None, (find(t, name) for t in EXTENSIBLE)), None)


def called_in(where: Context, name: str) -> type[Signature] | None:
    """The signature of a name at a place: behind `by`, that of the rule."""
    rule = signature_of(f"by {name}") if where.statement == "by" else None
    return rule or signature_of(name)


def find(calls: Table[Signature], name: str) -> type[Signature] | None:
    """The signature of a name in one table; None of an installed one that fails."""
    with suppress(GrowlangError):
        return calls.find(name)
    return None


def arguments(signature: type[Signature]) -> dict[str, FieldInfo]:
    """The fields of a signature by the names that the language gives them."""
    return {info.alias or name: info for name, info in signature.model_fields.items()}


def spelling(signature: type[Signature]) -> str:
    """The call with its defaults: `residual(width, dropout = 0.0, kernel = 3)`."""
    return f"{signature.call}({', '.join(map(_argument, arguments(signature).items()))})"


def help_of(signature: type[Signature]) -> str:
    """The signature in Markdown: the call, what it does, and its arguments."""
    rows = [f"- `{n}`: {info.description}" for n, info in arguments(signature).items()]
    source = getattr(signature, "source", "")
    text = "\n".join(line.strip() for line in (signature.__doc__ or "").strip().split("\n"))
    parts = [f"```grow\n{spelling(signature)}\n```", text, "\n".join(rows)]
    return "\n\n".join([*filter(None, parts), *([f"*{source}*"] if source else [])])


def described(net: Net, component: Component) -> str:
    """What a component puts out, and its parameters, in Markdown."""
    total = sum(node.parameters for node in net.of(component.name))
    shape = f"{component.output} {component.output.kind}"
    return f"`{component.name.selector}`: **{shape}**, {total:,} parameters"


def _argument(item: tuple[str, FieldInfo]) -> str:
    name, info = item
    return name if info.is_required() else f"{name} = {_value(info)}"


def _value(info: FieldInfo) -> str:
    return shown(info.get_default(call_default_factory=True))


def shown(value: object) -> str:
    """A value as the language spells it."""
    if isinstance(value, Signature):
        return spelling(type(value))
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else str(value)
