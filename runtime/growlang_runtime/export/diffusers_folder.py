"""A folder that `DiffusionPipeline.from_pretrained` loads without growlang."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.plans.plan import Plan
from growlang.plans.weights_header import parsed
from growlang.spec.recipe import Sample, Settings
from growlang.torch_backend.lower import lower
from growlang.torch_backend.tensor_files import write_tensors
from growlang.version import __version__
from growlang_runtime.conditioning.encoders import pretrained
from growlang_runtime.data.autoencoder import Autoencoder
from growlang_runtime.export.card import card, facts
from growlang_runtime.export.denoiser_code import denoiser_code
from growlang_runtime.export.drawing import denoising_of, drawing_of, encoders_of
from growlang_runtime.export.flat import Flat, Name
from growlang_runtime.export.scheduler_folder import write_scheduler
from growlang_runtime.storage.weights import Weights

INDEX = "model_index.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"
DIGITS = 12
"""Of the net's hash in the names of files."""
PIPELINE = '''"""The pipeline of models that growlang trained: written by growlang {version}.

It needs PyTorch, diffusers and, for frozen text encoders, transformers.
"""

'''


class Model(NamedTuple):
    """What is exported."""

    weights: Weights
    tensors: Mapping[str, Tensor]
    """Those of the weights, in the type that is asked for."""
    sample: Sample
    plan: Plan | None
    ema: bool | int
    license: str | None


def write_folder(folder: Path, model: Model) -> None:
    """Write the pipeline's files into an empty folder.

    Raises GrowlangError for a model that a pipeline has no words for.
    """
    import diffusers

    net = model.weights.net
    text = model.weights.metadata["settings"]
    objective = denoising_of(net, parsed(Settings, text, model.weights.path))
    drawing = drawing_of(net, objective, model.sample, model.weights.semantics)
    _require_names(net)
    code = denoiser_code(net, drawing["predict"], __version__)
    require_same(code, net, model.weights.tensors)
    files = {"denoiser": code, "pipeline": pipeline_code()}
    names = {kind: _named(kind, net, text) for kind, text in files.items()}
    index: dict[str, Any] = {
        "_class_name": [names["pipeline"], "GrowPipeline"],
        "_diffusers_version": diffusers.__version__,
        "unet": [names["denoiser"], "Denoiser"],
    }
    (folder / f"{names['pipeline']}.py").write_text(files["pipeline"], encoding="utf-8")
    _write_denoiser(folder / "unet", names["denoiser"], code, model, drawing)
    index["scheduler"] = write_scheduler(folder / "scheduler", model.sample.sampler, objective)
    index |= _write_encoders(folder, net)
    if (vae := Autoencoder.of(net)) is not None:
        vae.model.save_pretrained(folder / "vae")
        index["vae"] = ["diffusers", type(vae.model).__name__]
    _write_json(folder / INDEX, index)
    said = facts(model.weights, model.plan, model.ema)
    _write_json(folder / "growlang.json", said | {"files": _sums(folder)})
    if model.plan is not None:
        (folder / "spec.grow").write_text(model.plan.source, encoding="utf-8")
    page = card(model.weights, model.plan, model.sample, said, model.license)
    (folder / "README.md").write_text(page, encoding="utf-8")


def pipeline_code() -> str:
    """The text of the pipeline's file: the same for all models."""
    flat = Flat(bare=frozenset({"__init__"}))
    flat.add(Name("growlang_runtime.export.grow_pipeline", "GrowPipeline"))
    return PIPELINE.format(version=__version__) + flat.header() + "\n\n\n" + flat.body() + "\n"


def _named(kind: str, net: Net, text: str) -> str:
    """A name that no other code has: diffusers keeps all local files in one folder of modules."""
    return f"{kind}_{net.net_hash[:DIGITS]}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _write_denoiser(
    folder: Path, name: str, code: str, model: Model, drawing: Mapping[str, Any]
) -> None:
    import diffusers

    net = model.weights.net
    channels, height, width = net.image.dims
    config = {
        "_class_name": "Denoiser",
        "_diffusers_version": diffusers.__version__,
        "sample_size": height if height == width else [height, width],
        "in_channels": channels,
        "out_channels": net.result.dims[0],
        "net_hash": net.net_hash,
        "drawing": drawing,
    }
    folder.mkdir()
    _write_json(folder / "config.json", config)
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    write_tensors(folder / WEIGHTS, model.tensors, {"format": "pt"})


def _write_encoders(folder: Path, net: Net) -> dict[str, list[str]]:
    found = {}
    for component, declared in encoders_of(net).items():
        for kind, part in zip(
            ("tokenizer", "text_encoder"),
            pretrained(declared.id, declared.call, "auto"),
            strict=True,
        ):
            part.save_pretrained(folder / f"{kind}{component}")
            found[f"{kind}{component}"] = ["transformers", type(part).__name__]
    return found


def _require_names(net: Net) -> None:
    """Raise GrowlangError for a part of the net whose name is an attribute of diffusers' models."""
    from diffusers.configuration_utils import ConfigMixin
    from diffusers.models.modeling_utils import ModelMixin

    for name in {node.path.split(".")[0] for node in net.nodes}:
        if hasattr(ModelMixin, name) or hasattr(ConfigMixin, name):
            raise GrowlangError(
                f"{name} is a name used by diffusers' models",
                help=f"give {name} another name in the spec, such as {name}_1, and train again; or "
                "export the weights alone with --to safetensors",
            )


def require_same(code: str, net: Net, tensors: Mapping[str, Tensor]) -> None:
    """Raise GrowlangError unless the written net computes what the lowered one does."""
    space: dict[str, Any] = {"__name__": "denoiser", "__file__": "denoiser.py"}
    exec(compile(code, "denoiser.py", "exec"), space)  # our own text
    written, lowered = space["Denoiser"](), lower(net, "cpu")
    for module in (written, lowered):
        module.load_state_dict(dict(tensors))
        module.eval()
    given = _inputs(net)
    with torch.no_grad():
        found, wanted = written(*given), lowered(*given)
    if not torch.allclose(found, wanted, rtol=1e-5, atol=1e-5):
        raise GrowlangError(
            f"the code of {net.name} does not compute what the net does: they are "
            f"{float((found - wanted).abs().max()):g} apart",
            help="this is a failure of growlang: please report it; --to safetensors works",
        )


def _inputs(net: Net) -> list[Tensor]:
    """An input of each kind for two images."""
    random = torch.Generator().manual_seed(0)

    def made(role: str, dims: tuple[int, ...]) -> Tensor:
        if role in ("ids", "label"):
            return torch.zeros(2, *dims, dtype=torch.int64)
        if role == "mask":
            return torch.ones(2, *dims, dtype=torch.bool)
        value = torch.randn(2, *dims, generator=random)
        return value.double() if role == "level" else value

    return [made(i.role, i.shape.dims) for i in net.inputs]


def _sums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
