"""The words of captions in many scripts, as now and as in version 0.1."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growlang_runtime.conditioning.words import word_ids, words

CASES = json.loads((Path(__file__).parent.parent / "fixtures/runtime/words.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case["caption"]))
def test_the_words_of_a_caption(case: dict[str, list[str]]) -> None:
    assert words(str(case["caption"])) == case["words"]
    assert words(str(case["caption"]), semantics=1) == case["in 0.1"]


@given(st.text())
def test_words_depend_neither_on_the_encoding_nor_on_the_case(caption: str) -> None:
    found = words(caption)
    for form in ("NFC", "NFD"):
        assert words(unicodedata.normalize(form, caption)) == found
    assert words(unicodedata.normalize("NFD", caption).casefold()) == found


@given(st.text(st.characters(max_codepoint=127)))
def test_both_ways_make_the_same_of_ascii(caption: str) -> None:
    # a letter beyond ASCII keeps the second way from taking the short path
    assert words(f"{caption} é", 2)[:-1] == words(caption, 1) == words(caption, 2)


def test_the_hash_of_a_word_depends_on_its_semantics_alone() -> None:
    assert word_ids("STRASSE", 8192) == word_ids("straße", 8192) == word_ids("strasse", 8192, 1)
    assert word_ids("straße", 8192, 1) == [7010]
