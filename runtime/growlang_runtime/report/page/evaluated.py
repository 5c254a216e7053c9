"""What `growlang evaluate` found, each number with its protocol; read as it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from growlang.pages.markup import Child, Html, element, joined, table
from growlang_runtime.report.page.facts import Facts
from growlang_runtime.report.page.sections import key
from growlang_runtime.report.page.thinning import number

HEAD = ("run", "step", "metric", "value", "floor", "better", "guidance", "images", "real")
SHOWN = 60
"""Rows of each run that are shown, and evaluations whose protocols are: the newest."""


def evaluated(runs: Sequence[Facts]) -> Html:
    """A table of all metrics, and below it the protocol of each evaluation."""
    rows: list[list[Child]] = []
    protocols: list[Html] = []
    left_out = 0
    for index, run in enumerate(runs):
        own: list[list[Child]] = []
        told: list[Html] = []
        for file, said in run.evaluations():
            if found := list(_rows(run, index, said)):
                own += found
                told.append(_protocol(f"{run.name}: {file}", said))
        left_out += max(0, len(own) - SHOWN)
        rows += own[-SHOWN:]
        protocols += told[-SHOWN:]
    if not rows:
        return Html()
    about = "The floor is the same metric between real images and other real ones."
    more = element("p", f"and {left_out:,} older ones") if left_out else None
    shown = table(HEAD, rows, numbers=(1, 3, 4, 6, 7, 8))
    return joined(shown, more, element("p", about), protocols)


def _rows(run: Facts, index: int, said: Any) -> Iterator[list[Child]]:
    if not isinstance(said, Mapping):
        return
    step, drawn = said.get("step"), _mapping(said.get("drawn"))
    for metric in _metrics(said):
        protocol = _mapping(metric.get("protocol"))
        yield [
            element("span", key(index), run.name),
            f"{step:,}" if isinstance(step, int) else "",
            str(metric.get("name", "")),
            _short(metric.get("value")),
            _short(metric.get("floor")),
            str(metric.get("better", "")),
            _short(drawn.get("guidance")),
            _short(protocol.get("generated")),
            _short(protocol.get("real")),
        ]


def _protocol(title: str, said: Mapping[str, Any]) -> Html:
    """All that is said of how an evaluation was made, folded."""
    lines = [line for part in PARTS for line in _flat(said.get(part), part)]
    for metric in _metrics(said):
        name = str(metric.get("name", ""))
        for part in ("protocol", "details"):
            lines += _flat(metric.get(part), f"{name}: {part}")
    shown = table(["", ""], [[name, value] for name, value in lines])
    return element("details", element("summary", f"protocol of {title}"), shown)


PARTS = ("growlang", "weights", "drawn", "reference")


def _metrics(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = said.get("metrics")
    return [m for m in found if isinstance(m, Mapping)] if isinstance(found, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _flat(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}")
    elif isinstance(value, list):
        yield path, ", ".join(map(_short, value))
    elif value is not None:
        yield path, _short(value)


def _short(value: object) -> str:
    """A value as text: an integer whole, another number in five digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    known = number(value)
    return f"{known:.5g}" if known is not None else "" if value is None else str(value)
