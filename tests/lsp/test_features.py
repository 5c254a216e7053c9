"""The features of the language server as functions: `^` marks the place."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsp_texts import BLOCKS, CHILD, CORE, SPECS, analysed, point, project, source, typed

from growlang.diagnostics import Span
from growlang.lsp.analysis import Point
from growlang.lsp.completion import complete
from growlang.lsp.context import context
from growlang.lsp.definition import definition
from growlang.lsp.fixes import fixes
from growlang.lsp.hints import hints
from growlang.lsp.hover import hover
from growlang.lsp.symbols import symbols


def labels(name: str, whole: str, old: str, new: str) -> list[str]:
    analysis, at = typed(name, whole, old, new)
    return [c.label for c in complete(project(analysis), analysis, at)]


# --- context -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "section", "statement", "call", "argument"),
    [
        ("grow 1\n^", "", "", "", ""),
        ("grow 1\nmodel m { ^", "model", "", "", ""),
        ("grow 1\nmodel m { core @ 16 ^", "model", "core", "", ""),
        ("grow 1\nmodel m { core transformer(^", "model", "core", "transformer", ""),
        ("grow 1\nmodel m { core t(8, heads = ^", "model", "core", "t", "heads"),
        ("grow 1\nmodel m { core t(8, attend = [self, ^", "model", "core", "t", "attend"),
        ("grow 1\nmodel m { core t(8) | ^", "model", "core", "", ""),
        ("grow 1\nmodel m { stem (a | ^", "model", "stem", "", ""),
        ("grow 1\nmodel m { stage @ 8 (down = ^", "model", "stage", "stage", "down"),
        ("grow 1\nmodel m { stage @ 8 { encode ^", "sides", "encode", "", ""),
        ("grow 1\nmodel m { time = ^", "model", "time", "", ""),
        ("grow 1\nmodel m { keep core, ^", "model", "keep", "", ""),
        ("grow 1\nmodel m { grow core, ^", "model", "grow", "", ""),
        ("grow 1\nmodel m { grow core by ^", "model", "by", "", ""),
        ("grow 1\nmodel m { grow by by resize, ^", "model", "by", "", ""),
        ("grow 1\nmodel m { grow core by widen(copy, break = ^", "model", "by", "widen", "break"),
        ("grow 1\ntrain { batch = 8 phase a for 3 { freeze ^", "phase", "freeze", "", ""),
        ("grow 1\ntrain { optimizer = adamw(^", "train", "optimizer", "adamw", ""),
        ("grow 1\ndata d = ^", "", "data", "", ""),
        ("grow 1\nblock b(w) { ^", "block", "", "", ""),
    ],
)
def test_a_context_is_told_from_text_that_does_not_parse(
    text: str, section: str, statement: str, call: str, argument: str
) -> None:
    found = context(*point(text))
    assert (found.section, found.statement) == (section, statement)
    assert (found.call, found.argument) == (call, argument)


@pytest.mark.parametrize("text", ["grow 1 # a ^", 'grow 1 import "a^', 'grow 1 import "a b^'])
def test_comments_and_strings_are_quiet(text: str) -> None:
    assert context(*point(text)).quiet
    assert not context(*point('grow 1 # "a"\n^')).quiet


# --- completion ----------------------------------------------------------------------------------


def test_ops_and_blocks_in_a_pipe() -> None:
    found = labels("core.grow", CORE, "| residual(width)\n", "| res^\n")
    assert found == ["residual"]
    found = labels("blocks.grow", BLOCKS, "lib.twice(16)", "^")
    assert {"transformer", "res2", "lib.twice", "lib.pair"} <= set(found)


def grown(rules: str) -> tuple[str, str, str, str]:
    """The child of the fixtures with a `grow ... by`."""
    return (
        "child.grow",
        CHILD,
        "  drop stem, head\n",
        f"  drop stem, head\n  grow core by {rules}\n",
    )


@pytest.mark.parametrize(
    ("rules", "some", "none"),
    [
        ("^", {"widen", "deepen", "heads", "resize", "extend"}, {"residual", "core", "bridge"}),
        ("widen(^)", {"how = ", "break = ", "exact", "pad"}, {"size = "}),
        ("widen(copy, break = ^)", {"shares", "moments", "noise", "none"}, {"exact"}),
        ("resize(^)", {"nearest", "flexi"}, {"size = ", "side = "}),
        ("resize, ^", {"widen"}, {"nearest"}),
    ],
)
def test_rules_and_their_arguments(rules: str, some: set[str], none: set[str]) -> None:
    found = set(labels(*grown(rules)))
    assert some <= found
    assert not none & found


def test_arguments_that_are_not_given_yet() -> None:
    found = labels("core.grow", CORE, "(width, heads = 2, attend", "(width, heads = 2, ^, attend")
    assert {"mlp = ", "norm = ", "bias = "} <= set(found)
    assert "heads = " not in found
    assert "width" in found


def test_choices_of_an_argument() -> None:
    found = labels("core.grow", CORE, "heads = 2, attend", "heads = 2, norm = ^, attend")
    assert found[:2] == ["layer", "rms"]
    assert "random" in labels("core.grow", CORE, "at = random", "at = ^")


def test_conditions_in_attend() -> None:
    assert labels("core.grow", CORE, "[self, text]", "[self, t^]")[0] == "text"


def test_nested_calls_and_settings() -> None:
    assert labels("core.grow", CORE, "= adamw(lr = 1e-3)", "= ad^") == ["adamw", "adam"]
    found = labels("core.grow", CORE, "ema       = 0.99", "e^")
    assert found == ["ema = "]
    found = labels(
        "core.grow",
        CORE,
        "optimizer = adamw",
        "objective = diffusion(schedule = ^)\n  optimizer = adamw",
    )
    assert found[:2] == ["cosine", "interpolated"]


def test_selectors_in_keep_are_the_parents_and_in_freeze_the_models() -> None:
    found = labels("child.grow", CHILD, "keep core, text", "keep ^")
    assert {"core", "stem", "head", "time"} <= set(found)
    assert "stage[16]" not in found
    found = labels("child.grow", CHILD, "freeze core, text, time", "freeze ^")
    assert {"stage[16]", "stage[8]", "all"} <= set(found)
    found = labels("child.grow", CHILD, "freeze core, text, time", "freeze core.transformer[0].^")
    assert found == ["core.transformer[0].attend", "core.transformer[0].mlp"]


def test_what_the_files_declare_are_arguments() -> None:
    found = labels("child.grow", CHILD, '"core.grow"', '"core.grow" (depth = 1, ^)')
    assert found[:2] == ["width = ", "half = "]
    assert labels("blocks.grow", BLOCKS, "mix(wide", "mix(o^wide") == ["one = "]
    assert labels("blocks.grow", BLOCKS, "row.width >= image", "row.w^ >= image") == ["row.width"]
    assert "depth = " in labels("blocks.grow", BLOCKS, "lib.twice(16)", "lib.pair(8, ^)")
    found = labels("blocks.grow", BLOCKS, "res2(width) { residual(width)", "res2(wide) { norm(w^)")
    assert "wide" in found


def test_where_a_run_starts() -> None:
    found = labels("child.grow", CHILD, "start = scratch ", "start = ^ ")
    assert found[:3] == ["scratch", "parent", "parent.ema"]
    assert labels("child.grow", CHILD, "  seed = 3", "  moments = r^")[0] == "reset"


def test_settings_that_are_chosen_from_the_length() -> None:
    assert labels("core.grow", CORE, "ema       = 0.99", "ema       = ^")[0] == "auto"
    assert labels("core.grow", CORE, "ema       = 0.99", "warmup = a^")[0] == "auto"
    found = labels("core.grow", CORE, "ema       = 0.99", "lr_schedule = ^")
    assert {"auto", "cosine", "wsd"} <= set(found)


def test_data_may_be_data_only() -> None:
    found = labels("core.grow", CORE, "= pictures\n", "= ^\n")
    assert found[:5] == ["webdataset", "folder", "text", "hf", "pictures"]
    assert "width" not in found


def test_statements_of_a_section() -> None:
    assert labels("child.grow", CHILD, "drop stem, head", "dr^") == ["drop"]
    assert "model" in labels("child.grow", "grow 1\n\n", "\n\n", "\n^\n")


def test_nothing_in_a_comment() -> None:
    assert labels("core.grow", CORE, "# a small parent", "# a sm^") == []


# --- hover ---------------------------------------------------------------------------------------


def hovered(name: str, whole: str, old: str, new: str) -> str:
    analysis, at = typed(name, whole, old, new)
    return hover(project(analysis), analysis, at)


def test_hover_on_an_op_has_signature_shape_and_parameters() -> None:
    text = hovered("core.grow", CORE, "transformer(", "transf^ormer(")
    assert "**16 x 16 tokens**, 2 ops" in text
    assert "transformer(width, heads, attend = [self], mlp = 4.0" in text
    assert "- `heads`: attention heads; divides the width" in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("heads = 2", "hea^ds = 2", "attention heads"),
        ("* depth", "* de^pth", "`depth` = `2` (line 4)"),
        ("core @ 4", "co^re @ 4", "`core`: **16 x 16 tokens**, 14,336 parameters"),
        ("[self, text]", "[self, te^xt]", "`text`: **5 x 24 tokens**, 744 parameters"),
        ("ddim(", "dd^im(", "arXiv 2010.02502"),
        ("# a small", "# a sm^all", ""),
    ],
)
def test_hover(old: str, new: str, said: str) -> None:
    text = hovered("core.grow", CORE, old, new)
    assert said in text
    assert bool(said) == bool(text)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("wid^en(exact)", "widen(how = exact, break = shares)"),
        ("wid^en(exact)", "1511.05641"),
        ("widen(exact, bre^ak = none)", "`break`: what tells copies apart"),
        ("widen(exact, break = noi^se(0.2))", "noise(std = 0.1)"),
        ("dee^pen(stack)", "deepen(how, every = none, init = zero)"),
        ("res^ize(flexi)", "resize(how = nearest)"),
        ("ext^end", "`words` with a whole multiple of the vocabulary"),
    ],
)
def test_hover_on_a_rule_and_its_arguments(rules: str, said: str) -> None:
    assert said in hovered(*grown(rules))


def test_a_transform_is_not_the_rule_of_its_name() -> None:
    assert "resize(size" in hovered("core.grow", CORE, "[resize(image", "[res^ize(image")


def test_a_default_of_nought_is_no_truth_value() -> None:
    assert "dropout = 0.0" in hovered(
        "core.grow", CORE, "residual(width)\n  core", "res^idual(width)\n  core"
    )
    assert "causal = false" in hovered("core.grow", CORE, "transformer(", "transf^ormer(")


def test_the_parameter_of_a_block_is_not_the_param_of_that_name() -> None:
    text = hovered("blocks.grow", BLOCKS, "residual(width) * 2", "residual(wi^dth) * 2")
    assert text == "`width`: a parameter of `res2`"


def test_hover_on_a_block_and_on_an_imported_param() -> None:
    assert "block lib.twice(width)" in hovered("blocks.grow", BLOCKS, "lib.twice", "lib.tw^ice")
    text = hovered("blocks.grow", BLOCKS, "res2(lib.channels)", "res2(lib.ch^annels)")
    assert text == "`lib.channels` = `8` (blocks.grow:3)"


# --- definition ----------------------------------------------------------------------------------


def defined(name: str, whole: str, old: str, new: str) -> Span | None:
    analysis, at = typed(name, whole, old, new)
    return definition(project(analysis), analysis, at)


@pytest.mark.parametrize(
    ("name", "whole", "old", "new", "file", "row"),
    [
        ("core.grow", CORE, "* depth", "* de^pth", "core.grow", 4),
        ("core.grow", CORE, "[self, text]", "[self, te^xt]", "core.grow", 9),
        ("core.grow", CORE, "= pictures", "= pict^ures", "core.grow", 17),
        ("blocks.grow", BLOCKS, "lib.twice", "lib.tw^ice", "lib/blocks.grow", 9),
        ("blocks.grow", BLOCKS, "(res2(", "(re^s2(", "blocks.grow", 7),
        ("blocks.grow", BLOCKS, "residual(width) * 2", "residual(wi^dth) * 2", "blocks.grow", 7),
        ("blocks.grow", BLOCKS, "= one.where", "= on^e.where", "blocks.grow", 17),
        ("blocks.grow", BLOCKS, "lib/blocks", "lib/bl^ocks", "lib/blocks.grow", 1),
        ("child.grow", CHILD, '"core.grow"', '"co^re.grow"', "core.grow", 1),
        ("child.grow", CHILD, "keep core", "keep co^re", "core.grow", 13),
        ("child.grow", CHILD, "drop stem, head", "drop stem, he^ad", "core.grow", 14),
        ("child.grow", CHILD, "freeze core, text", "freeze core, te^xt", "core.grow", 9),
    ],
)
def test_definition(name: str, whole: str, old: str, new: str, file: str, row: int) -> None:
    span = defined(name, whole, old, new)
    assert span is not None
    assert (Path(span.filename).resolve(), span.row) == ((SPECS / file).resolve(), row)


def test_a_file_that_is_not_there_has_no_place() -> None:
    assert defined("child.grow", CHILD, '"core.grow"', '"co^res.grow"') is None


def test_nothing_is_defined_where_nothing_is_named() -> None:
    assert defined("core.grow", CORE, "grow 1", "gr^ow 1") is None


# --- symbols and fixes ---------------------------------------------------------------------------


def test_symbols_are_the_outline() -> None:
    found = symbols(source(analysed("core.grow", CORE)))
    assert [s.name for s in found if s.kind == "param"] == ["width", "depth", "half"]
    model = next(s for s in found if s.kind == "model")
    assert [s.name for s in model.children] == ["image", "text", "time", "stem", "core @ 4", "head"]
    recipes = {s.name: [p.name for p in s.children] for s in found if s.kind == "train"}
    assert recipes == {"first": ["learn"], "second": ["learn"]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("residual(width)\n  core", "r^esidul(width)\n  core"),
        ("heads = 2", "h^aeds = 2"),
        ("at = random", "at = r^andon"),
        ("ema  ", "em^aa  "),
    ],
)
def test_a_fix_writes_what_was_meant(old: str, new: str) -> None:
    analysis, _ = typed("core.grow", CORE, old, new)
    (item,) = analysis.diagnostics
    place = Point(item.span.row, item.span.column)
    (fix,) = fixes(analysis, place, place)
    lines = analysis.text.split("\n")
    line = lines[fix.span.row - 1]
    lines[fix.span.row - 1] = (
        line[: fix.span.column - 1] + fix.text + line[fix.span.end_column - 1 :]
    )
    assert analysed("core.grow", "\n".join(lines)).diagnostics == ()


def test_a_fix_that_may_change_the_meaning_says_so() -> None:
    analysis, cursor = typed("core.grow", CORE, "ema  ", "optimizer = ^muonn(lr = 1e-4)\n  ema  ")
    (fix,) = fixes(analysis, cursor, cursor)
    assert (fix.text, fix.safe) == ("muon", False)
    assert fix.title == "write `muon` instead of `muonn` (unsafe: it may change the meaning)"


@pytest.mark.parametrize(
    ("old", "new"), [("* depth", "* d^epht"), ("resize(image.size)", "resize(i^mag.size)")]
)
def test_what_is_not_sure_has_no_fix(old: str, new: str) -> None:
    analysis, cursor = typed("core.grow", CORE, old, new)
    assert analysis.diagnostics
    assert fixes(analysis, cursor, cursor) == []


# --- hints --------------------------------------------------------------------------------------


def test_hints_are_the_outputs_of_slots() -> None:
    found = hints(analysed("child.grow", CHILD))
    assert [(hint.point.row, hint.label) for hint in found] == [
        (8, "-> 8 x 16 x 16"),
        (9, "-> 8 x 16 x 16"),
        (10, "-> 12 x 8 x 8"),
        (11, "-> 3 x 32 x 32"),
    ]
    row = CHILD.split("\n")[8]
    assert found[1].point.column == len(row) + 1
    assert found[1].tooltip == "`stage[16]`: **8 x 16 x 16 grid**, 7,556 parameters"


def test_errors_hide_hints() -> None:
    assert hints(typed("core.grow", CORE, "heads = 2", "heads = 3^")[0]) == []
