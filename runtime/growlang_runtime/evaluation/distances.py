"""Distances between the features of generated and of real images."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from growlang.diagnostics import GrowlangError
from growlang.spec import metrics as declared
from growlang_runtime.evaluation.extractors import EXTRA, Extractor, clip, dino, efflite0, inception
from growlang_runtime.evaluation.subject import Measured, Subject

SIGMA, SCALE, ROWS = 10.0, 1000.0, 1024
"""Of CMMD: width of the kernel, factor, and rows of it that are computed at once."""
Distance = Callable[[Tensor, Tensor], float]
"""Of real and generated features, (N, D) and (M, D)."""


def fid(metric: declared.FID, subject: Subject) -> Measured:
    """Frechet distance over Inception's features."""
    found = inception(subject.data_root / metric.weights, metric.call, subject.device)
    return frechet_distance(metric.call, found, subject)


def fd_dino(metric: declared.FDDINO, subject: Subject) -> Measured:
    """Frechet distance over DINOv2's features."""
    found = dino(local(metric.weights, subject.data_root), metric.call, subject.device)
    return frechet_distance(metric.call, found, subject)


def fd_efflite0(metric: declared.FDEffLite0, subject: Subject) -> Measured:
    """Frechet distance over features of EfficientNet-Lite0."""
    found = efflite0(subject.device).projected(metric.dimensions)
    return frechet_distance(metric.call, found, subject)


def kid(metric: declared.KID, subject: Subject) -> Measured:
    """Kernel distance over Inception's features."""
    found = inception(subject.data_root / metric.weights, metric.call, subject.device)

    def distance(real: Tensor, fake: Tensor) -> float:
        return kernel_distance(real, fake, metric.subsets, metric.subset_size)

    said = {
        "kernel": "polynomial of degree 3, unbiased",
        "subsets": metric.subsets,
        "subset_size": metric.subset_size,
        "subset_seed": 0,
    }
    return measured(metric.call, found, subject, distance, metric.subset_size, said)


def cmmd(metric: declared.CMMD, subject: Subject) -> Measured:
    """CLIP maximum mean discrepancy."""
    found = clip(local(metric.weights, subject.data_root), metric.call, subject.device)
    said = {"kernel": f"RBF, sigma {SIGMA:g}", "factor": SCALE, "diagonal": "in the mean"}
    return measured(metric.call, found, subject, discrepancy, metric.least(), said)


def local(weights: str, data_root: Path) -> str:
    """A folder below the data root, where there is one of that name, or the name."""
    folder = data_root / weights
    return str(folder) if folder.is_dir() else weights


def frechet_distance(name: str, extractor: Extractor, subject: Subject) -> Measured:
    """The distance by torchmetrics, in float64; it needs more images than dimensions."""
    needed = extractor.dimensions + 1
    return measured(name, extractor, subject, frechet, needed, {"statistics": "float64"})


def measured(
    name: str,
    extractor: Extractor,
    subject: Subject,
    distance: Distance,
    needed: int,
    said: dict[str, Any],
) -> Measured:
    """A distance of generated from real images, and the floor: of real from other real ones."""
    subject.require(name, needed)
    batch, kept = subject.batch, subject.kept
    real = extractor.features(subject.reference, kept, batch)
    fake = extractor.features(subject.generated, kept, batch)
    if subject.further is not None:
        pair, which = (real, extractor.features(subject.further, kept, batch)), "other real images"
    else:
        pair, which = (real[::2], real[1::2]), "halves of the real images"
    floor = distance(*pair) if min(map(len, pair)) >= needed else None
    counts: dict[str, Any] = {"floor_of": which}
    counts |= {"floor_real": len(pair[0]), "floor_other": len(pair[1])}
    if floor is None:
        counts = {"floor_of": f"none: it needs twice {needed:,} real images"}
    protocol = extractor.protocol | said | {"generated": len(fake), "real": len(real)} | counts
    return Measured(distance(real, fake), floor, protocol=protocol)


class _Given(nn.Module):
    """Features that are computed already, where torchmetrics wants what computes them."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.num_features = dimensions

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet(real: Tensor, fake: Tensor) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2) of means and covariances, in float64."""
    kind = from_torchmetrics("image.fid", "FrechetInceptionDistance")
    metric = kind(feature=_Given(real.shape[1])).set_dtype(torch.float64)
    metric.update(real.double(), real=True)
    metric.update(fake.double(), real=False)
    return float(metric.compute())


def kernel_distance(real: Tensor, fake: Tensor, subsets: int, size: int) -> float:
    """Unbiased MMD^2 with a polynomial kernel, a mean over random subsets of seed 0."""
    kind = from_torchmetrics("image.kid", "KernelInceptionDistance")
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")  # that it keeps features in memory, which it is given
        torch.manual_seed(0)
        metric = kind(feature=_Given(real.shape[1]), subsets=subsets, subset_size=size)
        metric.update(real, real=True)
        metric.update(fake, real=False)
        mean, _ = metric.compute()
    return float(mean)


def discrepancy(real: Tensor, fake: Tensor) -> float:
    """1000 (mean k(x, x') + mean k(y, y') - 2 mean k(x, y)), diagonals included."""
    real, fake = real.double(), fake.double()
    return SCALE * (_kernel(real, real) + _kernel(fake, fake) - 2 * _kernel(real, fake))


def _kernel(a: Tensor, b: Tensor) -> float:
    """The mean of exp(-|a - b|^2 / (2 sigma^2)) over all pairs."""
    sums = [
        torch.exp(-(torch.cdist(rows, b) ** 2) / (2 * SIGMA**2)).sum()
        for rows in torch.split(a, ROWS)
    ]
    return float(torch.stack(sums).sum()) / (len(a) * len(b))


def from_torchmetrics(module: str, name: str) -> Any:
    """A class of torchmetrics. Raises GrowlangError if it is not installed."""
    from importlib import import_module

    try:
        return getattr(import_module(f"torchmetrics.{module}"), name)
    except ImportError as error:
        raise GrowlangError(f"torchmetrics is not installed: {error}", help=EXTRA) from error
