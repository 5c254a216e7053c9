from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from growlang_runtime.report.display import Display, Rate


def test_without_a_terminal_there_is_a_line_for_each_report(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Display(total=10) as display:
        display.advance(1, "first")
        display.show(1, "first", 0.25, 12.34)
        display.show(2, "first", 1e30, 12.34, skipped=3, data_wait=0.034, memory=3 << 29)
        display.say("[brackets] are text")
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "first  step 1/10  loss 0.2500  12.3 images/s",
        "first  step 2/10  loss 1e+30  12.3 images/s  data wait 3%  1.50 GiB  3 skipped  0:00 left",
        "[brackets] are text",
    ]


def test_the_speed_of_a_model_of_tokens_is_told_in_them(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Display(total=10, tokens=128) as display:
        display.show(1, "first", 0.25, 12.5)
    assert capfd.readouterr().err == "first  step 1/10  loss 0.2500  1,600 tokens/s\n"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_terminal_shows_all_of_it(width: int) -> None:
    display = Display(total=1000)
    out = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    display.bar.disable = False
    display.show(20, "joint", 0.25, 12.34, data_wait=0.034, memory=3 << 29)
    display.validated(20, "joint", 0.119, 0.12, [0.1], best=True)
    display.first = (0, 0.0)
    display.show(40, "joint", 0.25, 12.34, data_wait=0.034, memory=3 << 29)
    out.print(display.bar.get_renderable())
    assert isinstance(out.file, StringIO)
    words = out.file.getvalue().split()
    for text in ("joint", "40/1000", "0.2500", "0.1190", "wait", "3%", "1.50", "GiB", "left"):
        assert text in words, text


def test_a_quiet_display_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with Display(total=10, quiet=True) as display:
        display.show(1, "first", 0.25, 12.34)
        display.say("text")
    assert capfd.readouterr() == ("", "")


def clock(monkeypatch: pytest.MonkeyPatch, *readings: float) -> None:
    """Let the clock of the module read these seconds, one after the other."""
    told = SimpleNamespace(perf_counter=iter(readings).__next__)
    monkeypatch.setattr("growlang_runtime.report.display.time", told)


def test_a_rate_counts_anew_after_each_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, 10.0, 14.0, 16.0, 16.0)
    rate = Rate()
    rate.count(100)
    assert rate.read() == 25
    assert rate.read() == 0
    rate.count(1)
    assert rate.read() > 0  # though no time has passed


def test_the_time_left_is_reckoned_at_the_mean_speed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    clock(monkeypatch, 10.0, 14.0, 4010.0)
    with Display(total=100) as display:
        for step in (10, 12, 60):
            display.show(step, "first", 0.25, 12.34)
    lines = capfd.readouterr().err.splitlines()
    assert [line.rpartition("images/s")[2] for line in lines] == ["", "  2:56 left", "  53:20 left"]
