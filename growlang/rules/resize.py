"""Another grid."""

from typing import Literal

from growlang.rules.base import Rule
from growlang.signatures.signature import argument


class Resize(Rule):
    """Another grid: tables of positions and the filters of patches are interpolated.

    It is exact for patches of a whole multiple of their side, by `nearest`: they compute of an
    image what the old ones do of the means of its pixels, and what the old ones put out is
    repeated. A noisy image's means have less noise, so this is not yet the parent's denoiser. Other
    patches are inexact by any of them. Positions on another grid have no function to compare
    with. `nearest`, `bilinear` and `bicubic` interpolate as ViT does its positions, `bicubic` as
    transformers does (`interpolate_pos_encoding`); `flexi` takes the filters that agree best with
    the old ones on enlarged images (FlexiViT). Tokens in front keep their positions.
    """

    call = "resize"
    listed = 4
    order = 1
    gives = "large a grid"
    source = "arXiv 2010.11929 (ViT), arXiv 2212.08013 (FlexiViT)"
    how: Literal["nearest", "bilinear", "bicubic", "flexi"] = argument(
        "values of the `nearest` place, `bilinear` or `bicubic` ones, or the pseudo-inverse of "
        "enlarging, `flexi`, which is for patches",
        "nearest",
    )
