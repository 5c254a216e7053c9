"""The condition that embeds numbers of a sample: scores, sizes, crops."""

import re
from typing import Annotated, Literal

from pydantic import Field

from growlang.net import Scope, Shape, tokens, vector
from growlang.net.axes import Axes, Role, Space, Symmetry, axis, reads, writes
from growlang.ops.base import OpError
from growlang.ops.conditions import Condition
from growlang.ops.kept import FP32, Kept, Widths
from growlang.ops.layers import linear, plain, table
from growlang.signatures.signature import argument

SIZES = ("height", "width")
"""Fields that are pixels of the image as it is stored."""
CROPS = ("crop_top", "crop_left")
"""Fields that are pixels above and left of the crop, of the image that is cropped."""
JSON = "json:"
TABLES = ("csv", "tsv", "jsonl", "parquet")
"""Endings of files that are tables."""
TABLE = re.compile(rf".*\.({'|'.join(TABLES)}):.+", re.IGNORECASE)


class Number(Condition):
    """Numbers of a sample as one token: sines and cosines of each, then linear, SiLU, linear.

    Those of several fields stand one behind the other before the first map, as SDXL embeds its
    sizes and crops (arXiv 2307.01952, section 2.2): `add_embedding` of diffusers computes the
    same. The n frequencies of a number are `max_period`^(-i / n). The null is a learned token;
    without one, `null = false`, dropping conditions leaves the numbers as they are, and guidance
    is between two predictions of equal numbers.
    """

    call = "number"
    source = "arXiv 2307.01952"
    runtime = "growlang_runtime.conditioning.readers:number"
    role = "number"
    field = "number"
    width: int = argument("channels of the token", ge=1)
    from_: str | Annotated[list[str], Field(min_length=1)] = argument(
        'what is read of a sample, or a list: "json:FIELD", "TABLE.csv:COLUMN" of a folder, '
        '"height", "width", "crop_top", "crop_left"',
        alias="from",
    )
    features: int = argument("sines and cosines of each number, together; even", 256, ge=2)
    order: Literal["sin_cos", "cos_sin"] = argument(
        "whether the sines of all frequencies come first, or the cosines", "cos_sin"
    )
    max_period: float = argument(
        "period of the slowest wave over that of the fastest", 10_000.0, gt=1
    )
    scale: float = argument("numbers are multiplied by it", 1.0, gt=0)
    null: bool = argument("whether a learned token stands for no numbers", True)

    @property
    def fields(self) -> tuple[str, ...]:
        """What is read, in order."""
        return (self.from_,) if isinstance(self.from_, str) else tuple(self.from_)

    @property
    def members(self) -> frozenset[str]:
        """The JSON file, and columns of tables."""
        json = {"json" for field in self.fields if field.startswith(JSON)}
        return frozenset(json | {field for field in self.fields if TABLE.fullmatch(field)})

    @property
    def can_be_null(self) -> bool:
        """`null`."""
        return self.null

    def given(self, out: Shape) -> Shape:
        """The numbers."""
        return vector(len(self.fields))

    def usual(self, height: int, width: int) -> tuple[float, ...] | None:
        """The numbers of an image that is drawn, of such a size; None where they are not of it.

        It is as large as it is drawn, and not cropped, as pipelines of SDXL have it.
        """
        known = {"height": height, "width": width, "crop_top": 0, "crop_left": 0}
        if any(field not in known for field in self.fields):
            return None
        return tuple(float(known[field]) for field in self.fields)

    def output(self, x: Shape, scope: Scope) -> Shape:
        """(1, width)."""
        if self.features % 2:
            raise OpError(
                f"`features` must be even, not {self.features}: sines and cosines come in pairs",
                argument="features",
            )
        for field in self.fields:
            if not _is_known(field):
                raise OpError(
                    f'`from` has "{field}", which is no field of a sample',
                    argument="from",
                    help=f'write `"json:{field}"` for a field of the JSON file beside an image; '
                    f"an image has {', '.join((*SIZES, *CROPS))}",
                )
        if len(set(self.fields)) < len(self.fields):
            twice = next(f for f in self.fields if self.fields.count(f) > 1)
            raise OpError(f'`from` lists "{twice}" twice', argument="from")
        return tokens(1, self.width)

    def axes(self, x: Shape, scope: Scope) -> Axes:
        """`linear1` (width, numbers * features), `linear2` (width, width), `null` (1, width)."""
        frequencies = Space("frequencies", self.features // 2, Symmetry.FIXED)
        hidden, out = Space("hidden", self.width), plain("out", self.width)
        columns = reads(len(self.fields), 2, frequencies)
        layers = [
            linear("linear1", writes(hidden), columns),
            linear("linear2", writes(out), reads(hidden), place="last"),
        ]
        if self.null:
            layers.append(table("null", axis(Role.POSITION, 1), writes(out), "embedding"))
        return Axes(((),), writes(out), tuple(layers))

    def flops(self, x: Shape, scope: Scope) -> int:
        """The two linear maps."""
        return 2 * self.width * (len(self.fields) * self.features + self.width)

    def saved_activations(self, x: Shape, scope: Scope) -> int:
        """The inputs of the linear maps and of the SiLU."""
        return len(self.fields) * self.features + 2 * self.width

    def kept(self, x: Shape, scope: Scope, widths: Widths) -> Kept:
        """The inputs of the linear maps and of the SiLU."""
        result = FP32 if self.null else widths.maps
        return Kept(0, widths.maps * self.saved_activations(x, scope), result)


def _is_known(field: str) -> bool:
    json = field.startswith(JSON) and len(field) > len(JSON)
    return json or field in (*SIZES, *CROPS) or TABLE.fullmatch(field) is not None
