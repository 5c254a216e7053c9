"""The work on several files by threads: who does what, how it ends, and what is raised."""

from __future__ import annotations

from collections.abc import Callable
from threading import Barrier, Event, get_ident

import pytest

from growlang.transferring import jobs
from growlang.transferring.jobs import Stopped, Sums


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.os, "cpu_count", lambda: 2)


def together(barrier: Barrier, seen: list[int]) -> Callable[[], Sums]:
    """A job that lasts until another thread is in one, and notes which thread does it."""

    def job() -> Sums:
        barrier.wait(timeout=600)
        seen.append(get_ident())
        return {}

    return job


def test_a_thread_stays_with_its_file() -> None:
    barrier = Barrier(2)
    seen: list[list[int]] = [[], []]
    jobs.do_all([[together(barrier, own)] * 5 for own in seen], lambda number, sums: None, Event())
    assert [len(own) for own in seen] == [5, 5]
    assert [len(set(own)) for own in seen] == [1, 1]


def test_threads_share_the_last_file() -> None:
    seen: list[int] = []
    jobs.do_all([[together(Barrier(2), seen)] * 4], lambda number, sums: None, Event())
    assert len(seen) == 4
    assert len(set(seen)) == 2


def test_each_file_ends_once_with_the_sums_of_its_jobs() -> None:
    ended: list[tuple[int, Sums]] = []
    files = [[lambda: {"a": 1}, lambda: {"b": 2}], [], [lambda: {"c": 3}]]
    jobs.do_all(files, lambda number, sums: ended.append((number, sums)), Event())
    assert sorted(ended, key=lambda one: one[0]) == [(0, {"a": 1, "b": 2}), (1, {}), (2, {"c": 3})]


def test_the_first_fault_is_raised_and_the_others_stop() -> None:
    stopped, both, ended = Event(), Barrier(2), list[int]()

    def fails() -> Sums:
        both.wait(timeout=600)
        raise OSError("the disk")

    def goes_on() -> Sums:
        both.wait(timeout=600)
        assert stopped.wait(timeout=600)
        raise Stopped

    def never() -> Sums:
        raise AssertionError("begun after the fault")

    with pytest.raises(OSError, match="the disk"):
        jobs.do_all([[fails, never], [goes_on, never]], lambda n, sums: ended.append(n), stopped)
    assert ended == []


def test_a_fault_of_ending_a_file_is_raised() -> None:
    def end(number: int, sums: Sums) -> None:
        raise OSError("no name")

    with pytest.raises(OSError, match="no name"):
        jobs.do_all([[Sums], [Sums]], end, Event())
