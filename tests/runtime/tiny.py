"""Nets, plans and data that are small enough to train in a test."""

import io
import json
import os
import resource
import signal
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from growlang.growth.mapping import Entry, Mapping
from growlang.growth.transforms import Copy, Initialise
from growlang.growth.wording import Reason
from growlang.net import Component, Input, Net, Node, Shape, Tensor, grid
from growlang.ops import Op, Scope
from growlang.ops.attention import Transformer
from growlang.ops.conditions import Words
from growlang.ops.convolution import Residual
from growlang.ops.ends import Patch, Unpatch
from growlang.ops.noise_level import Fourier
from growlang.plans.plan import DRAWS, ParentPlan, Plan
from growlang.spec.data import Resize, Source, WebDataset
from growlang.spec.objectives import Diffusion
from growlang.spec.optimizers import AdamW
from growlang.spec.recipe import Phase, Sample, Settings, Start
from growlang.spec.samplers import DDIM
from growlang.spec.schedules import Cosine
from growlang.torch_backend.tensor_files import tensor_hash
from growlang_runtime.diffusion.objective import Loss
from growlang_runtime.report.metrics import Metrics
from growlang_runtime.storage import checkpoint
from growlang_runtime.train import training
from growlang_runtime.train.batches import Data
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.result import TrainResult
from growlang_runtime.train.step import Stepper

SIZE, WIDTH, TOKENS, VOCABULARY = 8, 8, 4, 32


def node(path: str, op: Op, x: Shape, scope: Scope, inputs: tuple[str, ...]) -> Node:
    """A node of the op at a path, reading `inputs`."""
    tensors = tuple(
        Tensor(f"{path}.{t.name}", t.shape, t.init, t.decay) for t in op.tensors(x, scope)
    )
    component = path.split(".")[0]
    output = op.output(x, scope)
    return Node(path, component, op.call, op.arguments(), inputs, output, tensors, scope=scope)


def net(
    name: str = "tiny", residuals: int = 1, dropout: float = 0.0, ends: int | None = None
) -> Net:
    """A chain for images of 8 x 8 with captions: patches, residuals, a transformer, unpatch.

    Its head ends with the one channel of the image, or with `ends` channels.
    """
    words = Words(width=WIDTH, tokens=TOKENS, vocabulary=VOCABULARY)
    ids = Shape("ids", (TOKENS,))
    scope = Scope(WIDTH, {"text": words.output(ids, Scope())}, 1)
    image = grid(1, SIZE, SIZE)
    scalar = Shape("vector", ())
    nodes = [
        node("text", words, ids, Scope(), ("text.ids",)),
        node("time", Fourier(width=WIDTH), Shape("vector", (1,)), Scope(), ("log_snr",)),
        node("stem.patch.0", Patch(factor=2, width=WIDTH), image, scope, ("image",)),
    ]
    for i in range(residuals):
        op = Residual(width=WIDTH, dropout=dropout)
        nodes.append(
            node(f"stem.residual.{i}", op, nodes[-1].output, scope, (nodes[-1].path, "time"))
        )
    places = Shape("tokens", (16, WIDTH))
    nodes.append(Node("core.tokens.0", "core", "tokens", {}, (nodes[-1].path,), places))
    core = Transformer(width=WIDTH, heads=2, attend=["self", "text"])
    reads = ("core.tokens.0", "time", "text", "text.mask")
    nodes.append(node("core.transformer.0", core, places, scope, reads))
    sides = {"height": 4, "width": 4}
    back = grid(WIDTH, 4, 4)
    nodes.append(Node("head.grid.0", "head", "grid", sides, ("core.transformer.0",), back))
    nodes.append(
        node("head.unpatch.0", Unpatch(factor=2, channels=ends), back, scope, ("head.grid.0",))
    )
    return Net(
        name,
        (
            Input("image", "image", image),
            Input("log_snr", "log_snr", scalar),
            Input("text.ids", "ids", ids, "text"),
            Input("text.mask", "mask", ids, "text"),
        ),
        tuple(nodes),
        tuple(Component(c, image) for c in ("text", "time", "stem", "core", "head")),
        "head.unpatch.0",
        {"text": {"op": "words", **words.arguments()}},
    )


CORE = [name for name in net().table if name.startswith(("core", "text", "time"))]
"""Tensors that a child of the tiny net keeps."""


def settings(**changes: Any) -> Settings:
    """Settings that train 4 images a step on `data.tar`, fast enough to see an effect."""
    source = Source(name="data", data=WebDataset(urls="data.tar", image="png"))
    values: dict[str, Any] = {
        "data": [source],
        "transform": [Resize(size=SIZE, side="both")],
        "objective": Diffusion(schedule=Cosine(base=8)),
        "optimizer": AdamW(lr=1e-2),
        "batch": 4,
    }
    return Settings(**(values | changes))


