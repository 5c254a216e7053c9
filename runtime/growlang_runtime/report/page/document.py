"""One self-contained page about runs: it loads nothing, and needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from growlang.atomic import write_text
from growlang.diagnostics import GrowlangError
from growlang.pages.document import POLICY, as_json
from growlang.pages.markup import Html, element, joined
from growlang.version import __version__
from growlang_runtime.report.comparison import side_of
from growlang_runtime.report.page.curves import data_of
from growlang_runtime.report.page.evaluated import evaluated
from growlang_runtime.report.page.facts import Facts, facts_of, names_of
from growlang_runtime.report.page.samples import samples
from growlang_runtime.report.page.sections import Section, overview, sections
from growlang_runtime.storage.files import disk_full, require_place

LARGEST = 300_000
"""Bytes of a page without its pictures."""
POINTS = (1500, 800, 400, 200, 100, 50)
"""Steps of all runs together whose values are shown: as many as the size allows."""
MARK = "growlang report"
"""How a page says what it is: a file that does not is never overwritten."""

LOCALE = """\
try { new Intl.NumberFormat(navigator.language); }
catch { Object.defineProperty(navigator, "language", { value: "en-US" }); }
"""
"""Where a browser runs without a locale, its language is none that it knows, and uPlot fails."""


@dataclass(frozen=True)
class ReportPage:
    """A page about runs; `output` is where it was written."""

    runs: tuple[Path, ...]
    html: str = field(repr=False)
    output: Path | None = None
    remark: str = ""
    """How large it is, if curves of the fewest points make it no smaller than `LARGEST`."""


def report(written: Sequence[Path], output: Path | None = None) -> ReportPage:
    """The page about runs, each RUN, RUN@STEP or RUN@best, which is written to `output`.

    Raises GrowlangError if one is no run, or if a file that is no report is at `output`.
    """
    if output is not None:
        require_page(output)
    sides = [side_of(path, "reported") for path in written]
    names = names_of([path for path, _ in sides])
    runs = [facts_of(path, n, end) for (path, end), n in zip(sides, names, strict=True)]
    page, size = page_of(runs)
    if output is not None:
        help = "free disk space, or choose another path with --output"
        with disk_full(output, help):
            output.parent.mkdir(parents=True, exist_ok=True)
            write_text(output, page)
    return ReportPage(tuple(run.path for run in runs), page, output, _remark(size, len(runs)))


def require_page(path: Path) -> None:
    """Raise GrowlangError unless a page can be written at `path`; an older one is replaced."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise GrowlangError(
            f"{path} does not end in .html: a report is one page",
            help=f"use --output {path.with_suffix('.html') if path.name else 'report.html'}",
        )
    require_place(path, "--output")
    if path.is_dir():
        raise GrowlangError(f"{path} is a folder", help="choose a file with --output")
    if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace")[:1000]:
        raise GrowlangError(
            f"{path} exists, and is no report of growlang",
            help="choose another file with --output",
        )


def _remark(size: int, runs: int) -> str:
    if size <= LARGEST:
        return ""
    smaller = "; a report on fewer runs is smaller" if runs > 1 else ""
    return (
        f"without its pictures the page has {size / 1000:,.0f} KB, more than the usual "
        f"{LARGEST // 1000}, with as few points in its curves as it may have{smaller}"
    )


def page_of(runs: Sequence[Facts]) -> tuple[str, int]:
    """The page, and its bytes without its pictures.

    Its curves have as many points as its size allows; what else there is to say is never cut.
    """
    pictures = samples(runs)
    parts = [
        Section("curves", "Curves", element("div", id="charts")),
        *([Section("samples", "Samples", pictures)] if pictures else []),
        *([Section("evaluation", "Evaluation", made)] if (made := evaluated(runs)) else []),
        *sections(runs),
    ]
    for points in POINTS:
        data = data_of(runs, max(10, points // len(runs)))
        page = _document(runs, parts if data["charts"] else parts[1:], data)
        size = len(page.encode()) - len(pictures.encode())
        if size <= LARGEST:
            break
    return page, size


def _document(runs: Sequence[Facts], parts: Sequence[Section], data: dict[str, Any]) -> str:
    title = ", ".join(run.name for run in runs)
    links = [element("a", part.title, href=f"#{part.id}") for part in parts]
    scheme = element("button", "dark / light", type="button", id="scheme")
    header = element("header", element("h1", title), scheme)
    body = [element("section", element("h2", part.title), part.inner, id=part.id) for part in parts]
    until = [f"{run.name} up to step {run.until:,}" for run in runs if run.until is not None]
    about = f"Written by growlang {__version__}. {'; '.join(until)}"
    head = joined(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"{MARK} {__version__}"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", f"{title}: {MARK}"),
        element("style", Html(_text("vendor/uPlot.min.css") + _text("page.css"))),
    )
    scripts = joined(
        element("script", Html(as_json(data)), type="application/json", id="data"),
        element("script", Html(LOCALE)),
        element("script", Html(_text("vendor/uPlot.iife.min.js"))),
        element("script", Html(_text("page.js"))),
    )
    main = element("main", element("section", overview(runs), id="runs"), body)
    footer = element("footer", element("p", about), _licence())
    whole = joined(header, element("nav", links, aria_label="sections"), main, footer, scripts)
    root = element("html", element("head", head), element("body", whole), lang="en")
    return f"<!doctype html>\n{root}\n"


def _licence() -> Html:
    """The licence of the library that draws the curves, which has to go with it."""
    text = element("pre", _text("vendor/uPlot-LICENSE.txt"), tabindex=0)
    return element("details", element("summary", "Curves are drawn by uPlot (MIT)"), text)


def _text(name: str) -> str:
    return files("growlang_runtime.report.page").joinpath(name).read_text(encoding="utf-8")
