"""What `growlang export` does: trained weights as files that others read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from growlang.atomic import temporary_path
from growlang.diagnostics import GrowlangError
from growlang.interop.choosing import fitting
from growlang.interop.config import CONFIG
from growlang.plans.plan import Plan
from growlang.plans.weights_header import PLAN, run_of
from growlang.spec.samplers import Sampler
from growlang.torch_backend.tensor_files import write_tensors
from growlang_runtime.export.diffusers_folder import INDEX, Model, write_folder
from growlang_runtime.export.hf_folder import write_hf_folder
from growlang_runtime.sample import requested, tell
from growlang_runtime.storage.files import require_place, save_text, saved
from growlang_runtime.storage.run import recorded_plan
from growlang_runtime.storage.weights import Weights, load

Form = Literal["diffusers", "hf", "safetensors"]
Kind = Literal["fp32", "bf16", "fp16"]
FORMS: tuple[Form, ...] = get_args(Form)
INDEXES = {"diffusers": INDEX, "hf": CONFIG}
"""The file by which an earlier export of a folder is known."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
FULL = "free disk space, or choose another path with --output"


class Exported(NamedTuple):
    """What was written."""

    path: Path
    """The folder of a pipeline, or the file of weights."""
    spec: Path | None
    """The spec; None where the weights do not lie in a run that has it."""


def export(
    run: Path | Weights,
    to: Form,
    output: Path,
    *,
    ema: bool | int = True,
    dtype: Kind = "fp32",
    sampler: str | Sampler | None = None,
    license: str | None = None,
    table: Path | None = None,
    like: Path | None = None,
    force: bool = False,
) -> Exported:
    """Write trained weights as a folder of diffusers or transformers, or as one safetensors file.

    `run` is RUN, RUN@STEP, RUN@best, a file of weights, or weights that were loaded. What exists
    is replaced only if `force`, and only by what is whole. Raises GrowlangError if there are no
    weights, if the place cannot be written, or for a model that a pipeline has no words for.
    """
    if to not in FORMS:
        raise GrowlangError(f"`to` must be one of {', '.join(FORMS)}, but is {to}")
    if dtype not in DTYPES:
        raise GrowlangError(f"`dtype` must be one of {', '.join(DTYPES)}, but is {dtype}")
    require_place(output, "--output")
    if to != "safetensors":
        _restore(output, INDEXES[to])  # which a process that was killed left aside
    _require_free(output, to, force)
    weights = run if isinstance(run, Weights) else load(run, ema=ema)
    tell(run, weights, "exporting")
    plan = _plan(weights)
    tensors = {name: tensor.to(DTYPES[dtype]) for name, tensor in weights.tensors.items()}
    _require_range(tensors, dtype)
    if to == "safetensors":
        return _write_file(output, tensors, weights, plan)
    if to == "hf":
        names = fitting(weights.net, table)
        with _replaced(output, CONFIG) as folder:
            write_hf_folder(folder, names, weights.net, tensors, dtype, like)
        return Exported(output, None)
    said = requested(weights, sampler=sampler)
    with _replaced(output, INDEX) as folder:
        model = Model(weights, tensors, said, plan, ema, license)
        write_folder(folder, model)
    return Exported(output, output / "spec.grow" if plan else None)


def _write_file(
    output: Path, tensors: Mapping[str, Tensor], weights: Weights, plan: Plan | None
) -> Exported:
    spec = output.with_suffix(Path(plan.spec).suffix or ".grow") if plan else None
    with saved(output, FULL) as temporary:
        write_tensors(temporary, tensors, weights.metadata)
        if plan and spec:
            save_text(spec, plan.source, FULL)
    return Exported(output, spec)


def _plan(weights: Weights) -> Plan | None:
    """The plan of the run that the weights lie in, where that is the one they were trained by."""
    run = run_of(weights.path)
    if not (run / PLAN).exists():
        return None
    plan = recorded_plan(run)
    return plan if plan.net_hash == weights.net.net_hash else None


def _require_free(output: Path, to: Form, force: bool) -> None:
    """Raise GrowlangError where something else would be lost."""
    if to == "safetensors" and output.suffix != ".safetensors":
        raise GrowlangError(
            f"{output} does not end in .safetensors",
            help=f"write --output {output.with_suffix('.safetensors')}",
        )
    if not (output.exists() or output.is_symlink()):
        return
    if not force:
        raise GrowlangError(
            f"{output} exists", help="choose another path with --output, or overwrite with --force"
        )
    wanted = output.is_file() if to == "safetensors" else (output / INDEXES[to]).is_file()
    if not wanted:
        raise GrowlangError(
            f"{output} is no earlier export, and is not overwritten",
            help="choose another path with --output",
        )


def _require_range(tensors: Mapping[str, Tensor], dtype: Kind) -> None:
    """Raise GrowlangError where half precision has no room for a value."""
    lost = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if lost:
        raise GrowlangError(
            f"{dtype} has no numbers as large as some of `{lost[0]}`", help="use --dtype bf16"
        )


@contextmanager
def _replaced(output: Path, index: str) -> Iterator[Path]:
    """A folder to write; once it is whole it takes the place of the one that is there."""
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with saved(output, FULL) as folder:
            folder.mkdir()
            yield folder
            if output.exists():
                output.rename(_aside(output))
    finally:
        _restore(output, index)


def _aside(output: Path) -> Path:
    """Where an earlier export lies while it is replaced."""
    return temporary_path(output, "old")


def _restore(output: Path, index: str) -> None:
    """Put an earlier export back where it was not replaced to the end, else remove it."""
    old = _aside(output)
    if (old / index).is_file() and not (output.exists() or output.is_symlink()):
        old.rename(output)
    elif old.is_symlink():
        old.unlink()
    else:
        shutil.rmtree(old, ignore_errors=True)
