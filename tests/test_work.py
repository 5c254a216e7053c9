"""The counts of work that other tests assert."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from work import at_most, calls, peak_bytes


def pairs(n: int) -> Callable[[], object]:
    """Work of n * n calls."""
    return lambda: [abs(i) for i in range(n) for _ in range(n)]


def test_calls_are_counted_and_are_the_same_each_time() -> None:
    assert calls(pairs(30)) == calls(pairs(30))
    assert calls(pairs(60)) - calls(pairs(30)) == 2700


def test_a_call_that_raises_is_counted() -> None:
    def refused() -> None:
        with suppress(ValueError):
            int("x")

    assert calls(refused) > calls(lambda: None)


def test_work_within_its_limit_goes_on() -> None:
    with at_most(1000) as made:
        pairs(30)()
    assert 900 <= made() <= 1000


def test_work_beyond_its_limit_is_ended_though_it_has_no_end() -> None:
    with pytest.raises(AssertionError, match="more than 1,000 calls"), at_most(1000):
        while True:
            abs(1)


def test_no_handler_keeps_work_going() -> None:
    done = []
    with pytest.raises(AssertionError, match="more than 5 calls"), at_most(5):
        with suppress(Exception):
            pairs(30)()
        done.append("here")
    assert done == []


def test_what_fails_within_its_limit_fails_as_it_did() -> None:
    with pytest.raises(KeyError), at_most(1000):
        {}["x"]


def test_memory_that_is_held_at_once_is_counted() -> None:
    def twice() -> None:
        for _ in range(2):
            bytearray(1_000_000)

    assert 1_000_000 < peak_bytes(twice) < 1_100_000
