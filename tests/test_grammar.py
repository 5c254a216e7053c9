from __future__ import annotations

import pytest
from fixture_specs import SPECS
from lark import Lark

from growlang.diagnostics import Span
from growlang.syntax import document as d
from growlang.syntax.building import comments, number
from growlang.syntax.grow import GRAMMAR, read


def parsed(text: str) -> d.Document:
    reading = read(text, "spec.grow")
    assert reading.findings == ()
    assert reading.result is not None
    return reading.result


def refused(text: str) -> list[str]:
    reading = read(text, "spec.grow")
    assert reading.result is None
    return [item.code for item in reading.findings]


def value(text: str) -> d.Expression:
    return parsed(f"grow 1 param x = {text}").params[0].value


def slot(text: str) -> d.Slot:
    statement = parsed(f"grow 1 model m {{ {text} }}").models[0].statements[0]
    assert isinstance(statement, d.Slot)
    return statement


def selection(text: str) -> d.Selection:
    statement = parsed(f"grow 1 model m {{ keep {text} }}").models[0].statements[0]
    assert isinstance(statement, d.Verb)
    return statement.selection


@pytest.fixture(scope="module")
def whole() -> d.Document:
    return parsed((SPECS / "whole_grammar.grow").read_text())


def test_the_grammar_is_lalr_1_without_conflicts() -> None:
    Lark(GRAMMAR.read_text(), parser="lalr", lexer="basic", propagate_positions=True, strict=True)


# --- names and keywords --------------------------------------------------------------------------

KEYWORDS = [
    "grow",
    "grows",
    "import",
    "as",
    "param",
    "block",
    "model",
    "data",
    "train",
    "sample",
    "evaluate",
    "phase",
    "for",
    "freeze",
    "lr_scale",
    "keep",
    "drop",
    "moved",
    "by",
    "init",
    "like",
]
RESERVED = ["stem", "stage", "core", "head", "encode", "decode", "except"]


@pytest.mark.parametrize("word", KEYWORDS)
def test_a_keyword_may_be_a_name_anywhere(word: str) -> None:
    document = parsed(
        f"grow 1 param {word} = 3 block {word}({word} = {word}) {{ {word}({word} = {word}) }} "
        f"model {word} {{ {word} = {word} }} data {word} = {word} "
        f"train {word} {{ {word} = [{word}, {word} = 1] phase {word} for {word} }}"
    )
    assert document.params[0].name == document.blocks[0].name == document.data[0].name == word
    (recipe,) = document.recipes
    assert (recipe.name, recipe.phases[0].name) == (word, word)
    assert document.models[0].statements[0].name == word  # type: ignore[union-attr]


@pytest.mark.parametrize("word", RESERVED)
def test_reserved_words_are_no_names(word: str) -> None:
    assert refused(f"grow 1 param {word} = 3") == ["G001"]
    assert refused(f"grow 1 model m {{ {word} = words(8) }}") == ["G001"]


def test_an_unnamed_recipe_is_main() -> None:
    assert parsed("grow 1 train { phase p for 1 }").recipes[0].name == "main"


# --- numbers, strings and comments ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2M", 2_000_000),
        ("1.5M", 1_500_000),
        ("30k", 30_000),
        ("8B", 8_000_000_000),
        ("5%", 0.05),
        ("100%", 1),
        ("1.5k", 1500),
        ("0.0001k", 0.1),
        ("1_000", 1000),
        ("1e-4", 1e-4),
        ("1e3", 1000.0),
        ("2.50", 2.5),
        ("007", 7),
    ],
)
def test_numbers(text: str, expected: int | float) -> None:
    assert number(text) == expected
    assert type(number(text)) is type(expected)
    constant = value(text)
    assert isinstance(constant, d.Constant)
    assert constant.value == expected


@pytest.mark.parametrize("text", ["2Mx", "1k5", "3d", "1e", "1e4567", "5%%", "1__a"])
def test_a_number_ends_at_a_word_boundary(text: str) -> None:
    assert refused(f"grow 1 param x = {text}")[0] in ("G001", "G003")


@pytest.mark.parametrize("text", ["9" * 5000, "1e999", "1e19", "99999999999999999B"])
def test_a_number_too_large_to_compute_with_is_refused(text: str) -> None:
    assert refused(f"grow 1 param x = {text}") == ["G003"]


def test_strings_know_escapes_and_hold_hashes() -> None:
    constant = value(r'"a \"b\" # c\n\\"  # "d"')
    assert isinstance(constant, d.Constant)
    assert constant.value == 'a "b" # c\n\\'


