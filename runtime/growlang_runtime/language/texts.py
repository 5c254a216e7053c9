"""Texts from a run's weights: what `growlang sample` does with a model of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from growlang.diagnostics import GrowlangError
from growlang.plans.weights_header import PLAN, parsed, read, run_of
from growlang.spec.data import HF, Text
from growlang.spec.recipe import Sample, Settings
from growlang.torch_backend.device import open_device
from growlang.torch_backend.lower import lower
from growlang_runtime.data.tokenizers import Tokenizer, tokenizer_of
from growlang_runtime.language.continuing import Prompted, continued
from growlang_runtime.report.prompts import stated_prompts
from growlang_runtime.sample import (
    Precision,
    in_precision,
    require_asked,
    require_generated,
    tell,
)
from growlang_runtime.storage.place import located
from growlang_runtime.storage.run import recorded_plan
from growlang_runtime.storage.weights import Weights, load


@dataclass(frozen=True)
class Texts(Sequence[str]):
    """Texts that a model of tokens wrote, each with the prompt that it continues."""

    texts: tuple[str, ...]
    prompts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts:
        if isinstance(index, slice):
            return Texts(self.texts[index], self.prompts[index])
        return self.texts[index]

    def __str__(self) -> str:
        both = zip(self.prompts, self.texts, strict=True)
        return "\n\n".join(f"{prompt}{text}" for prompt, text in both)


def is_of_tokens(run: Path) -> bool:
    """Whether the weights at a place are of a model of tokens; False where there are none."""
    try:
        return read(located(run)).net.of_tokens
    except GrowlangError:
        return False


def generate(
    run: Path | Weights,
    *,
    prompts: Sequence[str] | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    length: int | None = None,
    seed: int = 0,
    count: int = 1,
    precision: Precision = "fp32",
    ema: bool | int = True,
    device: str = "cpu",
    batch: int = 16,
) -> Texts:
    """What a model of tokens writes behind prompts, by default those of the spec: `count` of each.

    What is None is the spec's. A text depends on its seed, its prompt and its place among the
    prompts; those of one prompt have `seed` and the seeds after it. Raises GrowlangError for
    weights of another model, and for settings that a spec could not have.
    """
    require_asked(prompts, length=length, top_k=top_k, count=count, batch=batch)
    if temperature is not None and not 0 <= temperature < float("inf"):
        raise GrowlangError(f"`temperature` must be at least 0, but is {temperature}")
    weights = run if isinstance(run, Weights) else load(run, ema=ema)
    require_generated(weights.net, weights.path)
    if not weights.net.of_tokens:
        raise GrowlangError(
            f"{weights.path} is of a model of images, which continues no text",
            help="growlang.sample(...) draws its images",
        )
    opened = open_device(device)
    tell(run, weights, "sampling from")
    asked = _asked(weights, {"temperature": temperature, "top_k": top_k, "length": length})
    tokenizer = _tokenizer(weights)
    module = lower(weights.net, opened)
    module.load_state_dict(weights.tensors)
    computed = in_precision(module.eval(), opened, precision)
    given = [*prompts] if prompts is not None else stated_prompts(asked, Path()) or [""]
    wanted = [
        Prompted(text, place, seed + n) for place, text in enumerate(given) for n in range(count)
    ]
    texts: list[str] = []
    for at in range(0, len(wanted), batch):
        some = wanted[at : at + batch]
        texts += continued(computed, weights.net, tokenizer, some, asked, opened)
    return Texts(tuple(texts), tuple(prompted.text for prompted in wanted))


def _asked(weights: Weights, given: dict[str, Any]) -> Sample:
    """What the weights' spec says of sampling, and what is given instead of it."""
    text = weights.metadata.get("sample")
    declared: Sample = parsed(Sample, text, weights.path) if text else Sample()
    return declared.model_copy(update={n: v for n, v in given.items() if v is not None})


def _tokenizer(weights: Weights) -> Tokenizer:
    """The tokenizer of the texts that weights were trained on; a folder is where the spec was."""
    text = weights.metadata.get("settings")
    settings: Settings | None = parsed(Settings, text, weights.path) if text else None
    data = settings.data[0].data if settings else None
    if not isinstance(data, Text | HF):
        raise GrowlangError(
            f"{weights.path} does not say which tokenizer it was trained with",
            help="use weights that `growlang train` wrote from a `text(...)` source",
        )
    return tokenizer_of(data.tokenizer, _data_root(weights.path))


def _data_root(path: Path) -> Path:
    """The folder of the spec of the run that weights lie in; else the one that they lie in."""
    run = run_of(path)
    return Path(recorded_plan(run).spec).parent if (run / PLAN).exists() else path.parent
