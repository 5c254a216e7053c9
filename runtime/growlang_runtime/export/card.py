"""The card of an exported model, and where it comes from, by hashes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from growlang.net import Net
from growlang.plans.plan import Plan
from growlang.plans.weights_header import EVALUATIONS, run_of
from growlang.spec.labels import Labels
from growlang.spec.recipe import Sample
from growlang.torch_backend.tensor_files import contents_hash
from growlang.version import __version__
from growlang_runtime.conditioning.conditioner import declared_conditions
from growlang_runtime.export.drawing import encoders_of
from growlang_runtime.storage.weights import Weights

HASHES = ("net_hash", "spec_hash", "plan_hash", "run_hash")


def facts(weights: Weights, plan: Plan | None, ema: bool | int) -> dict[str, Any]:
    """What `growlang.json` says: versions, hashes, and the lineage as far as the plan knows it."""
    found: dict[str, Any] = {
        "format_version": 1,
        "growlang": __version__,
        "model": weights.net.name,
        "parameters": weights.net.parameters,
        "weights": "trained" if ema is False else "ema",
        "step": weights.step if weights.step is not None else plan and plan.steps,
        **{name: weights.metadata[name] for name in HASHES if name in weights.metadata},
    }
    if plan is None:
        return found
    found |= {"recipe": plan.recipe, "params": plan.params, "data": plan.data}
    if parent := plan.parent:
        found["parent"] = {
            "model": parent.model,
            "recipe": parent.recipe,
            "net_hash": parent.net_hash,
            "spec_hash": parent.spec_hash,
            "weights_hash": parent.weights_hash,
            "run_hash": parent.run.run_hash if parent.run else None,
        }
    return found


def card(
    weights: Weights, plan: Plan | None, said: Sample, facts: Mapping[str, Any], license: str | None
) -> str:
    """The text of README.md: its front matter, use, settings, training, metrics and lineage."""
    parts = [
        _front(weights.net, plan, license),
        f"# {weights.net.name}",
        _about(weights.net, plan),
        _use(weights.net),
        _drawing(said),
        *_training(plan, weights.step),
        *_metrics(weights),
        _lineage(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _front(net: Net, plan: Plan | None, license: str | None) -> str:
    kind = "text-to-image" if net.encoders else "unconditional-image-generation"
    lines = ["library_name: diffusers", f"pipeline_tag: {kind}", "tags: [growlang, diffusion]"]
    lines += [
        f"license: {json.dumps(license)}" if license else "# license: set it before you share"
    ]
    if plan and plan.parent:
        lines += [f"base_model: {json.dumps(plan.parent.model)}"]
    return "\n".join(["---", *lines, "---"])


def _about(net: Net, plan: Plan | None) -> str:
    channels, height, width = net.pixels.dims
    size = f"{width} x {height} pixels, {channels} channel{'s' * (channels > 1)}"
    grown = f" It grew from `{plan.parent.model}`." if plan and plan.parent else ""
    return (
        f"A diffusion model of {net.parameters:,} parameters for images of {size}, trained by "
        f"growlang.{grown} `spec.grow` is its spec."
    )


def _use(net: Net) -> str:
    conditions = declared_conditions(net.encoders).values()
    prompt = '""'
    if any(c.field == "caption" for c in conditions):
        prompt = '"a caption"'
    elif any(c.field == "label" for c in conditions):
        prompt = json.dumps(Labels.of(conditions).name(0), ensure_ascii=False)
    text = ", `diffusers` and `transformers`" if encoders_of(net) else " and `diffusers`"
    needed = f"`torch`{text}"
    return f"""## Use

It needs {needed}, and not growlang. `trust_remote_code` lets diffusers run the code
of this folder, which you can read: `pipeline_*.py` and `unet/denoiser_*.py`.

```python
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained("path/to/this/folder", trust_remote_code=True)
image = pipe({prompt}, seed=0).images[0]
```"""


def _drawing(said: Sample) -> str:
    low, high = said.guidance_interval
    rows = [
        ("sampler", f"{said.sampler.call}, {said.sampler.steps} steps"),
        ("guidance", f"{said.guidance:g}"),
        ("guidance interval", f"{low:g} to {high:g} (t; 1 is noise)"),
        ("guidance rescale", f"{said.guidance_rescale:g}"),
    ]
    return "## Sampling\n\n" + _table(("setting", "default"), rows)


def _training(plan: Plan | None, step: int | None) -> Iterator[str]:
    """The phases as far as they were done by a checkpoint's step; all of them if it is None."""
    if plan is None:
        return
    rows, first = [], 0
    for phase in plan.phases:
        own = phase.settings
        frozen = f"{len(phase.frozen)} tensors" if phase.frozen else "nothing"
        steps = f"{phase.steps:,}" if phase.steps is not None else f"{phase.epochs:g} epochs"
        if step is not None and phase.steps is not None:
            done = min(max(step - first, 0), phase.steps)
            steps = steps if done == phase.steps else f"{done:,} of {steps}"
            first += phase.steps
        rows.append((phase.name, steps, str(own.batch), f"{own.optimizer.lr:g}", frozen))
    head = ("phase", "steps", "batch", "learning rate", "frozen")
    yield f"## Training\n\nRecipe `{plan.recipe}`:\n\n" + _table(head, rows)
    if step is not None and step != plan.steps:
        whole = f" of {plan.steps:,}" if plan.steps is not None else ""
        yield f"It is unfinished: these are the weights of step {step:,}{whole}."
    sources = {s.name for phase in plan.phases for s in phase.settings.data}
    yield "Data: " + ", ".join(f"`{name}`" for name in sorted(sources)) + "."


def _metrics(weights: Weights) -> Iterator[str]:
    """What was measured of these weights, with protocols: the evaluations that lie in their run."""
    own = contents_hash(weights.tensors)
    for path in sorted((run_of(weights.path) / EVALUATIONS).glob("*.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["weights"]["sha256"] != own:
                continue
            rows = [(m["name"], _number(m["value"]), _number(m["floor"])) for m in found["metrics"]]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        said = {
            "drawn": found.get("drawn"),
            "reference": found.get("reference"),
            "metrics": {m["name"]: m.get("protocol") for m in found["metrics"]},
        }
        yield "## Metrics\n\n" + _table(("metric", "value", "floor (real against real)"), rows)
        text = json.dumps(said, indent=2, ensure_ascii=False)
        yield f"Their protocol:\n\n```json\n{text}\n```"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _lineage(facts: Mapping[str, Any]) -> str:
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    return (
        "## Lineage\n\nWhat it was trained as, by SHA-256. `growlang.json` has also those of files:"
        f"\n\n```json\n{text}\n```"
    )


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
