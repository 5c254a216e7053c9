"""What is told of the captions of a run that a condition cannot read whole."""

from growlang_runtime.conditioning.readings import Reading
from growlang_runtime.storage.record import CaptionCounts
from growlang_runtime.train.tally import Tally


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
            "text",
            "condition `text` read 16 captions: 4 truncated (raise its `tokens`), 3 without words",
            CaptionCounts(captions=16, cut=4, wordless=3),
        )
    ]


def test_nothing_is_told_where_all_is_read() -> None:
    tally = Tally()
    tally.add(read())
    assert tally.totals() == []


def test_a_run_that_goes_on_tells_only_the_total() -> None:
    first = Tally()
    first.add(read("long"))
    second = Tally(first.counts)
    assert second.add(read("long")) == []
    assert second.totals()[0][1] == (
        "condition `text` read 8 captions: 2 truncated (raise its `tokens`)"
    )
