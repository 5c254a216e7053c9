"""What the front end promises of any input: the fuzzer and the tests hold it to the same."""

from __future__ import annotations

import shutil
from pathlib import Path

from growlang.checking import Checked, check, errors
from growlang.diagnostics import Diagnostic, GrowlangError
from growlang.diagnostics.formats import concise, github, sarif
from growlang.diagnostics.text import as_text
from growlang.net import Net
from growlang.resolve.files import decoded
from growlang.syntax import document as d
from growlang.syntax import explain, grow, recovery
from growlang.syntax.fmt import fmt
from growlang.tools.fix import fix, write
from growlang.tools.show import show
from growlang.yaml import layout
from growlang.yaml import read as twin
from growlang.yaml.convert import names_schema, to_grow, to_yaml
from growlang.yaml.write import nodes

FIXTURES = Path(__file__).parent.parent / "fixtures"
GROW, YAML = "spec.grow", "spec.grow.yaml"
IMPORTED_LATE = (explain, recovery)
"""Modules that growlang imports inside functions; the fuzzer must see them at the start."""


def furnish(folder: Path) -> None:
    """Put the files there that the inputs may grow and import."""
    shutil.copytree(FIXTURES / "specs", folder, dirs_exist_ok=True)
    for path in (FIXTURES / "errors").glob("_*.grow"):
        shutil.copy(path, folder)


def most_calls(content: bytes) -> int:
    """Of functions, of Python or C, for putting an input through every command."""
    return 10_000_000 + 1_000 * len(content)


def examine(content: bytes, name: str, folder: Path) -> None:
    """Put an input through every command of the front end, under a name that says its syntax.

    Anything raised is a promise broken.
    """
    path = folder / name
    path.write_bytes(content)
    try:
        _check(path)
        text = decoded(content)
    except (GrowlangError, ValueError):
        return
    document = _read(text, name)
    if document is not None:
        _convert(document, name)
        _fmt(document, name)


def _check(path: Path) -> None:
    report = check(path)
    found = report.diagnostics
    assert not [item for item in found if item.code.startswith("G9")]
    _print(found, report.texts)
    for fixed in fix([path], unsafe=True) if any(item.edits for item in found) else ():
        if fixed.made:
            write(fixed)
            report = check(path)
    if report.checked is not None:
        _show(report.checked, path)


def _print(found: tuple[Diagnostic, ...], texts: object) -> None:
    assert isinstance(texts, dict)
    for item in found[:20]:
        as_text(item, texts, lambda text, role: text)
        concise(item)
        github(item)
    sarif(found[:20])


def _show(checked: Checked, path: Path) -> None:
    """The flat spec means the same; comments say where its values come from."""
    flat = path.with_name("flat.grow")
    flat.write_text(show(checked.resolved, origin=True), encoding="utf-8")
    again = check(flat)
    if checked.parent is None:
        assert not errors(again.diagnostics), again.diagnostics
    if again.checked is not None:
        _same_net(again.checked.net, checked)


def _same_net(net: Net, checked: Checked) -> None:
    """The same net; blocks, whose names are in the names of tensors, are written out as groups."""
    if checked.resolved.resolution and checked.resolved.resolution.calls:
        assert net.parameters == checked.net.parameters
    else:
        assert net.net_hash == checked.net.net_hash


def _read(text: str, name: str) -> d.Document | None:
    reading = (grow.read if name == GROW else twin.read)(text, name)
    assert reading.result is not None or not reading.is_sound
    return reading.result if reading.is_sound else None


def _parsed(text: str, name: str) -> d.Document:
    document = _read(text, name)
    assert document is not None, text
    return document


def _fmt(document: d.Document, name: str) -> None:
    """The canonical layout has the same tree and comments, and is its own canonical layout."""
    laid_out = _laid_out(document, name)
    again = _parsed(laid_out, name)
    assert d.without_spans(again) == d.without_spans(document)
    assert _remarks(again) == _remarks(document)
    assert _laid_out(again, name) == laid_out


def _laid_out(document: d.Document, name: str) -> str:
    return fmt(document) if name == GROW else layout.fmt(document.text, document.filename)


def _convert(document: d.Document, name: str) -> None:
    """To the other syntax and back is the same tree with the same comments."""
    ways = ((to_yaml, YAML), (to_grow, GROW))
    there, back = ways if name == GROW else ways[::-1]
    try:
        twin = _parsed(there[0](document), there[1])
    except GrowlangError as error:
        assert "cannot be said" not in error.message, error.message
        return
    _same(document, twin)
    _same(document, _parsed(back[0](twin), back[1]))


def _same(a: d.Document, b: d.Document) -> None:
    """The same tree as far as both syntaxes can say it, and the same comments."""
    assert layout.flat(nodes(a)) == layout.flat(nodes(b))
    assert _remarks(a) == _remarks(b)


def _remarks(document: d.Document) -> list[str]:
    return sorted(c.text.rstrip() for c in document.comments if not names_schema(c.text))
