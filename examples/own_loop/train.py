"""A plain PyTorch loop that trains a small model, grows it in width and depth, and goes on.

Run `python examples/own_loop/train.py`. Only three things are growlang's: the modules, the mapping
of the small model's weights and moments to the large one's, and its proof.
"""

from __future__ import annotations

import tarfile
import warnings
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import growlang

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "emoji" / "data" / "demo-00000.tar"
SIDE = 32


def main(steps: int = 60, lr: float = 3e-3) -> dict[str, float]:
    """Train for `steps`, grow, train for `steps` more; the loss at four moments, as printed."""
    data = images(16)
    losses = {}

    small = growlang.compile(HERE / "small.grow").module(seed=0)
    losses["small, untrained"] = held_out(small, data)
    optimizer = torch.optim.AdamW(small.named_parameters(), lr)
    train(small, optimizer, data, steps)
    losses["small, trained"] = held_out(small, data)

    mapping = growlang.grow(HERE / "small.grow", HERE / "large.grow")
    weights = small.state_dict()
    report = mapping.verify(weights)  # measures what the growth promises of these weights
    print(report, end="\n\n")
    large = growlang.compile(HERE / "large.grow").module(seed=0)
    large.load_state_dict(mapping.apply(weights))
    losses["large, as it grew"] = held_out(large, data)

    train(large, grown_optimizer(mapping, optimizer, large, lr / 3), data, steps)
    losses["large, trained on"] = held_out(large, data)
    for moment, loss in losses.items():
        print(f"{moment:18} {loss:.6f}")
    return losses


def grown_optimizer(
    mapping: growlang.Mapping, optimizer: torch.optim.Optimizer, large: nn.Module, lr: float
) -> torch.optim.Optimizer:
    """An optimizer of the large model that goes on with the moments of the small one's."""
    scales = mapping.lr_scales()  # of tensors whose steps the growth changes
    goes_on = torch.optim.AdamW(
        {"params": [(name, p)], "lr": lr * scales.get(name, 1.0)}
        for name, p in large.named_parameters()
    )
    with warnings.catch_warnings():  # steps and eps by tensor are an approximation: so be it
        warnings.simplefilter("ignore", growlang.ApproximateGrowth)
        state = mapping.apply_optimizer(optimizer.state_dict(), goes_on.state_dict())
    goes_on.load_state_dict(state)
    return goes_on


def images(count: int) -> Tensor:
    """Emoji (N, 3, H, W) in [-1, 1]."""
    with tarfile.open(DATA) as tar:
        names = [name for name in tar.getnames() if name.endswith(".webp")]
        return torch.stack([pixels(tar, name) for name in names[:count]])


def pixels(tar: tarfile.TarFile, name: str) -> Tensor:
    """One image (3, H, W) in [-1, 1]."""
    image = Image.open(tar.extractfile(name) or name).convert("RGB").resize((SIDE, SIDE))
    values = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return values.view(SIDE, SIDE, 3).permute(2, 0, 1) / 127.5 - 1


def train(module: nn.Module, optimizer: torch.optim.Optimizer, data: Tensor, steps: int) -> None:
    """Some steps of denoising on random images."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        picked = data[torch.randint(len(data), (8,), generator=generator)]
        loss = denoising(module, picked, generator)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def held_out(module: nn.Module, data: Tensor) -> float:
    """The loss on all images with noise that no step has seen."""
    with torch.no_grad():
        return float(denoising(module, data, torch.Generator().manual_seed(2)))


def denoising(module: nn.Module, data: Tensor, generator: torch.Generator) -> Tensor:
    """The mean squared error of v (arXiv 2202.00512, appendix D) at random noise levels."""
    log_snr = 2 * torch.randn(len(data), generator=generator)
    alpha, sigma = (torch.sigmoid(s * log_snr).sqrt().view(-1, 1, 1, 1) for s in (1, -1))
    noise = torch.randn(data.shape, generator=generator)
    found: Tensor = module(alpha * data + sigma * noise, log_snr)
    return F.mse_loss(found, alpha * noise - sigma * data)


if __name__ == "__main__":
    main()