def test_comments_have_their_places(whole: d.Document) -> None:
    assert [(c.text, c.span.row, c.span.column) for c in whole.comments] == [
        ("# Every construct of the language, once.", 1, 1),
        ("# keywords may be names", 5, 47),
        ("# not in the string", 44, 81),
    ]
    rows = whole.text.split("\n")
    for comment in whole.comments:
        row = rows[comment.span.row - 1]
        assert row[comment.span.column - 1 : comment.span.end_column - 1] == comment.text


def test_a_comment_may_stand_behind_an_escaped_quote() -> None:
    (comment,) = comments(r'param x = "\"#" # here', "spec.grow")
    assert comment.text == "# here"


def test_layout_carries_no_meaning() -> None:
    wide = parsed("grow 1\n\n\tmodel m {\r\n stem  conv( 8 )\n\n|conv(3)# x\n}")
    tight = parsed("grow 1 model m{stem conv(8)|conv(3)}")
    assert shape_of(wide.models) == shape_of(tight.models)


def shape_of(node: object) -> object:
    """A tree without its spans."""
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        fields = zip(node._fields, node, strict=True)
        return (type(node).__name__, *(shape_of(v) for k, v in fields if "span" not in k))
    return tuple(map(shape_of, node)) if isinstance(node, tuple) else node


# --- expressions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("-a * b", "(-a) * b"),
        ("not a == b", "not (a == b)"),
        ("a or b and not c", "a or (b and (not c))"),
        ("a + 1 < b * 2", "(a + 1) < (b * 2)"),
        ("[1, 2,]", "[1, 2]"),
    ],
)
def test_operators_bind_as_in_arithmetic(text: str, same: str) -> None:
    assert shape_of(value(text)) == shape_of(value(same))


def test_comparisons_do_not_chain() -> None:
    assert refused("grow 1 param x = 1 < 2 < 3") == ["G001"]


def test_arguments_and_items_may_be_named() -> None:
    call = value("mix(a = 0.5, 3)")
    assert isinstance(call, d.Call)
    assert [a.name for a in call.arguments] == ["a", ""]
    items = value("[1, two = 2]")
    assert isinstance(items, d.ListOf)
    assert [a.name for a in items.items] == ["", "two"]


# --- slots ---------------------------------------------------------------------------------------


def test_a_parenthesis_after_a_slot_is_a_group() -> None:
    stem = slot("stem (a | b) * 2")
    assert stem.options == ()
    (item,) = stem.pipe
    assert isinstance(item.body, tuple)
    assert [i.body.name for i in item.body if isinstance(i.body, d.Call)] == ["a", "b"]
    assert shape_of(item.repeat) == ("Constant", 2)


def test_a_parenthesis_with_a_binding_is_options() -> None:
    core = slot("core @ 16 (position = none) x")
    assert [o.name for o in core.options] == ["position"]
    assert shape_of(core.at) == ("Constant", 16)
    assert [o.name for o in slot("stem (a = 1, b = 2) x").options] == ["a", "b"]


def test_a_place_may_be_a_number_a_name_or_an_expression() -> None:
    assert shape_of(slot("core @ width x").at) == ("Name", "width")
    assert shape_of(slot("core @ lib.size x").at) == ("Name", "lib.size")
    core = slot("core @ (width / 2) x")
    assert isinstance(core.at, d.Operation)
    assert core.options == ()
    both = slot("core @ (width / 2) (position = none) (x | y)")
    assert len(both.options) == len(both.pipe) == 1


def test_options_are_not_empty_and_a_place_is_no_call() -> None:
    assert refused("grow 1 model m { stem () x }") == ["G001"]
    assert refused("grow 1 model m { core @ f(2) x }") == ["G001"]


def test_a_stage_may_have_two_sides() -> None:
    stage = slot("stage @ 64 { encode a | b decode c }")
    assert stage.decode is not None
    assert (len(stage.pipe), len(stage.decode)) == (2, 1)
    assert slot("stage @ 64 a").decode is None
    with_options = slot("stage @ 64 (down = dwt) { encode a decode c }")
    assert with_options.options[0].name == "down"
    assert with_options.decode is not None


def test_one_side_alone_does_not_parse() -> None:
    assert refused("grow 1 model m { stage @ 64 { encode a } }") == ["G001"]


def test_a_bare_op_is_a_call_and_repeats_take_names_and_expressions() -> None:
    bare, named, computed = slot("stem norm | a.b(1) * lib.n | c * (n + 1)").pipe
    assert bare.body == d.Call("norm", (), bare.span, bare.span)
    assert bare.repeat is None
    assert isinstance(named.body, d.Call)
    assert named.body.name == "a.b"
    assert shape_of(named.repeat) == ("Name", "lib.n")
    assert isinstance(computed.repeat, d.Operation)


# --- selectors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "all",
        "core",
        "stage[256]",
        "stage[*].decode",
        "core.transformer[0..11].attend",
        "stage[256].encode.residual[0].conv1.weight",
        "core, text, stage[*] except stage[64], core.transformer[0]",
    ],
)
def test_selectors_print_as_they_are_written(text: str) -> None:
    assert str(selection(text)) == text


