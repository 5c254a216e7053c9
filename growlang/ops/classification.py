"""The end of a model that classifies images."""

from typing import Annotated, Literal

from growlang.net import Scope, Shape, vector
from growlang.net.axes import Axes, Layer, Rows, Space, normalised, reads, writes
from growlang.ops.base import Eps, Op, OpError
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import linear, norm, plain, token_wise
from growlang.signatures.signature import Conditions, argument


class Classify(Op):
    """A logit for each class of a label: pooled tokens, a norm, then a linear map with a bias.

    `pool = first` takes the first token in front of the core's, such as `class_token` (ViT, arXiv
    2010.11929), `mean` the mean over all places, of which a norm is taken (MAE, arXiv 2111.06377).
    """

    call = "classify"
    listed = 1
    source = "arXiv 2010.11929, arXiv 2111.06377"
    input_kind = "any"
    ends_head = True
    label: Annotated[str, Conditions(itself=False)] = argument(
        "label that is predicted: `classes(n)` without a width"
    )
    pool: Literal["mean", "first"] = argument(
        "the mean of all places, or the first token in front of the core's", "mean"
    )
    norm: Literal["layer", "rms", "none"] = argument(
        "LayerNorm or RMSNorm of what is pooled, or nothing", "layer"
    )
    eps: Eps = argument("added to the variance by its norm; by default 1e-6", None)

    @property
    def takes_front(self) -> bool:
        """Whether it is of the first token."""
        return self.pool == "first"

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(classes,)."""
        if self.label in scope.conditions and self.label not in scope.targets:
            raise OpError(
                f"`{self.label}` is a condition that the net reads, not a label to predict",
                argument="label",
                code="G208",
                help="name a label, which `classes` declares without a width",
            )
        if self.label not in scope.targets:
            known = ", ".join(scope.targets)
            raise OpError(
                f"`classify` predicts `{self.label}`, which the model does not declare",
                argument="label",
                code="G208",
                help=f"write one of its labels: {known}"
                if known
                else f"bind it in the model: `{self.label} = classes(10)`",
            )
        if self.takes_front and x.kind != "tokens":
            raise OpError(
                "`pool = first` takes a token in front of the core's, and its input is a grid",
                argument="pool",
                help="write `pool = mean`",
            )
        return vector(scope.targets[self.label])

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`norm` and `proj` (classes, width) with a bias."""
        logits = writes(Space("classes", scope.targets[self.label], rows=Rows()))
        if self.norm == "none":
            stream = plain("x", x.width)
            proj = linear("proj", logits, reads(stream), init="zeros", place="last")
            return Axes((reads(stream),), logits, (proj,))
        stream = token_wise("x", x.width, self.norm)
        layers: list[Layer] = [norm("norm", stream, shift=self.norm == "layer")]
        layers.append(linear("proj", logits, normalised(stream), init="zeros", place="last"))
        return Axes((reads(stream),), logits, tuple(layers))

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight."""
        return 2 * x.width * scope.targets[self.label]

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The inputs of the norm and of the map, and the norm's mean and deviation."""
        inner = {"layer": x.width + 2, "rms": 2 * x.width + 1, "none": 0}  # in two steps in PyTorch
        return x.width + inner[self.norm]

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The inputs of the norm and of the map."""
        normed = FP32 * (self.saved_activations(x, scope) - x.width)
        return Kept(normed, widths.maps * x.width, widths.maps)
