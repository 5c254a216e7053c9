"""Which words are surely a slip for one of ours, and which are words of their own."""

from __future__ import annotations

import pytest

from growlang import ops
from growlang.diagnostics.spelling import is_slip
from growlang.spec.objectives import WEIGHTS
from growlang.spec.optimizers import OPTIMIZERS
from growlang.spec.samplers import SAMPLERS

OPS = ops.OPS.names()


@pytest.mark.parametrize(
    ("word", "meant", "known"),
    [
        ("residul", "residual", OPS),
        ("transfromer", "transformer", OPS),
        ("unptach", "unpatch", OPS),
        ("dpm_slover", "dpm_solver", SAMPLERS),
        ("sigmiod", "sigmoid", WEIGHTS),
        ("centrer", "centre", ["centre", "random"]),
        ("btach", "batch", ["batch", "data"]),
    ],
)
def test_one_slip_is_a_slip(word: str, meant: str, known: list[str]) -> None:
    assert is_slip(word, meant, known)


@pytest.mark.parametrize(
    ("word", "meant", "known"),
    [
        ("adamax", "adamw", OPTIMIZERS),
        ("lion", "adamw", OPTIMIZERS),
        ("soft_min_snr", "min_snr", WEIGHTS),
        ("fp16", "bf16", ["fp32", "bf16"]),
        ("f16", "bf16", ["fp32", "bf16"]),
        ("ddjm", "ddim", SAMPLERS),
        ("ddm", "ddpm", SAMPLERS),
        ("dct", "dwt", ["down", "dwt"]),
        ("inverse_sqr", "inverse_sqrt", ["constant", "cosine", "inverse_sqrt"]),
        ("clip", "flip", ["resize", "crop", "flip"]),
        ("depht", "depth", ["depth", "dept"]),
        ("dpth", "dept", ["depth", "dept"]),
        ("conv1d", "conv2d", ["conv2d", "linear"]),
        ("center", "centre_", ["centre_", "random"]),
    ],
)
def test_a_word_of_its_own_is_none(word: str, meant: str, known: list[str]) -> None:
    assert not is_slip(word, meant, known, inside=True)
