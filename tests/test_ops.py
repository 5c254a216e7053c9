"""The catalogue without torch: shapes, refusals, widths of encoders, cost."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError
from work import calls

from growlang.net import Shape, grid, tokens
from growlang.ops import CHANGES, CONDITIONS, INTERNAL, OPS, TIME, OpError, Scope, op_of

TABLES = (OPS, CHANGES, CONDITIONS, TIME, INTERNAL)
NAMES = [name for table in TABLES for name in table]
GRID, TOKENS = grid(6, 9, 12), tokens(10, 32)


def test_every_op_is_in_one_table_and_found_by_its_name() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert all(op_of(name).call == name for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_op_and_argument_is_described(name: str) -> None:
    op = op_of(name)
    assert op.__doc__
    assert op.source
    assert all(field.description for field in op.model_fields.values())


@pytest.mark.parametrize(
    ("name", "args", "x", "argument"),
    [
        ("patch", {"factor": 2, "width": 8}, GRID, "factor"),
        ("down", {"factor": 2, "width": 8}, GRID, "factor"),
        ("dwt", {"factor": 2, "width": 8}, GRID, "factor"),
        ("dwt", {"factor": 3, "width": 8}, GRID, "factor"),
        ("idwt", {"factor": 6, "width": 8}, GRID, "factor"),
        ("conv", {"width": 8, "kernel": 2}, GRID, "kernel"),
        ("residual", {"width": 8, "kernel": 4}, GRID, "kernel"),
        ("transformer", {"width": 64, "heads": 4}, TOKENS, "width"),
        ("attention", {"width": 32, "heads": 5}, TOKENS, "heads"),
        ("transformer", {"width": 32, "heads": 4, "attend": ["self", "text"]}, TOKENS, "attend"),
        ("transformer", {"width": 32, "heads": 4, "attend": ["self", "self"]}, TOKENS, "attend"),
        ("transformer", {"width": 32, "heads": 4, "kv_heads": 3}, TOKENS, "kv_heads"),
        (
            "transformer",
            {"width": 32, "heads": 4, "attend": ["tag"], "causal": True},
            TOKENS,
            "causal",
        ),
        ("fourier", {"width": 7}, Shape("vector", ()), "width"),
        ("t5", {"id": "someone/unknown"}, GRID, "width"),
        ("t5", {"id": "google/flan-t5-xl", "width": 4096}, GRID, "width"),
        ("encoder", {"id": "folder"}, GRID, "width"),
        ("grid", {"height": 3, "width": 3}, TOKENS, None),
        ("unembed", {}, TOKENS, None),
        ("position", {"kind": "sincos", "height": 3, "width": 3}, tokens(9, 6), "position"),
    ],
)
def test_what_does_not_fit_is_refused(
    name: str, args: dict[str, Any], x: Shape, argument: str | None
) -> None:
    with pytest.raises(OpError) as error:
        op_of(name).model_validate(args).output(x, Scope(conditions={"tag": tokens(1, 4)}))
    assert error.value.argument == argument


def test_a_width_that_changes_names_both_and_the_edit() -> None:
    op = op_of("transformer").model_validate({"width": 64, "heads": 4})
    with pytest.raises(OpError) as error:
        op.output(TOKENS, Scope())
    assert "64" in error.value.message and "32" in error.value.message
    assert "write `width = 32`" in error.value.help


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("patch", {"factor": 0, "width": 8}),
        ("residual", {"width": 8, "dropout": 1.0}),
        ("transformer", {"width": 8, "heads": 2, "attend": []}),
        ("transformer", {"width": 8, "heads": 2, "norm": "batch"}),
        ("conv", {"width": "8"}),
    ],
)
def test_arguments_out_of_range_are_refused(name: str, args: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        op_of(name).model_validate(args)


@pytest.mark.parametrize(
    ("name", "args", "shape"),
    [
        ("t5", {"id": "google/t5-v1_1-xxl"}, tokens(128, 4096)),
        ("t5", {"id": "google/flan-t5-xl", "tokens": 64}, tokens(64, 2048)),
        ("t5", {"id": "t5-small"}, tokens(128, 512)),
        ("t5", {"id": "my/folder", "width": 96}, tokens(128, 96)),
        ("encoder", {"id": "openai/clip-vit-large-patch14"}, tokens(77, 768)),
        ("encoder", {"id": "google/t5-v1_1-large"}, tokens(77, 1024)),
        ("words", {"width": 24}, tokens(32, 24)),
        ("classes", {"n": 10, "width": 24}, tokens(1, 24)),
    ],
)
def test_conditions_give_tokens(name: str, args: dict[str, Any], shape: Shape) -> None:
    assert op_of(name).model_validate(args).output(GRID, Scope()) == shape


def test_from_is_an_argument_of_conditions() -> None:
    op = op_of("words").model_validate({"width": 8, "from": "alt"})
    assert op.arguments()["from"] == "alt"
    assert op_of("words").model_validate(op.arguments()) == op


def test_norms_biases_and_tables_are_left_out_of_weight_decay() -> None:
    scope = Scope(8, {"text": tokens(4, 6)})
    block = {"width": 32, "heads": 4, "attend": ["self", "text"]}
    for name, args, x in (
        ("transformer", block, TOKENS),
        ("residual", {"width": 8}, GRID),
        ("words", {"width": 8}, GRID),
        ("position", {}, TOKENS),
    ):
        for tensor in op_of(name).model_validate(args).tensors(x, scope):
            weight = tensor.name.endswith(".weight") and len(tensor.shape) > 1
            assert tensor.decay == (weight and "embedding" not in tensor.name)


def test_parameters_of_a_transformer_block_follow_the_closed_form() -> None:
    """DiT-XL/2's block (arXiv 2212.09748) has 18 width^2 weights with adaLN of 6 width."""
    width = 1152
    op = op_of("transformer").model_validate({"width": width, "heads": 16, "qk_norm": False})
    rows = op.tensors(tokens(256, width), Scope(width))
    assert sum(t.parameters for t in rows if t.decay) == 18 * width**2
    assert sum(t.parameters for t in rows if not t.decay) == (3 + 1 + 4 + 1 + 6) * width


