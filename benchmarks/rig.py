"""A real run that is ready to train, on images that are drawn for it, and the same loop by hand."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks.measuring import ROOT
from growlang.checking import check
from growlang.planning import plan as planned
from growlang.plans.plan import Plan
from growlang.spec.recipe import Settings
from growlang_runtime.diffusion.noise import alpha, noisy, over_pixels, sigma
from growlang_runtime.diffusion.objective import Objective, objective_of
from growlang_runtime.report.board import open_boards
from growlang_runtime.storage.run import Run
from growlang_runtime.storage.status import StatusFile
from growlang_runtime.train.batches import Data, StepBatch, step_batches
from growlang_runtime.train.freezing import freeze
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.setup import set_up
from growlang_runtime.train.trainer import Trainer

WORDS = ["red", "green", "blue", "large", "small", "bright", "dark", "square", "round"]
BETAS, EPS = (0.9, 0.99), 1e-8


def write_images(folder: Path, count: int, side: int) -> None:
    """JPEG files of noise with captions, in `pictures`."""
    random = np.random.default_rng(0)
    pictures = folder / "pictures"
    pictures.mkdir()
    for number in range(count):
        pixels = random.integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(pixels).save(pictures / f"{number:05d}.jpg", quality=90)
        words = " ".join(random.choice(WORDS, 4))
        (pictures / f"{number:05d}.txt").write_text(words)


def plan_of(spec: str, params: Mapping[str, str], spoken: str | None = None) -> Plan:
    """The plan of a benchmark's spec. Raises RuntimeError if it has findings."""
    report = check(ROOT / "benchmarks" / spec, dict(params))
    if report.checked is None:
        raise RuntimeError(f"{spec} has findings")
    return planned(report.checked, spoken)


@dataclass
class Rig:
    """A trainer at its first step, and the data of its phase."""

    trainer: Trainer
    data: Data
    objective: Objective

    def batches(self) -> Generator[StepBatch]:
        """The batches of the phase as the run reads them."""
        trainer = self.trainer
        return step_batches(
            self.data,
            trainer.previews.conditioner,
            trainer.step,
            trainer.options.workers,
            trainer.device,
        )

    def some(self, count: int) -> list[StepBatch]:
        """A few batches that are on the device already."""
        with closing(self.batches()) as batches:
            return [next(batches) for _ in range(count)]

    def step(self, batch: StepBatch) -> None:
        """One step of the run."""
        self.trainer._step(self.data, self.objective, batch)

    def wait(self) -> None:
        """Wait until the device has computed everything."""
        self.trainer._settle()
        wait_for(self.trainer.device)


def wait_for(device: torch.device) -> None:
    """Wait until a device has computed everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def rig(plan: Plan, folder: Path, options: RunOptions, phase: int = 0) -> Iterator[Rig]:
    """A trainer of a plan that is at the beginning of a phase."""
    device = torch.device(options.device)
    setup = set_up(plan, options, folder, device)
    with (
        TemporaryDirectory(dir=folder) as place,
        Run.create(Path(place) / "run", setup.plan) as run,
    ):
        trainer = Trainer(run, setup, options, StatusFile(run.path, 0, ""))
        data = setup.data[phase]
        trainer.step = data.span.first
        trainer.board = open_boards(run.path, 1, setup.plan, (), lambda text: None)
        freeze(setup.module, frozenset(data.phase.frozen))
        trainer.stepper.begin_phase()
        objective = objective_of(data.phase.settings.objective, setup.net)
        with trainer.board, trainer.background:
            yield Rig(trainer, data, objective)


def decay_of(settings: Settings) -> float:
    """The constant decay of the average. Raises TypeError for another average."""
    if not isinstance(settings.ema, float):
        raise TypeError(f"a hand-written step has no average `{settings.ema}`")
    return settings.ema


class Handwritten:
    """What a user of PyTorch would write: the loop of one net, with what its recipe asks for."""

    def __init__(self, rig: Rig, module: nn.Module) -> None:
        trainer, settings = rig.trainer, rig.data.phase.settings
        self.rig, self.device = rig, trainer.device
        self.module = module
        self.bf16 = settings.precision == "bf16"
        trained = [p for p in self.module.parameters() if p.requires_grad]
        self.clip, self.decay = settings.grad_clip, decay_of(settings)
        self.optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=BETAS, eps=EPS, fused=True)
        self.weights = [p.detach() for p in self.module.parameters()]
        self.averages = [p.clone() for p in self.weights]
        self.trained = trained

    def step(self, batch: StepBatch) -> None:
        """One step: noise, forward in bf16 or fp32, the error of v, backward, clip, update, EMA."""
        x = batch.x
        t = torch.rand(len(x), device=self.device)
        log_snr = -2 * torch.log(torch.tan(0.01 + t * (torch.pi / 2 - 0.02)))
        eps = torch.randn_like(x)
        a, s = over_pixels(alpha(log_snr), x), over_pixels(sigma(log_snr), x)
        inputs = {"image": noisy(x, eps, log_snr), "log_snr": log_snr, **batch.conditions}
        named = [inputs.get(i.name) for i in self.rig.trainer.net.inputs]
        with torch.autocast(self.device.type, torch.bfloat16, self.bf16):
            out: Tensor = self.module(*named)
        loss = (out.float() - (a * eps - s * x)).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.trained, self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        torch._foreach_lerp_(self.averages, self.weights, 1 - self.decay)


def blocks(
    steps: Callable[[], None], others: Callable[[], None], count: int, clock: Callable[..., float]
) -> list[tuple[float, float]]:
    """Seconds of both, in turn, each first in every other pair."""
    pairs = []
    for i in range(count):
        if i % 2:
            b, a = clock(others), clock(steps)
        else:
            a, b = clock(steps), clock(others)
        pairs.append((a, b))
    return pairs
