"""Sample grids during training: the same prompts and seeds every time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from growlang.net import Net
from growlang.plans.plan import Plan
from growlang.torch_backend.lower import LoweredNet
from growlang_runtime.conditioning.conditioner import Conditioner
from growlang_runtime.conditioning.readings import about_prompts
from growlang_runtime.data.latents import Latents
from growlang_runtime.data.mix import Mix
from growlang_runtime.diffusion.objective import Loss, Objective, with_weights
from growlang_runtime.diffusion.sampling import Request, generate
from growlang_runtime.report.grids import write_grid
from growlang_runtime.report.prompts import chosen_prompts


class Previews:
    """The grids of a run. Raises GrowlangError for prompts that cannot be read or encoded."""

    ending = "png"

    def __init__(
        self, plan: Plan, net: Net, conditioner: Conditioner, images: Mix, data_root: Path
    ) -> None:
        self.net, self.conditioner = net, conditioner
        self.vae = images.vae if isinstance(images, Latents) else None
        self.seed = plan.phases[0].settings.seed
        self.prompts = chosen_prompts(plan.sample, conditioner, images, data_root)
        encoded = self.prompts.read(conditioner)
        self.inputs = encoded.inputs
        self.warnings = about_prompts([encoded.readings]) if plan.sample.prompts else []
        """What the conditions cut of the spec's prompts, a line for each."""
        read = {"prompts": self.prompts.texts()} if plan.sample.prompts else {}
        self.sample = plan.sample.model_copy(update=read)
        """As the plan says, with the lines of a file of prompts: what sampling needs later."""

    def draw(
        self,
        module: LoweredNet,
        weights: Mapping[str, Tensor],
        objective: Loss,
        path: Path | None,
    ) -> bool:
        """Write the grid that `weights` give to `path`, unless it is there already.

        None writes nothing: where the weights are sharded, all processes have to draw. Returns
        whether all of it is finite.
        """
        if path is not None and path.exists():
            return True
        assert isinstance(objective, Objective)
        texts = self.prompts.texts()
        null, indices = self.conditioner.null(len(texts)), range(len(texts))
        request = Request.of(self.sample, self.inputs, null, indices, self.seed)
        device = next(iter(weights.values())).device
        averaged = with_weights(module, weights)
        drawn = generate(averaged, self.net, objective, self.sample.sampler, request, device)
        if path is not None:
            drawn = drawn if self.vae is None else self.vae.decoded(drawn)
            path.parent.mkdir(exist_ok=True)  # the run's folder may have been copied without it
            write_grid(drawn, texts, path)
        return bool(drawn.isfinite().all())