def test_the_table_takes_a_few_calls_a_tensor_however_wide() -> None:
    def describe(width: int) -> int:
        scope, x = Scope(width, {"text": tokens(128, 4096)}), tokens(256, width)
        args = {"width": width, "heads": 16, "attend": ["self", "text"]}
        op = op_of("transformer").model_validate(args)
        op.output(x, scope), op.flops(x, scope), op.saved_activations(x, scope), op.arguments()
        return len(op.tensors(x, scope))

    tensors = describe(64)  # pydantic builds the op's schema at its first use
    narrow, *wider = (calls(partial(describe, width)) for width in (64, 2048, 32768))
    assert wider == [narrow] * 2
    assert narrow < 50 * tensors


def test_the_catalogue_imports_neither_torch_nor_the_runtime() -> None:
    code = "import sys, growlang.ops; print([m for m in ('torch', 'networkx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- the width of heads --------------------------------------------------------------------------

ATTENDING = pytest.mark.parametrize("name", ["attention", "transformer"])


@ATTENDING
def test_heads_that_have_a_width_need_not_divide_that_of_the_whole(name: str) -> None:
    scope = Scope(conditions={"text": tokens(5, 10)})
    args = {"width": 32, "heads": 5, "attend": ["self", "text"], "head_width": 8}
    op = op_of(name).model_validate(args)
    assert op.output(TOKENS, scope) == TOKENS
    shapes = {t.name: t.shape for t in op.tensors(TOKENS, scope)}
    assert shapes["attend.self.qkv.weight"] == (3 * 5 * 8, 32)
    assert shapes["attend.self.q_norm.weight"] == (8,)
    assert shapes["attend.self.out.weight"] == (32, 5 * 8)
    assert shapes["attend.text.q.weight"] == (5 * 8, 32)
    assert shapes["attend.text.kv.weight"] == (2 * 5 * 8, 10)


@ATTENDING
def test_heads_that_do_not_divide_the_width_may_be_given_theirs(name: str) -> None:
    op = op_of(name).model_validate({"width": 32, "heads": 5})
    with pytest.raises(OpError) as error:
        op.output(TOKENS, Scope())
    mend = error.value.help.rpartition("`head_width = ")[2].removesuffix("`")
    op_of(name).model_validate({"width": 32, "heads": 5, "head_width": int(mend)})


@ATTENDING
def test_heads_of_the_usual_width_are_those_of_an_earlier_version(name: str) -> None:
    args = {"width": 32, "heads": 4}
    usual, said = (op_of(name).model_validate(args | more) for more in ({}, {"head_width": 8}))
    assert "head_width" not in usual.arguments()
    assert said.arguments() == {**usual.arguments(), "head_width": 8}
    assert op_of(name).model_validate(said.arguments()) == said
    for rule in ("tensors", "flops", "saved_activations"):
        assert getattr(said, rule)(TOKENS, Scope()) == getattr(usual, rule)(TOKENS, Scope())