def test_except_stands_once_and_last() -> None:
    assert refused("grow 1 model m { keep a except b except c }") == ["G001"]
    chosen = selection("all except core, time")
    assert [str(s) for s in chosen.included] == ["all"]
    assert [str(s) for s in chosen.excluded] == ["core", "time"]


def test_ranges_are_inclusive_indices() -> None:
    (selector,) = selection("core.transformer[0..11]").included
    assert selector.steps == (d.Step("core"), d.Step("transformer", (0, 11)))


@pytest.mark.parametrize("index", ["1.5", "5%", "0..2.5"])
def test_an_index_is_a_whole_number(index: str) -> None:
    assert refused(f"grow 1 model m {{ keep core[{index}] }}") == ["G003"]


# --- the whole -----------------------------------------------------------------------------------


def test_the_whole_grammar_parses(whole: d.Document) -> None:
    assert [p.name for p in whole.params] == [
        "train",
        "model",
        "phase",
        "flag",
        "list",
        "minus",
        "empty",
    ]
    assert [(i.file, i.name) for i in whole.imports] == [("lib/blocks.grow", "lib")]
    assert [(b.name, len(b.parameters)) for b in whole.blocks] == [("res", 2), ("plain", 0)]
    assert [s.kind for s in whole.sections] == ["sample", "evaluate"]
    assert [b.name for b in whole.data] == ["train", "mixed", "big"]


def test_the_model_of_the_whole_grammar(whole: d.Document) -> None:
    (model,) = whole.models
    assert model.grows is not None
    assert model.grows.file == "core.grow"
    assert [a.name for a in model.grows.params] == ["width", "depth"]
    kinds = [type(s).__name__ for s in model.statements]
    assert kinds == ["Verb"] * 3 + ["Moved"] + ["GrowBy"] * 2 + ["Init"] * 2 + (
        ["Binding"] * 6 + ["Slot"] * 6
    )
    moved, grown, deepened, zero, like = model.statements[3:8]
    assert isinstance(moved, d.Moved)
    assert (str(moved.old), str(moved.new)) == ("stage[32].encode", "stage[64].encode")
    assert isinstance(grown, d.GrowBy)
    assert [r.name for r in grown.rules] == ["widen", "resize"]
    assert isinstance(deepened, d.GrowBy)
    assert [a.name for a in deepened.rules[0].arguments] == ["", "init"]
    assert isinstance(zero, d.Init)
    assert isinstance(like, d.Init)
    assert (zero.value, zero.like) == ("zero", None)
    assert str(like.like) == "stage[16].decode"


def test_the_recipes_of_the_whole_grammar(whole: d.Document) -> None:
    main, other = whole.recipes
    assert [s.name for s in main.settings] == [
        "data",
        "start",
        "moments",
        "transition",
        "objective",
    ]
    assert [p.name for p in main.phases] == ["freeze", "for", "last"]
    frozen, long, last = main.phases
    assert [type(s).__name__ for s in frozen.statements] == ["Freeze", "Binding"]
    assert [type(s).__name__ for s in long.statements] == [
        "Binding",
        "LrScale",
        "Release",
        "Release",
        "Binding",
        "Binding",
        "Binding",
    ]
    assert isinstance(long.duration, d.Call)
    assert isinstance(last.duration, d.Call)
    assert (long.duration.name, last.duration.name) == ("images", "epochs")
    assert other.name == "other"


def test_every_span_covers_its_text(whole: d.Document) -> None:
    rows = whole.text.split("\n")

    def text(span: Span) -> str:
        assert span.row == span.end_row
        return rows[span.row - 1][span.column - 1 : span.end_column - 1]

    assert [text(p.name_span) for p in whole.params] == [p.name for p in whole.params]
    assert [text(r.span) for r in whole.data] == [rows[43].split("   #")[0], *rows[44:46]]
    stem = next(s for s in whole.models[0].statements if isinstance(s, d.Slot))
    assert text(stem.span) == "stem res(8, depth = 1) | lib.pair(8) * 2"
    assert [text(i.span) for i in stem.pipe] == ["res(8, depth = 1)", "lib.pair(8) * 2"]


def test_settings_precede_phases() -> None:
    assert refused("grow 1 train { phase p for 1 batch = 2 }") == ["G001"]


def test_deep_nesting_is_a_finding() -> None:
    assert refused("grow 1 param x = " + "-" * 3000 + "1") == ["G001"]
    assert refused("grow 1 param x = " + "1 + " * 3000 + "1") == ["G001"]
    assert refused("grow 1 model m { stem " + "(" * 3000 + "a" + ")" * 3000 + " }") == ["G001"]
