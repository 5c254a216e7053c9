"""Captions of any script below the images of a grid."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, features

from growlang_runtime.report import fonts
from growlang_runtime.report.fonts import NO_CHARACTER, clusters, font_of, own
from growlang_runtime.report.lettering import MORE, draw_caption, drawable, lines
from growlang_runtime.report.text_runs import is_leftward, runs

CAPTIONS = {
    "latin": "a café — “quoted”",
    "vietnamese": "Tiếng Việt có dấu",
    "cyrillic": "Кошка на коврике",
    "greek": "Γάτα πάνω στο χαλί",
    "chinese": "黑猫坐在红色的垫子上。",
    "japanese": "黒い猫がマットの上に、",
    "korean": "검은 고양이",
    "arabic": "قطة سوداء؟",
    "hebrew": "חתול שחור",
    "devanagari": "काली बिल्ली",
    "thai": "แมวดำนั่ง",
    "emoji": "😀 👩‍👩‍👧 🇩🇪 ❤️ 👍🏽",
}


@pytest.mark.parametrize("caption", CAPTIONS.values(), ids=CAPTIONS)
def test_every_script_is_drawn_as_it_is(caption: str) -> None:
    assert drawable(caption) == caption
    (line,) = lines(caption, 1000, 2)
    assert "".join(sorted("".join(run.text for run in runs(line)))) == "".join(sorted(caption))
    assert all(run.font.covers(run.text) for run in runs(line))


@pytest.mark.parametrize("caption", CAPTIONS.values(), ids=CAPTIONS)
def test_no_glyph_is_that_of_a_missing_one(caption: str) -> None:
    for run in runs(caption):
        for character in filter(lambda c: c.isprintable() and not c.isspace(), run.text):
            if ord(character) in fonts.SELECTORS:
                continue
            shown, missing = (
                np.asarray(run.font.drawing.getmask(c)).tobytes() for c in (character, NO_CHARACTER)
            )
            assert shown != missing, f"{character} in {run.font.drawing.getname()}"


def test_pillows_own_font_is_taken_where_it_has_the_word() -> None:
    assert font_of("cat") is own()
    assert font_of("Łódź") not in (None, own()), "one font for a whole word"
    assert [run.text for run in runs("a cat кот")] == ["a cat ", "кот"]


@pytest.mark.parametrize(
    ("caption", "drawn"),
    [
        ("a \U00013000", "a [egyptian hieroglyph a001]"),
        ("\ue000!", "[U+E000]!"),
        ("bell\x07", "bell[U+0007]"),
        ("\ud800", "[U+D800]"),
        ("new\nline\tand  spaces ", "new line and spaces"),
        ("e\u0301", "é"),
        ("", ""),
    ],
)
def test_what_no_font_has_is_named(caption: str, drawn: str) -> None:
    assert drawable(caption) == drawn


def test_without_the_fonts_of_packages_other_scripts_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fonts, "PACKAGES", ("a_package_that_is_not_there",))
    cached = (fonts._paths, fonts.font_of)
    for function in cached:
        function.cache_clear()
    try:
        assert drawable("a кот") == (
            "a [cyrillic small letter ka][cyrillic small letter o][cyrillic small letter te]"
        )
    finally:
        for function in cached:
            function.cache_clear()


def test_clusters_are_drawn_as_one() -> None:
    assert clusters("ae\u0301👩‍👩‍👧🇩🇪🇫🇷👍🏽❤️कि") == [
        "a", "e\u0301", "👩‍👩‍👧", "🇩🇪", "🇫🇷", "👍🏽", "❤️", "कि",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "left_to_right"),
    [
        ("a cat קטה", ["a cat ", "קטה"]),
        ("חתול cat שחור", ["שחור", " ", "cat", " ", "חתול"]),
        ("a קטה قطة b", ["a ", "قطة", " ", "קטה", "b"]),
        ("3 קטה", ["קטה", " ", "3"]),
    ],
)
def test_runs_stand_in_the_order_of_reading(line: str, left_to_right: list[str]) -> None:
    found = [run.text for run in runs(line, is_leftward(line))]
    assert [text.strip() for text in found if text.strip()] == [
        text.strip() for text in left_to_right if text.strip()
    ]


def test_lines_break_at_spaces_and_beside_ideographs() -> None:
    latin = lines("a cat sits on a mat and looks", 60, 9)
    assert " ".join(latin) == "a cat sits on a mat and looks"
    assert len(latin) > 2
    chinese = lines("一只黑猫坐在红色的垫子上。", 60, 9)
    assert "".join(chinese) == "一只黑猫坐在红色的垫子上。"
    assert all(line != "。" for line in chinese)
    assert lines("검은 고양이가", 60, 9) == ["검은", "고양이가"]


@pytest.mark.parametrize("caption", [*CAPTIONS.values(), "x" * 900, "a cat " * 50])
def test_lines_keep_to_their_width_and_number(caption: str) -> None:
    found = lines(drawable(caption * 9), 128, 2)
    assert len(found) == 2
    assert found[1].endswith(MORE)
    assert all(sum(run.width for run in runs(line)) <= 128 for line in found)


def test_a_caption_from_right_to_left_stands_at_the_right() -> None:
    left, right = (_ink(caption) for caption in ("cat", "חתול"))
    assert left[0] < 3
    assert right[1] > 125


def test_letters_are_ordered_where_the_font_does_not_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = runs("(חתול)"[1:-1], True)
    font = run.font
    monkeypatch.setattr(font, "shapes", False)
    assert run._ordered == "לותח"
    assert runs("(", True)[0]._ordered == ")"


@pytest.mark.skipif(not features.check("raqm"), reason="this Pillow does not shape text")
def test_arabic_letters_are_joined() -> None:
    (run,) = runs("قطة", True)
    single = sum(run.font.drawing.getlength(c) for c in run.text)
    assert run.width < single
    assert run.font.drawing.layout_engine == ImageFont.Layout.RAQM


def _ink(caption: str) -> tuple[int, int]:
    """The first and the last column that a caption of 128 pixels blackens."""
    sheet = Image.new("RGB", (128, 28), "white")
    draw_caption(ImageDraw.Draw(sheet), caption, (0, 0, 128, 28), 14)
    dark = np.flatnonzero((np.asarray(sheet.convert("L")) < 128).any(0))
    return int(dark[0]), int(dark[-1])
