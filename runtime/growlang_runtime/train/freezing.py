"""Freezing tensors by name, and checking by hashes that they did not change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from torch import Tensor, nn

from growlang.diagnostics import GrowlangError
from growlang.spec.recipe import Phase
from growlang.torch_backend.shards import whole
from growlang.torch_backend.tensor_files import hash_of, tensor_hash
from growlang_runtime.report.display import Display
from growlang_runtime.report.metrics import Metrics


def freeze(module: nn.Module, frozen: Collection[str]) -> None:
    """Train all tensors but `frozen`, which get no gradient; gradients still flow through them.

    Raises GrowlangError if that leaves nothing to train.
    """
    for name, weight in module.named_parameters():
        weight.requires_grad_(name not in frozen)
        weight.grad = None
    if not any(weight.requires_grad for weight in module.parameters()):
        raise GrowlangError(
            "all tensors of the model are frozen, so there is nothing to train",
            help="freeze less: `freeze all except ...`",
        )
    training_mode(module)


def training_mode(module: nn.Module) -> None:
    """Let modules train, but those whose tensors are all frozen run without dropout."""
    module.train()
    for part in module.modules():
        weights = list(part.parameters())
        if weights and not any(w.requires_grad for w in weights):
            part.eval()


def hashes(weights: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each named tensor; of a sharded one, of the whole, which all ask for."""
    return {name: tensor_hash(whole(weights[name])) for name in sorted(names)}


def require_unchanged(phase: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Raise GrowlangError if a frozen tensor's hash changed since the phase began."""
    changed = [name for name in before if after.get(name) != before[name]]
    if changed:
        listed = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")
        raise GrowlangError(
            f"{len(changed)} of {len(before)} frozen tensors changed in phase {phase}: {listed}",
            help="the run stopped before saving them; continue from the newest checkpoint with "
            "--resume, and report this if it happens again",
        )


class Proof:
    """That frozen tensors do not change: they are hashed where a phase begins and where it ends.

    All processes call it together.
    """

    def __init__(self, weights: Mapping[str, Tensor], metrics: Metrics, display: Display) -> None:
        self.weights, self.metrics, self.display = weights, metrics, display
        self.hashes: dict[str, str] = {}
        """Of the tensors that are frozen in the phase that is under way, by name."""

    def begin(self, phase: Phase, step: int, *, goes_on: bool) -> None:
        """Hash what a phase freezes. Raises GrowlangError if it `goes_on` and they changed."""
        found = hashes(self.weights, phase.frozen)
        if goes_on:
            require_unchanged(phase.name, self.hashes, found)
        self.hashes = found
        self._record(phase, step, "start")

    def end(self, phase: Phase, step: int) -> None:
        """Raise GrowlangError if what the phase froze has changed."""
        require_unchanged(phase.name, self.hashes, hashes(self.weights, phase.frozen))
        self._record(phase, step, "end")
        if count := len(self.hashes):
            self.display.say(
                f"phase {phase.name}: {count} frozen tensors are unchanged, "
                f"sha256 {hash_of(self.hashes)[:16]}"
            )

    def _record(self, phase: Phase, step: int, when: str) -> None:
        """Write the hash of all of them to the metrics, if there are any."""
        if count := len(self.hashes):
            self.metrics.write(
                step=step,
                event="frozen",
                phase=phase.name,
                at=when,
                tensors=count,
                sha256=hash_of(self.hashes),
            )
