"""The evaluation of a run's weights: what `growlang evaluate` does, and training now and then."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from growlang.diagnostics import GrowlangError
from growlang.net import digest
from growlang.plans.plan import Plan
from growlang.plans.weights_header import EVALUATIONS, run_of
from growlang.signatures.canonical import canonical
from growlang.signatures.installed import attribute
from growlang.spec.metrics import Metric
from growlang.spec.recipe import Evaluate, Sample
from growlang.torch_backend.device import open_device
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.evaluation.drawing import Drawing, drawn
from growlang_runtime.evaluation.kept import Kept, features_cache
from growlang_runtime.evaluation.needed import (
    PROMPTS,
    checks_of,
    require_all,
    require_enough,
)
from growlang_runtime.evaluation.pictures import Pictures
from growlang_runtime.evaluation.reference import Reference, open_reference
from growlang_runtime.evaluation.result import Evaluation, Result
from growlang_runtime.evaluation.subject import Measured, Subject
from growlang_runtime.report.display import Display
from growlang_runtime.report.prompts import own_prompts, read_prompts
from growlang_runtime.sample import requested
from growlang_runtime.storage.files import save_text
from growlang_runtime.storage.place import place_of
from growlang_runtime.storage.run import recorded_plan
from growlang_runtime.storage.weights import Weights, load

IMAGES = "images"
"""The folder of the images that evaluations were made of, in that of the evaluations."""
FULL = "free disk space, and evaluate again: it goes on where it was"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is said of an evaluation beside the spec; None leaves what the spec says."""

    said: Evaluate | None = None
    """The `evaluate` of another spec, instead of the run's."""
    metrics: tuple[Metric, ...] | None = None
    prompts: Path | None = None
    count: int | None = None
    reference: str | None = None
    seed: int | None = None
    guidance: tuple[float, ...] = ()
    """Values of guidance, each an evaluation of its own."""
    steps: int | None = None
    ema: bool | int = True
    data_root: Path | None = None
    device: str = "cpu"
    batch: int = 16
    quiet: bool = False


@dataclass(frozen=True)
class Bench:
    """What the evaluations of one plan have in common: settings, prompts, real images."""

    plan: Plan
    settings: Evaluate
    reference: Reference | None
    data_root: Path
    device: torch.device
    batch: int
    say: Callable[[str], None]

    @staticmethod
    def of(
        plan: Plan,
        settings: Evaluate,
        data_root: Path,
        device: torch.device,
        batch: int,
        say: Callable[[str], None],
    ) -> Bench:
        """Open the references. Raises GrowlangError with all that the metrics lack."""
        found: list[Reference] = []
        drawing = [metric for metric in settings.metrics if metric.draws]
        if drawing and (label := plan.child_net().predicts):
            raise GrowlangError(
                f"`{drawing[0].call}` measures images, and the model predicts `{label}`",
                help="measure `accuracy` and `held_out_loss`",
            )

        def references() -> None:
            kept = Kept(features_cache())
            found.append(
                open_reference(plan, plan.child_net(), settings.reference, data_root, kept)
            )

        def enough(metric: Metric) -> None:
            for reference in found:
                require_enough(metric, settings.count, len(reference.pictures))

        require_all(
            [
                *checks_of(plan, settings, data_root),
                *([references] if drawing else []),
                *(partial(enough, metric) for metric in drawing),
            ]
        )
        for text in (text for reference in found for text in reference.warnings):
            say(f"warning: {text}")
        reference = found[0] if found else None
        return Bench(plan, settings, reference, data_root, device, batch, say)

    def evaluate(
        self,
        weights: Weights,
        asked: Sample,
        place: str,
        folder: Path,
        ema: bool | int = True,
        *,
        keep: bool = True,
    ) -> Evaluation:
        """Measure weights, which are averages if `ema`, and write the result into `folder`.

        The images that they draw are kept below it; without `keep` until the result is written.
        """
        subject, said = self._subject(weights, asked, folder / IMAGES)
        results = []
        for metric in self.settings.metrics:
            self.say(f"measuring {metric.call}")
            results.append(_result(metric, _measured(metric, subject)))
        step = weights.step if weights.step is not None else self.plan.steps
        about = {"sha256": contents_hash(weights.tensors), "ema": ema, "path": str(weights.path)}
        found = Evaluation(place, step, about, said, self._reference(), tuple(results))
        found = replace(found, file=_written(found, folder))
        if self.reference is not None and not keep:
            shutil.rmtree(subject.generated.kept.folder, ignore_errors=True)
            with suppress(OSError):  # others have images there
                (folder / IMAGES).rmdir()
        return found

    def _subject(
        self, weights: Weights, asked: Sample, folder: Path
    ) -> tuple[Subject, dict[str, Any]]:
        """What is measured, and what is said of the images."""
        settings, reference = self.settings, self.reference
        about: dict[str, Any] = {}
        made, real, further = _NONE, _NONE, None
        if reference is not None:
            count = settings.count
            real = reference.pictures.part(0, min(count, len(reference.pictures)))
            if len(reference.pictures) >= len(real) + count:
                further = reference.pictures.part(len(real), count)
            source, lines = self._prompts(weights, real)
            drawing = Drawing(asked, lines, count, settings.seed)
            made = drawn(weights, drawing, self.device, self.batch, folder, self.say)
            about = self._said(drawing, source, weights)
        subject = Subject(
            weights,
            self.plan,
            made,
            real,
            further,
            self.data_root,
            self.device,
            self.batch,
            self.say,
        )
        return subject, about

    def _prompts(self, weights: Weights, real: Pictures) -> tuple[str, list[str]]:
        """The prompts, at most one an image, and where they come from."""
        if self.settings.prompts is not None:
            path = self.data_root / self.settings.prompts
            lines = read_prompts(path, PROMPTS)
            return self.settings.prompts, lines[: self.settings.count]
        texts = list(real.texts())
        if not any(texts) and weights.net.encoders:
            return "of the spec's `sample`", own_prompts(weights)
        return "captions of the reference", texts

    def _said(self, drawing: Drawing, source: str, weights: Weights) -> dict[str, Any]:
        asked = drawing.asked
        prompts = {"from": source, "different": len(set(drawing.prompts))}
        said: dict[str, Any] = canonical(asked.model_copy(update={"prompts": None}))
        return {
            "count": drawing.count,
            **{name: value for name, value in said.items() if name != "prompts"},
            "seed": drawing.seed,
            "prompts": prompts | {"sha256": digest([*drawing.prompts])},
            "shape": list(weights.net.pixels.dims),
            "values": "8-bit",
            "precision": precision_on(self.device),
        }

    def _reference(self) -> dict[str, Any]:
        if self.reference is None:
            return {}
        images = len(self.reference.pictures)
        return {"there_are": images, **self.reference.said}


