"""Samples of text during training: the same prompts and seeds every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from growlang.net import Net
from growlang.plans.plan import Plan
from growlang.torch_backend.lower import LoweredNet
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.data.mix import Mix
from growlang_runtime.data.sequences import Sequences
from growlang_runtime.diffusion.objective import Loss, with_weights
from growlang_runtime.language.continuing import Prompted, continued
from growlang_runtime.report.prompts import stated_prompts
from growlang_runtime.storage.files import save_text


class TextPreviews:
    """What a run writes of its model of tokens. Raises GrowlangError for unreadable prompts."""

    ending = "txt"
    warnings: Sequence[str] = ()

    def __init__(
        self, plan: Plan, net: Net, conditioner: Conditioner, mix: Mix, data_root: Path
    ) -> None:
        assert isinstance(mix, Sequences)
        self.net, self.conditioner, self.tokenizer = net, conditioner, mix.tokenizer
        self.prompts = stated_prompts(plan.sample, data_root) or [""]
        self.seed = plan.phases[0].settings.seed
        read = {"prompts": self.prompts} if plan.sample.prompts else {}
        self.sample = plan.sample.model_copy(update=read)
        """As the plan says, with the lines of a file of prompts: what sampling needs later."""

    def draw(
        self, module: LoweredNet, weights: Mapping[str, Tensor], objective: Loss, path: Path | None
    ) -> bool:
        """Write what `weights` continue to `path`, unless it is there already; returns True.

        None writes nothing: where the weights are sharded, all processes have to draw.
        """
        if path is not None and path.exists():
            return True
        device = next(iter(weights.values())).device
        averaged = with_weights(module, weights)
        asked = [Prompted(text, place, self.seed) for place, text in enumerate(self.prompts)]
        texts = continued(averaged, self.net, self.tokenizer, asked, self.sample, device)
        if path is not None:
            path.parent.mkdir(exist_ok=True)  # the run's folder may have been copied without it
            save_text(path, shown(self.prompts, texts))
        return True


def shown(prompts: Sequence[str], texts: Sequence[str]) -> str:
    """Prompts, each with what follows it, an empty line between them."""
    both = zip(prompts, texts, strict=True)
    return "\n".join(f"{prompt}{text}".rstrip("\n") + "\n" for prompt, text in both)
