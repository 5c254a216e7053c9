"""One self-contained page: style, script and data are in it, and it loads nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from growlang.atomic import write_text
from growlang.diagnostics import GrowlangError
from growlang.pages.markup import Html, element, joined
from growlang.version import __version__

LARGEST = 300_000
"""Bytes that the page of the largest shipped specs may have."""
MARK = "growlang"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""What a page may load: nothing, but for what is in it."""
STYLES = ("colours.css", "style.css")
SCRIPTS = ("model.js", "drawing.js", "lines.js", "details.js", "finding.js", "script.js")


def document(
    title: str, heading: str, data: dict[str, Any], summary: Html, notes: Sequence[str] = ()
) -> str:
    """The page of some data, as HTML.

    `notes` stand above the drawing, and `summary` below it, which both need no script.
    """
    head = joined(
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"{MARK} {__version__}"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", f"{title}: {MARK}"),
        element("style", Html("".join(map(_text, STYLES)))),
    )
    scripts = [
        element("script", Html(as_json(data)), type="application/json", id="data"),
        element("script", Html(f'"use strict";\n{{\n{"".join(map(_text, SCRIPTS))}}}\n')),
    ]
    tools = element("div", id="tools", role="toolbar", aria_label="page")
    body = joined(
        element("header", element("h1", heading), tools),
        element("div", id="controls"),
        [element("p", note, class_="remark") for note in notes if note],
        element("main", element("div", id="drawing"), summary),
        element("footer", f"Written by growlang {__version__}."),
        element("aside", id="details", role="region", aria_label="details"),
        element("noscript", element("p", "The drawing needs JavaScript; the tables do not.")),
        scripts,
    )
    root = element("html", element("head", head), element("body", body), lang="en")
    return f"<!doctype html>\n{root}\n"


def as_json(data: object) -> str:
    """JSON that may stand in a script: no text in it can end the script."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def write_page(path: Path, page: str, *, force: bool = False) -> None:
    """Write a page whole or not at all.

    Raises GrowlangError if a file is there and `force` is not given, or it cannot be written.
    """
    require_page(path, force=force)
    try:
        write_text(path, page)
    except OSError as error:
        raise GrowlangError(
            f"cannot write {path}: {error.strerror}", help="choose another path with --html"
        ) from error


def require_page(path: Path, *, force: bool = False) -> None:
    """Raise GrowlangError unless a page may be written at `path`."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise GrowlangError(
            f"{path} does not end in .html",
            help=f"use --html {path.with_suffix('.html') if path.name else 'page.html'}",
        )
    if path.is_dir():
        raise GrowlangError(f"{path} is a folder", help="choose a file with --html")
    if not path.parent.is_dir():
        raise GrowlangError(f"cannot write {path}: there is no folder {path.parent}")
    if path.exists() and not force:
        raise GrowlangError(
            f"{path} exists", help="choose another file with --html, or overwrite with --force"
        )


def _text(name: str) -> str:
    return files("growlang.pages").joinpath(name).read_text(encoding="utf-8")
