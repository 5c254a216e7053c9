"""What an op declares: signature, shape rule, axes of its parameters, cost; all without torch."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from growlang.net import Scope, Shape, Tensor
from growlang.net.axes import Axes
from growlang.ops.kept import FP32, Kept, Widths
from growlang.signatures.canonical import Later
from growlang.signatures.signature import Conditions, Signature

Eps = Annotated[Annotated[float, Field(gt=0)] | None, Later()]
"""What norms of an op add to the variance; None where it is the net's."""


class OpError(Exception):
    """An op cannot be used as it was called: `argument` is at fault (None: its input is).

    The compiler turns it into a finding of `code` at the argument's place in the spec.
    """

    def __init__(
        self, message: str, *, argument: str | None = None, help: str = "", code: str = "G201"
    ) -> None:
        super().__init__(message)
        self.message = message
        self.argument = argument
        self.help = help
        self.code = code


def unknown_condition(argument: str, name: str, scope: Scope, help: str) -> OpError:
    """The error where an argument lists what is no condition of the model, mended by `help`."""
    why = "which is not a condition of the model"
    if name in scope.targets:
        why = "a label without a width, which the net does not read"
        help = f"remove it, or give it a width: `{name} = classes({scope.targets[name]}, 64)`"
    message = f"`{argument}` lists `{name}`, {why}"
    return OpError(message, argument=argument, code="G208", help=help)


CalledAs = Literal["pipe", "down", "up", "condition", "time", "internal"]
"""Where the language calls an op: in a pipe, as the `down` or `up` of a stage, as a condition, as
`time`; or nowhere, and only the compiler places it."""


Resized = Literal["patches", "pixels", "kernel", "positions"]
"""What of an op `resize` puts on another grid: filters that read a patch, or write one, filters
with a border, or positions."""


class Op(Signature):
    """Base of the ops. Subclasses give the rules below; `x` is the shape of the op's input.

    Rules see valid shapes only: the compiler calls `output` first, and the others when it passed.
    """

    called_as: ClassVar[CalledAs] = "pipe"
    """Where the language calls it."""
    source: ClassVar[str]
    """Where the computation is published."""
    input_kind: ClassVar[Literal["grid", "tokens", "ids", "any"]]
    """The kind of value the op works on; the compiler converts between grid and tokens.

    `any` is a grid or tokens: ids are numbers of tokens, with which only `embed` can do something.
    """

    is_residual: ClassVar[bool] = False
    """Whether it adds to its input, or to a map of it, and adds nothing as it is initialised.

    Its last layers, or the gates of its branches, begin with `init="zeros"`.
    """

    takes_skips: ClassVar[bool] = False
    """Whether `skips = block` joins it: its result is a skip where a stage goes down, and it takes
    one where it comes up."""

    is_join: ClassVar[bool] = False
    """Whether it joins its input with another value: its result is not zero where its input is."""

    is_layout: ClassVar[bool] = False
    """Whether its result has the values of its input, laid out as they are or otherwise."""

    has_tensors: ClassVar[bool] = True
    """Whether it has parameters."""

    ends_head: ClassVar[bool] = False
    """Whether its result is that of the model, which no other op takes."""

    resized: ClassVar[Resized | None] = None
    """How the rule `resize` applies to it; None where it does not."""

    training_arguments: ClassVar[frozenset[str]] = frozenset()
    """Arguments that tell training alone what to do: a grown op may have others than its parent."""

    tables_argument: ClassVar[str | None] = None
    """The argument that says whether it takes `tables` of other ops."""

    carried: ClassVar[frozenset[str]] = frozenset()
    """Names of `numbers` that growth keeps as they are beside what becomes larger."""

    sublayer_arguments: ClassVar[frozenset[str]] = frozenset()
    """Arguments that say what the sublayers of some conditions are, also of new ones."""

    names_argument: ClassVar[str | None] = None
    """The argument that names its ids in their order, of which a grown op keeps the parent's."""

    @property
    def conditions_argument(self) -> str | None:
        """The name of its `Conditions` argument, such as `attend`; None where it has none."""
        fields = type(self).model_fields.items()
        has = (n for n, info in fields if any(isinstance(m, Conditions) for m in info.metadata))
        return next(has, None)

    @property
    def attended(self) -> tuple[str, ...] | None:
        """What its `Conditions` argument names, `self` or conditions; None where it has none."""
        name = self.conditions_argument
        named = () if name is None else getattr(self, name)
        return None if name is None else (named,) if isinstance(named, str) else tuple(named)

    @property
    def branches(self) -> dict[str, str | None]:
        """The prefix of the tensors of each branch, and what the branch attends to, if it does."""
        return {}

    @property
    def joined(self) -> dict[str, str]:
        """The prefix of the tensors of each condition that joins another branch; its name."""
        return {}

    @property
    def naming_arguments(self) -> frozenset[str]:
        """The arguments that name conditions."""
        name = self.conditions_argument
        return self.sublayer_arguments | ({name} if name else frozenset())

    @property
    def has_positions(self) -> bool:
        """Whether it tells tokens their positions itself, so that the core adds none."""
        return False

    @property
    def takes_front(self) -> bool:
        """Whether it takes a token in front of the core's, which stay there up to it."""
        return False

    @property
    def is_rotated(self) -> bool:
        """Whether `position = rope` of its slot rotates its queries and keys."""
        return False

    @property
    def norm_eps(self) -> float | None:
        """What its norms add to the variance, where an argument says it."""
        eps = getattr(self, "eps", None)
        return eps if isinstance(eps, float) else None

    @property
    def tables(self) -> tuple[str, ...]:
        """Ops whose table its module takes after all else, each the only one of its net."""
        return ()

    @property
    def result_width(self) -> int | None:
        """Channels of its result, where its arguments alone tell them: those of its `width`."""
        width = getattr(self, "width", None)
        return width if isinstance(width, int) else None

    def output(self, x: Shape, scope: Scope) -> Shape:
        """Shape of the result. Raises OpError if the op does not fit its input."""
        raise NotImplementedError

    def axes(self, x: Shape, scope: Scope) -> Axes | None:
        """The axes of its inputs, its result and its parameters, layer by layer.

        None where it does not declare them, and lists its `tensors` instead: those can be kept and
        dropped, and neither be widened nor tell which of them is the op's last map.
        """
        return None

    def tensors(self, x: Shape, scope: Scope) -> tuple[Tensor, ...]:
        """The parameters, named relative to the op's place, such as `conv1.weight`."""
        axes = self.axes(x, scope)
        return axes.tensors() if axes else ()

    def flops(self, x: Shape, scope: Scope) -> int:
        """Forward matmuls and convolutions for one image, 2 per multiply-add."""
        return 0

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """Scalars that the backward pass keeps for one image."""
        return 0

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """What the backward pass keeps on a GPU, by default all of `saved_activations` in fp32."""
        return Kept(FP32 * self.saved_activations(x, scope), 0, widths.x)

    def numbers(self, x: Shape, scope: Scope) -> dict[str, int]:
        """The counts that the op's width decides, by name: groups, hidden channels, frequencies.

        Those that `scope.numbers` keeps are as it says: a grown net may keep its parent's.
        """
        return {}

    def others(self, x: Shape, scope: Scope) -> tuple[Shape, ...]:
        """Shapes of the values that its node has beside `x` and what it `reads`: of joins alone."""
        return ()

    def reads(self, scope: Scope) -> tuple[str, ...]:
        """What the op's module takes after `x`: `time`, and names of conditions.

        A condition named `text` is passed as two values: its tokens and its mask.
        """
        return ()
