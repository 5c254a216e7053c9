"""Optimizers: what they are called with, and what they keep of each tensor beside the weights."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from growlang.signatures.signature import Signature, argument
from growlang.signatures.tables import CallOf, Table, read_call, table

Grows = Literal["first moment", "second moment"]
"""How a moment follows its tensor when that grows: as the gradient does, or as its square."""
Decay = Annotated[float, Field(ge=0, lt=1)]


class Optimizer(Signature):
    """Base of the optimizers.

    A package declares one as an entry point of the group `growlang.optimizers`. Where it has an
    argument `weight_decay`, that is applied to the tensors that decay alone.
    """

    runtime: ClassVar[str]
    """`module:function` of its update, which a run imports: (optimizer,
    `growlang_runtime.train.update.Given`) -> `growlang_runtime.train.update.Updated`."""

    lr: float = argument("learning rate", 1e-4, gt=0)

    def moments(self) -> Mapping[str, Grows | None]:
        """What it keeps of a tensor, of the tensor's shape, and how that grows with it.

        What has None is not known to grow: it begins anew where a tensor does not stay as it is.
        """
        return {}

    def at(self, lr: float) -> "Optimizer":
        """This optimizer at another learning rate."""
        return self.model_copy(update={"lr": lr})


ADAM: Mapping[str, Grows | None] = {"first": "first moment", "second": "second moment"}


class AdamFamily(Optimizer):
    """Base of Adam and AdamW, which differ in what they do with weight decay."""

    runtime = "growlang_runtime.train.adam:update"
    lr: float = argument("learning rate", 1e-4, gt=0)
    betas: Annotated[list[Decay], Field(min_length=2, max_length=2)] = argument(
        "decay rates of the two moments", [0.9, 0.99]
    )
    eps: float = argument("added to the root of the second moment", 1e-8, gt=0)

    def moments(self) -> Mapping[str, Grows | None]:
        """The means of gradients and of their squares."""
        return ADAM


class AdamW(AdamFamily):
    """Adam with decoupled weight decay (arXiv 1711.05101)."""

    call = "adamw"
    weight_decay: float = argument("per step, times the learning rate", 0.01, ge=0)


class Adam(AdamFamily):
    """Adam (arXiv 1412.6980); its weight decay is added to the gradient, as in torch.optim.Adam.

    Without weight decay it is `adamw(weight_decay = 0)`.
    """

    call = "adam"
    weight_decay: float = argument("added to the gradient, times the weight", 0.0, ge=0)


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as torch.optim.SGD without dampening."""

    call = "sgd"
    runtime = "growlang_runtime.train.sgd:update"
    lr: float = argument("learning rate", 0.01, gt=0)
    momentum: float = argument("share of the last step's velocity that is kept", 0.9, ge=0, lt=1)
    nesterov: bool = argument("look ahead by one step of the momentum", False)
    weight_decay: float = argument("added to the gradient, times the weight", 0.0, ge=0)

    def moments(self) -> Mapping[str, Grows | None]:
        """The velocity: the sum of gradients, each of which fades by the momentum."""
        return {"velocity": "first moment"} if self.momentum else {}


ADAMW = table(AdamW)


class Muon(Optimizer):
    """Momentum, orthogonalised, for the matrices of linear maps; AdamW for all other tensors.

    Of each part of a fused matrix (q, k, v; shift, scale, gate) the momentum is made nearly
    orthogonal by five Newton-Schulz iterations (K. Jordan, 2024, kellerjordan.github.io/posts/muon)
    and multiplied by sqrt(fan_out / fan_in) (arXiv 2310.17813), with which a net that grew by
    copies goes on as the net that it grew from. Filters of a convolution are a matrix of out x
    (in * k * k). Biases, norms, tables, depthwise filters and the ops that read the inputs or give
    the net's result are not orthogonalised.
    """

    call = "muon"
    runtime = "growlang_runtime.train.adam:update"
    lr: float = argument("learning rate of the matrices", 0.02, gt=0)
    momentum: float = argument("decay rate of the momentum", 0.95, ge=0, lt=1)
    nesterov: bool = argument("look ahead by one step of the momentum", True)
    weight_decay: float = argument("per step, times the learning rate", 0.01, ge=0)
    rest: Annotated[AdamW, CallOf(ADAMW), read_call(ADAMW)] = argument(
        "how all other tensors are trained; a phase's `lr` changes its rate in proportion", AdamW
    )

    def moments(self) -> Mapping[str, Grows | None]:
        """Those of the tensors that are no matrices; matrices have a `momentum`."""
        return ADAM

    def at(self, lr: float) -> "Muon":
        """Muon at another learning rate; that of the rest changes in proportion."""
        rest = self.rest.at(self.rest.lr * lr / self.lr)
        return self.model_copy(update={"lr": lr, "rest": rest})


OF_MATRICES: Mapping[str, Grows | None] = {"momentum": "first moment"}
"""What Muon keeps of a matrix."""
OPTIMIZERS = Table(Optimizer, [AdamW, Adam, SGD, Muon], group="growlang.optimizers")
CalledOptimizer = Annotated[SerializeAsAny[Optimizer], CallOf(OPTIMIZERS), read_call(OPTIMIZERS)]


def with_rate(optimizer: Optimizer, lr: float) -> Optimizer:
    """The optimizer at another learning rate; that of Muon's rest changes in proportion."""
    return optimizer.at(lr)