def evaluate(run: Path, asked: Asked) -> list[Evaluation]:
    """Measure the weights of a run, RUN@STEP or RUN@best; one evaluation for each guidance.

    The results are written into the run's folder. Raises GrowlangError if there is no run, if its
    spec says nothing of evaluation and `asked` names no metrics, or for what cannot be measured.
    """
    weights = load(run, ema=asked.ema)
    folder = run_of(weights.path)
    plan = recorded_plan(folder)
    settings = settings_of(plan, run, asked)
    root = asked.data_root or Path(plan.spec).parent
    display = Display(0, asked.quiet)
    device = open_device(asked.device)
    samples = [requested(weights, g, asked.steps) for g in asked.guidance or (None,)]
    bench = Bench.of(plan, settings, root, device, asked.batch, display.say)
    place = str(place_of(run))
    into = folder / EVALUATIONS
    found = []
    for one in samples:
        guidance = f", guidance {one.guidance:g}" if bench.reference else ""
        display.say(f"evaluating {place}{guidance}")
        found.append(bench.evaluate(weights, one, place, into, asked.ema))
    return found


def settings_of(plan: Plan, run: Path, asked: Asked) -> Evaluate:
    """What the spec says, and what is asked for instead."""
    given: dict[str, Any] = {
        "metrics": None if asked.metrics is None else list(asked.metrics),
        "prompts": None if asked.prompts is None else str(asked.prompts.absolute()),
        "count": asked.count,
        "reference": asked.reference,
        "seed": asked.seed,
    }
    declared = asked.said or plan.evaluate
    if declared is None and asked.metrics is None:
        raise GrowlangError(
            f"the spec of {run} has no `evaluate`, and no metrics are given",
            help="give some: --metric fd_efflite0 --metric held_out_loss, or write "
            "`evaluate { count = 5k  metrics = [fd_efflite0] }` in the spec and add --spec SPEC",
        )
    said = {name: value for name, value in given.items() if value is not None}
    return (declared or Evaluate()).model_copy(update=said)


def precision_on(device: torch.device) -> str:
    """In which numbers images are drawn there: on CUDA, PyTorch may round products to TF32."""
    if device.type != "cuda":
        return "fp32"
    flags = {
        "matrix products": torch.backends.cuda.matmul.allow_tf32,
        "convolutions": torch.backends.cudnn.allow_tf32,
    }
    rounded = [name for name, flag in flags.items() if flag]
    return f"fp32, TF32 in {' and '.join(rounded)}" if rounded else "fp32"


def _measured(metric: Metric, subject: Subject) -> Measured:
    found = attribute(metric.runtime, metric.call)(metric, subject)
    if not isinstance(found, Measured):
        raise GrowlangError(
            f"the metric `{metric.call}` ({metric.runtime}) gave {type(found).__name__}, not "
            "growlang_runtime.evaluation.subject.Measured"
        )
    return found


def _result(metric: Metric, found: Measured) -> Result:
    arguments = metric.arguments()
    protocol = {"arguments": arguments, **found.protocol} if arguments else found.protocol
    return Result(metric.call, found.value, found.floor, metric.better, found.details, protocol)


def _written(found: Evaluation, folder: Path) -> Path:
    """Write an evaluation into its run; of one of the same images, other metrics are kept."""
    said = found.as_json()
    name = digest([said["weights"]["sha256"], said["drawn"], said["reference"]])[:8]
    at = "model" if found.step is None else f"step_{found.step:08d}"
    path = folder / f"{at}-{name}.json"
    said["metrics"] += [m for m in _metrics(path) if m["name"] not in found.values]
    folder.mkdir(parents=True, exist_ok=True)
    save_text(path, json.dumps(said, indent=1) + "\n", FULL)
    return path


def _metrics(path: Path) -> list[dict[str, Any]]:
    """The metrics of an evaluation that is there already."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["metrics"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return found if isinstance(found, list) else []


def _no_images(places: range) -> Any:
    raise GrowlangError("this metric looks at images, and says that it does not (`draws`)")


_NONE = Pictures("", 0, _no_images, _no_images, Kept(Path()))
