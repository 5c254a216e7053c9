"""What two objectives differ in that decides how the output of trained weights is to be read."""

from __future__ import annotations

from growlang.signatures.signature import Signature
from growlang.spec.recipe import Diffusion


def meaning_changes(old: Diffusion, new: Diffusion) -> tuple[str, ...]:
    """The changes of prediction and noise schedule; another weight of the loss changes neither."""
    changes = []
    if old.predict != new.predict:
        changes.append(f"the prediction changes from {old.predict} to {new.predict}")
    if old.schedule != new.schedule:
        was, now = written(old.schedule), written(new.schedule)
        changes.append(f"the noise schedule changes from {was} to {now}")
    return tuple(changes)


def written(call: Signature) -> str:
    """A call as the language writes it, with the arguments that are not at their default."""
    default = {
        name: info.get_default(call_default_factory=True)
        for name, info in type(call).model_fields.items()
    }
    said = [
        f"{name} = {value}"
        for name, value in ((n, getattr(call, n)) for n in default)
        if value != default[name]
    ]
    return f"{call.call}({', '.join(said)})"
