"""Ops at the ends of a model of tokens."""

from typing import Annotated, Literal

from growlang.net import Scope, Shape, tokens
from growlang.net.axes import Axes, Parameter, Role, Rows, Space, normalised, reads, writes
from growlang.ops.base import Eps, Op, OpError
from growlang.ops.layers import linear, norm, plain, table, token_wise
from growlang.signatures.canonical import Later
from growlang.signatures.signature import argument


class Embed(Op):
    """Trainable embedding of the ids of tokens, one row of a table for each token."""

    call = "embed"
    listed = 2
    source = "arXiv 1706.03762"
    input_kind = "ids"
    width: int = argument("channels of a token", ge=1)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(length, width)."""
        return tokens(x.dims[0], self.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`embedding.weight` (vocabulary, width)."""
        vocabulary = Space("vocabulary", scope.vocabulary or 0, rows=Rows())
        out = plain("out", self.width)
        rows = table("embedding.weight", reads(vocabulary), writes(out), "tokens")
        return Axes((reads(vocabulary),), writes(out), (rows,))

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The ids."""
        return x.size


class Unembed(Op):
    """A logit for each token of the vocabulary: a norm, then a linear map without bias.

    The map is a tensor of its own or, `tied`, the table of `embed` (arXiv 1608.05859), as in GPT-2.
    """

    call = "unembed"
    listed = 2
    source = "Radford et al. 2019, arXiv 1706.03762, arXiv 1608.05859"
    input_kind = "tokens"
    tables_argument = "tied"
    tied: Annotated[bool, Later()] = argument("whether the map is the table of `embed`", False)
    eps: Eps = argument("added to the variance by its norm; by default 1e-6", None)
    norm: Annotated[Literal["layer", "rms"], Later()] = argument("LayerNorm or RMSNorm", "layer")

    @property
    def tables(self) -> tuple[str, ...]:
        """That of `embed`, where it is tied."""
        return ("embed",) if self.tied else ()

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(length, vocabulary)."""
        if scope.vocabulary is None:
            raise OpError(
                "`unembed` gives logits over a vocabulary, and an image model has none",
                code="G212",
                help="end the head with `unpatch`, or declare `tokens = tokens(...)` as the input",
            )
        return x.with_width(scope.vocabulary)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`norm` and `proj.weight` (vocabulary, width); tied, the table of `embed` for it."""
        stream, shift = token_wise("x", x.width, self.norm), self.norm == "layer"
        logits = writes(Space("vocabulary", scope.vocabulary or 0, rows=Rows()))
        if self.tied:
            affine = norm("norm", stream, role=Role.TIED_SCALE, shift=shift, place="last")
            table = Parameter("table", (logits, normalised(stream)), "tokens")
            return Axes((reads(stream),), logits, (affine,), (table,))
        proj = linear("proj", logits, normalised(stream), init="tokens", bias=False, place="last")
        return Axes((reads(stream),), logits, (norm("norm", stream, shift=shift), proj))

    def flops(self, x: Shape, scope: Scope) -> int:
        """One product with the weight per token."""
        return 2 * x.size * (scope.vocabulary or 0)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The inputs of the norm and of the map, and the mean and deviation of each token."""
        if self.norm == "rms":  # which plain PyTorch computes in two steps
            return 3 * x.size + x.positions
        return 2 * x.size + 2 * x.positions
