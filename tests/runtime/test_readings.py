"""What is told of captions that a condition cannot read whole."""

from growlang_runtime.conditioning.readings import MOST, Reading, Tally, about_prompts, quoted


def read(*cut: str, wordless: tuple[str, ...] = (), captions: int = 4) -> dict[str, Reading]:
    return {"text": Reading(6, "words", captions, cut, wordless)}


def test_the_first_of_each_kind_is_told_once() -> None:
    tally = Tally()
    assert tally.add(read()) == []
    (cut,) = tally.add(read("one long caption", "and another"))
    assert cut == (
        'condition `text` reads at most 6 words of a caption and truncated "one long caption"; '
        "the total is reported at the end"
    )
    (wordless,) = tally.add(read("one more", wordless=("!?",)))
    assert wordless.startswith('condition `text` found no words in "!?"')
    assert tally.add(read("again", wordless=("", "."))) == []
    assert tally.totals() == [
        (
            "condition `text` read 16 captions: 4 truncated (raise its `tokens`), 3 without words",
            {"condition": "text", "captions": 16, "cut": 4, "wordless": 3},
        )
    ]


def test_nothing_is_told_where_all_is_read() -> None:
    tally = Tally()
    tally.add(read())
    assert tally.totals() == []


def test_a_run_that_goes_on_tells_only_the_total() -> None:
    first, second = Tally(), Tally()
    first.add(read("long"))
    second.counts = {name: dict(counts) for name, counts in first.counts.items()}
    assert second.add(read("long")) == []
    assert second.totals()[0][0] == (
        "condition `text` read 8 captions: 2 truncated (raise its `tokens`)"
    )


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
