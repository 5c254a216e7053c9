"""What is told of captions that a condition cannot read whole."""

from growlang_runtime.conditioning.readings import MOST, Reading, about_prompts, quoted


def read(*cut: str, wordless: tuple[str, ...] = (), captions: int = 4) -> dict[str, Reading]:
    return {"text": Reading(6, "words", captions, cut, wordless)}


def test_prompts_are_named_and_the_empty_one_is_meant() -> None:
    assert about_prompts([read("a b c d e f g", wordless=("", " ", "!"))]) == [
        'prompt "a b c d e f g" is truncated to its first 6 words, the limit of condition `text`',
        'prompt "!" has no words: condition `text` treats it as no caption',
    ]
    many = about_prompts([read(f"prompt {i}") for i in range(MOST + 3)])
    assert len(many) == MOST + 1
    assert many[-1] == "and 3 more prompts are truncated"
    assert about_prompts([]) == []


def test_a_caption_is_quoted_on_one_short_line() -> None:
    assert quoted("a\ncat ") == '"a cat"'
    assert quoted("\x1b[31mred\u202e \ud800") == '"U+001B[31mredU+202E U+D800"'
    assert quoted("x" * 100) == f'"{"x" * 59}…"'