def phase(name: str = "main", steps: int | None = 4, **changes: Any) -> Phase:
    """A phase; what is no field of it changes its settings."""
    own = {key: changes.pop(key) for key in [*changes] if key in Phase.model_fields}
    return Phase(name=name, steps=steps, settings=settings(**changes), **own)


def plan(
    phases: Iterable[Phase] | None = None,
    model: Net | None = None,
    parent: Plan | None = None,
    **changes: Any,
) -> Plan:
    """A plan for the tiny net; a parent's namesakes of the same shape are copied."""
    child = model or net()
    values: dict[str, Any] = {"start": Start()}
    if parent is not None:
        values["start"] = Start(origin="parent")
        values["parent"] = ParentPlan(
            spec=parent.spec,
            model=parent.model,
            recipe=parent.recipe,
            net=parent.net,
            net_hash=parent.net_hash,
            spec_hash=parent.spec_hash,
        )
        values["mapping"] = mapping(child, parent.child_net())
    values |= {
        "spec": f"{child.name}.grow",
        "source": "grow 1\n",
        "model": child.name,
        "recipe": "main",
        "net": child.to_json(),
        "net_hash": child.net_hash,
        "spec_hash": "0" * 64,
        "phases": list(phases or [phase()]),
        "sample": Sample(sampler=DDIM(steps=2), prompts=["red", "blue sky"]),
        "draws": DRAWS,
    }
    return Plan(**(values | changes))


def mapping(child: Net, parent: Net) -> Mapping:
    """The mapping of a child that keeps every namesake of its parent."""
    rows = ((t, Copy() if t.name in parent.table else Initialise(t.init)) for t in child.tensors())
    return Mapping(tuple(Entry(t.name, row, Reason("test"), t.shape) for t, row in rows))


def train(made: Plan, folder: Path, out: str = "runs", **options: Any) -> TrainResult:
    """Train a plan on the data of a folder, into an output root there."""
    given: dict[str, Any] = {"log_every": 1, **options}
    return training.train(made, RunOptions(data_root=folder, out=folder / out, **given))


@dataclass(frozen=True)
class Held:
    """Tensors in memory that a state is loaded from, as from a checkpoint."""

    held: dict[str, torch.Tensor]

    @property
    def names(self) -> set[str]:
        return {*self.held}

    def tensors(self, prefix: str = "") -> dict[str, torch.Tensor]:
        named = self.held.items()
        return {n.removeprefix(prefix): t for n, t in named if n.startswith(prefix)}

    def fill(self, targets: dict[str, torch.Tensor]) -> None:
        for name, target in targets.items():
            target.copy_(self.held[name])


def metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of metrics of a run."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def state(result: TrainResult) -> dict[str, str]:
    """Hash of every tensor of the newest checkpoint: weights, averages and moments."""
    found, _ = checkpoint.newest(result.run / "checkpoints")
    assert found is not None
    return {name: tensor_hash(tensor) for name, tensor in found.tensors().items()}


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int, number: int = signal.SIGTERM) -> None:
    """Send this process a signal once the metrics of a step are written."""
    write = Metrics.write

    def hit(self: Metrics, **values: Any) -> None:
        write(self, **values)
        if values["step"] == step and "loss" in values:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Metrics, "write", hit)


GRADIENTS = Stepper.gradients


@dataclass(frozen=True)
class Broken(Loss):
    """A loss that is NaN."""

    whole: Loss

    def losses(self, *arguments: Any) -> torch.Tensor:
        return self.whole.losses(*arguments) * float("nan")

    def trained_at(self, u: torch.Tensor) -> torch.Tensor:
        return self.whole.trained_at(u)


def break_steps(monkeypatch: pytest.MonkeyPatch, is_broken: Callable[[int], bool]) -> None:
    """Make the loss of some steps NaN; they are counted from 1 over the runs that follow."""
    done = iter(range(1, 1000))

    def sometimes(
        self: Stepper, data: Data, objective: Loss, *arguments: Any, **named: Any
    ) -> torch.Tensor:
        given = Broken(objective) if is_broken(next(done)) else objective
        return GRADIENTS(self, data, given, *arguments, **named)

    monkeypatch.setattr(Stepper, "gradients", sometimes)


@contextmanager
def full_disk(limit: int | None) -> Iterator[Callable[[int], None]]:
    """Let files grow to `limit` bytes only, or to what the function that is given is told."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def set_limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

    if limit is not None:
        set_limit(limit)
    try:
        yield set_limit
    finally:
        set_limit(soft)


def write_data(folder: Path, count: int = 6, captions: Sequence[bytes] | None = None) -> Path:
    """`data.tar`: images of 8 x 8 in shades of grey, with captions. Returns the folder."""
    texts = captions or [b"shade %d" % i for i in range(count)]
    with tarfile.open(folder / "data.tar", "w") as tar:
        for i, text in enumerate(texts):
            data = io.BytesIO()
            Image.new("L", (SIZE, SIZE), 40 * i).save(data, "png")
            for ending, content in (("png", data.getvalue()), ("txt", text)):
                info = tarfile.TarInfo(f"{i:03d}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return folder
