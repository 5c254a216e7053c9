"""Whether the weights of metrics are there, found without loading them."""

from __future__ import annotations

from pathlib import Path

from growlang.diagnostics import GrowlangError
from growlang.spec.metrics import CMMD, DSG, FDDINO, FID, KID, CLIPScore, Metric
from growlang_runtime.evaluation.distances import local
from growlang_runtime.evaluation.extractors import EXTRA, not_loaded, require_inception

FILES = tuple(
    f"{name}{index}"
    for name in ("model.safetensors", "pytorch_model.bin")
    for index in ("", ".index.json")
)
"""One of which has the weights of a model of transformers, or names the files that have."""


def require_weights(metric: Metric, data_root: Path) -> None:
    """Raise GrowlangError if the weights that a metric names are missing."""
    if isinstance(metric, FID | KID):
        require_inception(data_root / metric.weights, metric.call)
    elif isinstance(metric, FDDINO | CMMD | CLIPScore | DSG):
        weights = local(metric.weights, data_root)
        if not any(_is_there(weights, name) for name in FILES):
            raise not_loaded(weights, metric.call, f"there is no {FILES[0]}")


def _is_there(weights: str, name: str) -> bool:
    """Whether a file is in a folder, or of a model in the Hugging Face cache."""
    if Path(weights).is_dir():
        return (Path(weights) / name).is_file()
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError as error:
        raise GrowlangError(f"transformers is not installed: {error}", help=EXTRA) from error
    try:
        return isinstance(try_to_load_from_cache(weights, name), str)
    except ValueError:  # that is no id of a model
        return False
